"""The key file: random keys from which every code follows; fills the ports `Keyring` and `Examiner`."""

from voicegate.adapters.keyfile.examiner import KeyFileExaminer
from voicegate.adapters.keyfile.keyring import FileKeyring

__all__ = ["FileKeyring", "KeyFileExaminer"]
