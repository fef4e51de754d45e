"""What the far end's SDP says about its audio: does it want to receive ours? Pure.

FreeSWITCH 1.10.12 reports a hold that comes by a re-INVITE, but not one that comes with the answer: then it
sends audio that the far end plays to nobody. RFC 4566; RFC 3264, section 8.4.
"""

from typing import Final

_DIRECTIONS: Final = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})
_OUR_SECTIONS: Final = frozenset({"", "audio"})
_HELD: Final = frozenset({"sendonly", "inactive"})
_NOWHERE: Final = "0.0.0.0"  # noqa: S104 - an SDP's, where nobody listens


def is_on_hold(sdp: str) -> bool:
    """Return whether the sender of this `sdp` does not receive our audio. The attribute of the audio itself
    counts."""
    direction, address, section = "sendrecv", "", ""
    for line in sdp.splitlines():
        kind, _, value = line.strip().partition("=")
        match kind:
            case "m" if section == "audio":
                break
            case "m":
                section = value.partition(" ")[0]
            case "a" if section in _OUR_SECTIONS and value in _DIRECTIONS:
                direction = value
            case "c" if section in _OUR_SECTIONS:
                address = value.rpartition(" ")[2]
    return direction in _HELD or address == _NOWHERE
