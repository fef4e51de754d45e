"""The key file: random keys from which every code follows; fills the ports `Keyring` and `Check`."""

from voicegate.adapters.keyfile.checks import KeyFileCheck
from voicegate.adapters.keyfile.keyring import FileKeyring

__all__ = ["FileKeyring", "KeyFileCheck"]
