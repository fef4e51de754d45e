"""What an admin writes by hand with pyst2: `python pyst2_calls.py PORT SECRET-FILE SOUND`; numbers on stdin.

One connection, one originate for each number; Asterisk plays the sound and hangs up. It knows nothing of what
became of the call: no evidence, no failover, no limits, no record.
"""

import sys
from pathlib import Path

from asterisk.manager import Manager


def main(port: str, secret_file: str, sound: str) -> None:
    manager = Manager()
    manager.connect("127.0.0.1", int(port))
    manager.login("voicegate", Path(secret_file).read_text("ascii"))
    print("ready", flush=True)
    for line in sys.stdin:
        number = line.strip()
        manager.originate(f"PJSIP/{number}@carrier", "", application="Playback", data=sound, run_async=True)
    manager.logoff()
    manager.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
