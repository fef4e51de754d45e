"""`python -m tests.acceptance.watched FILE ARGUMENT…`: voicegate; FILE gets all that it imports and opens.

One line each: the audit event's name and what was imported or opened.
"""

import os
import sys

_EVENTS = frozenset(
    {"import", "open", "sqlite3.connect", "subprocess.Popen", "socket.getaddrinfo", "ctypes.dlopen"}
)


def watch(file: str) -> None:
    notes = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(event: str, arguments: tuple[object, ...]) -> None:
        # A descriptor that is wrapped is no file that is opened.
        if event in _EVENTS and not isinstance(arguments[0], int):
            os.write(notes, f"{event} {arguments[0]}\n".encode())

    sys.addaudithook(note)


if __name__ == "__main__":
    watch(sys.argv[1])
    from voicegate.cli.main import main

    main(sys.argv[2:], prog_name="voicegate")
