"""Voicegate: a one-time code by telephone through the company's own PBX, and what really happened."""
