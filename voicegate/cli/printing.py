"""How answers are printed: JSON for programs, lines and tables for people.

What comes from the daemon is printed as plain text: no markup, no colours, and no escape sequences for the
terminal.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec
import rich_click as click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voicegate.client import Call, DryRun, Quality, Step

_NO_LIMIT: Final = 10_000
_SHORTEST_NUMBER: Final = 7
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(answer: object) -> None:
    """Print an answer as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())


def print_json_line(answer: object) -> None:
    """Print an answer as one line of JSON."""
    click.echo(msgspec.json.encode(answer))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_CONTROL.sub("\ufffd", cell)) for cell in row))
    _console().print(table)


def print_dry_run(found: DryRun, *, as_json: bool) -> None:
    """Print what a call would cost at most, by each of its trunks."""
    if as_json:
        print_json(found)
        return
    click.echo("would be called\n")
    print_table(
        ("trunk", "costs at most", "billed"),
        (
            (
                one.trunk,
                "unknown" if one.price is None else f"{one.price:g}",
                "unknown" if one.billed_s is None else f"{one.billed_s} s",
            )
            for one in found.trunks
        ),
    )


def hint_at_plus(number: str | None, *, is_found: bool) -> None:
    """Say on standard error that a number has no plus sign, if nothing was found by it and it may be a
    telephone number."""
    digits = sum(map(str.isdecimal, number or ""))
    if number and not is_found and digits >= _SHORTEST_NUMBER and "+" not in number:
        click.echo("nothing found; a telephone number has its plus sign and its country's code", err=True)


def _console() -> Console:
    """Return the console of standard output: as wide as its terminal; without one, so wide that a row stays
    one line."""
    if sys.stdout.isatty():
        return Console()
    # Without a height, rich asks the environment for both.
    return Console(width=_NO_LIMIT, height=25)


_OWN_NAMES: Final = {"reported": "reported", "opted_out": "opted out"}
_NEWS: Final = frozenset({"reading_started", *_OWN_NAMES})


def label_of(step: Step) -> str:
    """Return a step's name on the timeline: the call's state, and the number of the reading."""
    if step.event in _OWN_NAMES:
        return _OWN_NAMES[step.event]
    return f"{step.state} {step.reading}" if step.event == "reading_started" else step.state


def labels_of(steps: Iterable[Step]) -> list[tuple[Step, str]]:
    """Return the steps of a timeline that tell something new, each with its name."""
    shown: list[tuple[Step, str]] = []
    for step in steps:
        if is_news(step, shown[-1][0] if shown else None):
            shown.append((step, label_of(step)))
    return shown


def is_news(step: Step, before: Step | None) -> bool:
    """Return whether a step tells something that the last shown one did not."""
    return before is None or step.state != before.state or step.event in _NEWS


def describe_end(call: Call) -> str:
    """Return how a call ended, in one line."""
    facts = [f"blame {call.blame}"] if call.blame is not None else []
    facts += [f"evidence {call.evidence.strongest}"]
    facts += [f"hangup cause {call.hangup_cause}"] if call.hangup_cause else []
    facts += [f"SIP {call.sip_status}"] if call.sip_status is not None else []
    facts += [f"our reason {call.gave_up}"] if call.gave_up is not None else []
    facts += [f"trunk {call.trunk}", f"caller ID {call.caller_id}"]
    return f"{call.outcome or call.state}: {', '.join(facts)}"


def describe_media(call: Call) -> str:
    """Return the packet counts of a call in one line; empty: nothing was counted."""
    counted = [step.media for step in call.timeline if step.media is not None]
    digits = "".join(step.digit for step in call.timeline if step.digit is not None)
    facts = [f"{call.evidence.announced} readings proven"] if call.evidence.answered else []
    if counted:
        facts += [f"RTP packets {_count(counted[-1].received)} received, {_count(counted[-1].sent)} sent"]
        facts += ["RTCP received" if counted[-1].reports_back else "no RTCP received"]
    facts += [f"DTMF digits {digits}"] if digits else []
    return ", ".join(facts)


def describe_quality(quality: Quality) -> str:
    """Return how well a call's audio travelled, in one line."""
    facts = [f"SIP Call-ID {quality.sip_call_id}"] if quality.sip_call_id is not None else []
    facts += [f"codec {quality.codec}"] if quality.codec is not None else []
    facts += [f"MOS {quality.mos:.2f}"] if quality.mos is not None else []
    if quality.packets_sent is not None or quality.packets_received is not None:
        facts.append(f"packets {_count(quality.packets_sent)} sent, {_count(quality.packets_received)} back")
    facts += [f"lost {quality.lost_sent} of what was sent"] if quality.lost_sent is not None else []
    facts += [f"lost {quality.lost_received} of what came back"] if quality.lost_received is not None else []
    shown = {
        "jitter there": quality.jitter_sent_ms,
        "jitter here": quality.jitter_received_ms,
        "round trip": quality.round_trip_ms,
    }
    facts += [f"{name} {value:.1f} ms" for name, value in shown.items() if value is not None]
    return f"line: {', '.join(facts) or 'nothing is known'}"


def _count(packets: int | None) -> str:
    return "unknown" if packets is None else str(packets)


def clock(moment: datetime) -> str:
    """Return a moment in the machine's own time zone, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
