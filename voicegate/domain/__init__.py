"""What Voicegate knows: numbers, codes, challenges, calls and verdicts; pure, so it never does I/O."""
