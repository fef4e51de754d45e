"""The command line: click groups, one file a noun."""
