"""Runs a program with small disks of its own: `python -m tests.faults.small_disks FOLDER… -- PROGRAM…`.

Each folder becomes a tmpfs of a few megabytes, in a mount namespace that needs no rights (unshare(1),
user_namespaces(7)). The program's id goes to standard output. Each line of standard input is `fill FOLDER` or
`free FOLDER`, and is answered by the number of sounds in that folder; at their end the program is stopped.
"""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

SIZE: Final = "6m"
_FILLER: Final = ".filler"
_STEPS: Final = (65536, 4096, 1)


def fill(folder: Path) -> None:
    """Leave not a byte."""
    filler = os.open(folder / _FILLER, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for step in _STEPS:
        while _has_room(filler, bytes(step)):
            pass
    os.close(filler)


def _has_room(filler: int, written: bytes) -> bool:
    try:
        os.write(filler, written)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
    return True


def main(folders: list[str], program: list[str]) -> None:
    for folder in folders:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", folder], check=True)
    process = subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    print(process.pid, flush=True)
    for line in sys.stdin:
        what, _, folder = line.strip().partition(" ")
        if what == "fill":
            fill(Path(folder))
        else:
            (Path(folder) / _FILLER).unlink()
        print(len(list(Path(folder).glob("**/*.wav"))), flush=True)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    finally:
        process.kill()


if __name__ == "__main__":
    split = sys.argv.index("--")
    main(sys.argv[1:split], sys.argv[split + 1 :])
