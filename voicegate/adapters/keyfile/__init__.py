"""The key file: random keys from which every code is derived; fills the ports `Keyring` and `Check`."""

from voicegate.adapters.keyfile.checks import KeyFileCheck
from voicegate.adapters.keyfile.keyring import FileKeyring
from voicegate.adapters.keyfile.receipt_keys import ReceiptKeys

__all__ = ["FileKeyring", "KeyFileCheck", "ReceiptKeys"]
