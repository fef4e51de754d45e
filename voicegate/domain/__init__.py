"""What Voicegate knows: numbers, codes, challenges, calls and their outcomes; pure, so it never does I/O."""
