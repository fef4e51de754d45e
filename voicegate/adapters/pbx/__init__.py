"""PBXs: what they share is in `common`; one folder for each kind. No kind imports another."""
