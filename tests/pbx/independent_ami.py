"""An AMI client that is not ours (pyst2), in a process of its own: `python independent_ami.py PORT`.

The secret comes by standard input; then it says "ready", listens until the next line comes, and prints as
JSON what it heard, what the PBX answers it, and which channels are left. Its actions hang on what it does
not understand, and its replies are matched by order: whoever runs it has a deadline.
"""

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from asterisk.manager import Manager

_TRIED = ("CoreShowChannels", "Command", "GetConfig", "PJSIPShowEndpoints", "DBGet", "UserEvent")


def main() -> None:
    (port,) = sys.argv[1:]
    manager, heard = Manager(), list[dict[str, str]]()
    manager.connect("127.0.0.1", int(port))
    manager.register_event("*", lambda event, _: heard.append(dict(event.headers)))
    manager.login("voicegate", sys.stdin.readline().strip())
    print("ready", flush=True)
    sys.stdin.readline()
    answers = {action: answer_to(manager, action) for action in _TRIED}
    channels = list_channels(manager, (entry["Uniqueid"] for entry in heard if "Uniqueid" in entry))
    print(json.dumps({"heard": heard, "answers": answers, "channels": channels}), flush=True)
    # Its own closing races with its reading thread, and fails now and then.
    os._exit(0)


def answer_to(manager: Any, action: str) -> str:
    return str(manager.send_action({"Action": action}).headers.get("Message", ""))


def list_channels(manager: Any, seen: Iterable[str]) -> list[str]:
    """The channels that the PBX still has, of those seen."""
    return [
        channel
        for channel in dict.fromkeys(seen)
        if manager.send_action({"Action": "Status", "Channel": channel}).headers["Response"] != "Error"
    ]


if __name__ == "__main__":
    main()
