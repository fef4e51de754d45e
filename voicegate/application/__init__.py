"""Use cases: what Voicegate does, in terms of the domain and of ports that adapters fill."""
