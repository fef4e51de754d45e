"""A complete PBX, carrier and telephones on one machine."""
