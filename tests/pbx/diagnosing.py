"""What `voicegate doctor` finds of a lab, which may be broken for a while."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from voicegate import config
from voicegate.application.diagnostics import Finding, Level, run
from voicegate.bootstrap.checks import checks
from voicegate.lab.certificates import Certificates
from voicegate.lab.world import Lab


def findings(lab: Lab, **changes: Any) -> list[Finding]:
    """Examine the lab as its daemon's settings say, but over TLS, and for `changes` in its PBX's section and
    [audio]."""
    settings = config.load(lab.settings.config_file)
    ((name, pbx),) = settings.pbx.items()
    if pbx.kind == "asterisk":
        changes = tls_of(lab) | changes
    audio = msgspec.structs.replace(settings.audio, **changes.pop("audio", {}))
    changed = msgspec.structs.replace(
        settings, audio=audio, pbx={name: msgspec.structs.replace(pbx, **changes)}
    )

    async def look() -> list[Finding]:
        return [finding async for finding in run(checks(changed), lambda _: None)]

    return asyncio.run(look())


def tls_of(lab: Lab) -> dict[str, Any]:
    """Settings by which the lab's Asterisk is spoken to over TLS."""
    authority = Certificates(lab.settings.certificates).authority
    return {"ami_port": lab.settings.ports.ami_tls, "ami_tls_ca": str(authority)}


def faults(lab: Lab, **changes: Any) -> list[Finding]:
    """What is not as it should be; every one of them has a fix."""
    found = [finding for finding in findings(lab, **changes) if finding.level is not Level.OK]
    assert all(finding.fix for finding in found)
    return found


def wrong(lab: Lab, **changes: Any) -> set[tuple[str, Level]]:
    return {(finding.about, finding.level) for finding in faults(lab, **changes)}


@contextmanager
def edited(lab: Lab, name: str, old: str, new: str, *, reload: Callable[[], object]) -> Iterator[None]:
    """One of the PBX's files with another text in it, loaded; as it was afterwards."""
    file = lab.settings.folder / "pbx/etc" / name
    before = file.read_text("utf-8")
    assert old in before
    try:
        file.write_text(before.replace(old, new), "utf-8")
        reload()
        yield
    finally:
        file.write_text(before, "utf-8")
        reload()
