"""What every PBX adapter shares: its connection, its supervised calls, the facts of a call."""
