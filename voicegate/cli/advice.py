"""What an admin looks at first when a call ended without a delivered code, by its outcome."""

from collections.abc import Mapping
from typing import Final

from voicegate.domain.call_outcome import Outcome

ADVICE: Final[Mapping[Outcome, str]] = {
    Outcome.BUSY: "the telephone is in use; nothing to mend here",
    Outcome.NO_ANSWER: "did it ring where the person is? Else the caller ID that they are shown",
    Outcome.UNAVAILABLE: "the telephone is switched off or away; a desk: is it registered at the PBX?",
    Outcome.REJECTED: "the caller ID: people decline numbers that they do not know",
    Outcome.INVALID_NUMBER: "the number, and how the trunk wants it written (number_format)",
    Outcome.FORWARDED: "the telephone's forwarding; policy.follow_redirects",
    Outcome.INCOMPATIBLE: "the codecs of the trunk's endpoint at the PBX: G.711 must be among them",
    Outcome.TRUNK_REFUSED: "the SIP status at the carrier: password, caller ID, number format",
    Outcome.TRUNK_FAILED: "the SIP status, and what the carrier says of it; voicegate trunks",
    Outcome.TRUNK_UNREACHABLE: "voicegate trunks, and the PBX's own state of the trunk",
    Outcome.TRUNK_SILENT: "does the carrier answer the INVITE? Firewall, address, progress_timeout_s",
    Outcome.NO_HUMAN: "a voicemail, or a person whose keys do not come through: the trunk's DTMF mode",
    Outcome.HUNG_UP: "the person hung up; the timeline says when",
    Outcome.NO_MEDIA: "does audio pass through the PBX? direct_media, NAT, codecs, hold",
    Outcome.PLAYBACK_FAILED: "may the PBX read the sounds? voicegate doctor",
    Outcome.CONTROLLER_UNREACHABLE: "agi_advertised_host, agi_allowed_peers, a firewall; voicegate doctor",
    Outcome.PBX_UNAVAILABLE: "the PBX's connection, the endpoint's name; voicegate doctor",
    Outcome.QUEUE_TIMEOUT: "max_calls of the trunk, call.max_in_progress",
    Outcome.PBX_LOST: "the PBX's own log at that time: it stopped, or its connection was cut",
    Outcome.REPORTED: "who asked for this call? voicegate audit --action verification.report",
    Outcome.CANCELED: "nothing: it was canceled, or the code was entered already",
    Outcome.INTERRUPTED: "the daemon stopped, or somebody ended the call at the PBX",
    Outcome.INTERNAL_ERROR: "the daemon's log at that time: an error in Voicegate",
}
"""For each outcome but `delivered`."""


def look_first(outcome: str | None) -> str:
    """Return what to look at first; empty: the code was delivered, or the call goes on."""
    return ADVICE.get(Outcome(outcome), "") if outcome in set(Outcome) else ""
