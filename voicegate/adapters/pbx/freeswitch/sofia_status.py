"""Reads gateways and profiles from the XML of `sofia xmlstatus`. Pure.

What a state means for calls is up to the callers. Source: FreeSWITCH 1.10.12, `sofia.c`, and recorded
answers: a gateway that is asked for by name comes without the `gateways` element around it; an unknown name
is answered by a plain sentence. Why the standard library's parser, and no package: XML is dangerous only by
what a document type declares, entities that grow or that name files. FreeSWITCH sends none, and an answer
with one is refused before it is parsed; `esl_wire` limits its size. defusedxml would do no more here, and has
had no release since 2021.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

import structlog

log = structlog.get_logger(__name__)

GATEWAYS: Final = "sofia xmlstatus gateway"
"""The command that lists all gateways."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway; an empty field was not reported."""

    status: str
    """UP or DOWN, from its pings and its registration."""
    state: str
    """The state of its registration; NOREG: it does not register."""
    ping_seconds: str
    """Seconds between two pings; "0": never."""
    profile: str
    """Its SIP profile."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a SIP profile offers on our calls; an empty field was not reported."""

    codecs: str
    """The names of its codecs, separated by commas."""
    dtmf: str
    """How DTMF digits are sent: rfc2833, info, none."""


def read_gateways(answer: str) -> Mapping[str, Gateway]:
    """Return the gateways in an answer, by name; empty: there are none."""
    root = _read(answer)
    # The elements of one that was asked for by name are the root's own.
    return {
        _text(each, "name"): Gateway(
            status=_text(each, "status"),
            state=_text(each, "state"),
            ping_seconds=_text(each, "pingfreq"),
            profile=_text(each, "profile"),
        )
        for each in root.iter("gateway")
    }


def read_profile(answer: str) -> Profile:
    """Return the profile in an answer."""
    root = _read(answer)
    return Profile(codecs=_text(root, ".//outbound-codecs"), dtmf=_text(root, ".//dtmf-mode"))


def _read(answer: str) -> ElementTree.Element:
    if not answer.startswith("<"):
        return ElementTree.Element("nothing")
    try:
        if "<!DOCTYPE" in answer:
            raise ElementTree.ParseError("a document type is declared")
        return ElementTree.fromstring(answer)  # noqa: S314  # why, says the module
    except ElementTree.ParseError as error:
        # It writes user names and proxies as they are: one with "<" in it spoils the whole answer.
        log.warning("FreeSWITCH status not readable", why=str(error))
        return ElementTree.Element("nothing")


def _text(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
