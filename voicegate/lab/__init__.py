"""A complete PBX, carrier and telephone world on one machine."""
