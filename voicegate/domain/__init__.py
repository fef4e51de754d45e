"""What Voicegate knows: numbers, codes, challenges, calls and their outcomes. Pure: it never does I/O."""
