"""Adapters to PBXs, storage, speech and doors; none imports another."""
