"""The native door: our own API, with all that a verification, a factor and a call can tell."""
