"""The names that the adapter and `dialplan/asterisk/voicegate.conf` share.

Only names belong here; what is done with them stands in the dialplan and in `originate`.
Source: the dialplan file itself, Asterisk 22.
"""

from typing import Final

ANSWERED_CONTEXT: Final = "voicegate-answered"
"""Where an answered call goes."""
ANSWERED_EXTEN: Final = "s"
"""Its only extension."""
ANSWERED_PRIORITY: Final = "1"
"""Its first priority."""
ANSWERED_LAST: Final = 8
"""Its last priority: a line that somebody adds moves it. A test holds it to the file."""
REJECT_FORWARD_CONTEXT: Final = "voicegate-reject-forward"
"""Where a 302 leads: it rejects every extension, so that Asterisk dials nobody we did not choose."""

AGI_VARIABLE: Final = "VOICEGATE_AGI"
"""agi://host:port/call: where the dialplan finds the controller."""
TOKEN_VARIABLE: Final = "VOICEGATE_TOKEN"  # noqa: S105  # the variable's name
"""What proves that a FastAGI request belongs to the call; the script's only argument."""
APOLOGY_VARIABLE: Final = "VOICEGATE_APOLOGY"
"""The prompt, without suffix, that the dialplan plays when the controller cannot be reached."""
FORWARD_VARIABLE: Final = "FORWARD_CONTEXT"
"""Asterisk's own: the context that a forwarded call enters."""

AGI_SCRIPT: Final = "call"
"""The path of the FastAGI address."""
AGI_KNOCK_SCRIPT: Final = "knock"
"""The path at which the controller says that it is there, and nothing else."""

DIALPLAN_REVISION: Final = "23a5cf32"
"""The dialplan file's digest, which is an extension in it too: what an older copy does not have. A test
holds both to the file."""
