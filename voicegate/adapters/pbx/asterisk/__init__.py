"""Asterisk: AMI to place and follow calls, FastAGI to speak on them."""
