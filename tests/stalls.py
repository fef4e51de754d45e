"""Notes when a thread that should have run did not. Run as a program, `stalls.py FILE`, beside its parent.

A process of its own, for a thread beside tests waits for Python's lock too. It sleeps for 10 ms at a time; of
each sleep that took longer it writes when it ended, by the monotonic clock, and by how much it was late, in
seconds.
"""

import os
import sys
import time
from pathlib import Path

NAP_S = 0.01
WORTH_NOTING_S = 0.03


def main(file: Path) -> None:
    parent = os.getppid()
    with file.open("w", buffering=1) as notes:
        while os.getppid() == parent:
            due = time.monotonic() + NAP_S
            time.sleep(NAP_S)
            now = time.monotonic()
            if now - due > WORTH_NOTING_S:
                notes.write(f"{now:.3f} {now - due:.3f}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
