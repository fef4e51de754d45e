"""The command line: click groups, one file for each noun."""
