"""What every PBX adapter shares: its connection, its calls supervised to their end, the facts of a call."""
