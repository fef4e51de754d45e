"""The names that the adapter and `dialplan/asterisk/voicegate.conf` share.

Only names; the dialplan and `originate` use them. Source: the dialplan file itself, Asterisk 22.
"""

from typing import Final

ANSWERED_CONTEXT: Final = "voicegate-answered"
"""Where an answered call goes."""
ANSWERED_EXTEN: Final = "s"
"""Its only extension."""
ANSWERED_PRIORITY: Final = "1"
"""Its first priority."""
ANSWERED_LAST: Final = 8
"""Its last priority; a line that somebody adds changes it. A test compares it with the file."""
REJECT_FORWARD_CONTEXT: Final = "voicegate-reject-forward"
"""Where a 302 leads: it rejects every extension, so that Asterisk never dials a number that we did not
choose."""

AGI_VARIABLE: Final = "VOICEGATE_AGI"
"""agi://host:port/call: where the dialplan finds the controller."""
TOKEN_VARIABLE: Final = "VOICEGATE_TOKEN"  # noqa: S105  # the variable's name
"""The secret that proves that a FastAGI request belongs to the call; the script's only argument."""
APOLOGY_VARIABLE: Final = "VOICEGATE_APOLOGY"
"""The prompt, without suffix, that the dialplan plays if the controller cannot be reached."""
FORWARD_VARIABLE: Final = "FORWARD_CONTEXT"
"""Asterisk's own: the context that a forwarded call enters."""

AGI_SCRIPT: Final = "call"
"""The path of the FastAGI address."""
AGI_KNOCK_SCRIPT: Final = "knock"
"""The path at which the controller answers that it is there, and nothing else."""

DIALPLAN_REVISION: Final = "23a5cf32"
"""The digest of the dialplan file, which is also an extension in it: an older copy does not have it. A test
compares both with the file."""
