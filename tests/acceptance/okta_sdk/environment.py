"""Environments with one Okta SDK each: the two versions cannot be in one, nor with our own packages."""

from pathlib import Path

from tests.acceptance import environments

HERE = Path(__file__).parent


def python_with(version: str) -> Path:
    """The interpreter of an environment with `okta` in that version; blocks while it is made."""
    return environments.python_with(f"okta-{version}", HERE / f"requirements-{version}.txt")
