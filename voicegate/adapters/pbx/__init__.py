"""PBXs: what they share in `common`, and one folder a kind; none of these knows another."""
