"""The revisions, one file a change; a revision that was released never changes."""
