"""PBXs as the settings name them."""

import sys
from pathlib import Path
from typing import Any

import pytest

from voicegate import config
from voicegate.adapters.pbx.freeswitch.settings import FreeSwitchSettings
from voicegate.bootstrap.pbxs import freeswitch_settings, make_pbx
from voicegate.domain.errors import ConfigError


def raw(folder: Path) -> dict[str, Any]:
    secret = folder / "password"
    secret.write_text("open sesame\n")
    return {"pbx": {"main": {"kind": "freeswitch", "esl_password_file": str(secret)}}}


def reached_as(settings: config.Settings) -> FreeSwitchSettings:
    pbx = settings.pbx["main"]
    assert isinstance(pbx, config.FreeSwitchPbxSettings)
    return freeswitch_settings(settings, "main", pbx)


async def test_a_freeswitch_is_reached_as_configured(tmp_path: Path) -> None:
    settings = config.parse(raw(tmp_path) | {"call": {"time_cap_s": 100, "human_timeout_s": 50}})
    reached = reached_as(settings)
    assert (reached.esl_host, reached.esl_port, reached.esl_user) == ("127.0.0.1", 8021, None)
    assert reached.esl_password.value == "open sesame"
    # Longer than what we hold ourselves: a second, 32 of pauses, 60 until the key, 120 from it on.
    assert reached.call_cap.total_seconds() == 213 + 30
    assert make_pbx("main", settings, ()) is not None


async def test_a_freeswitch_without_its_packages_is_told_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.startswith("voicegate.adapters.pbx.freeswitch.esl")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, "voicegate.adapters.pbx.freeswitch.driver", raising=False)
    monkeypatch.delitem(sys.modules, "voicegate.adapters.pbx.freeswitch.call", raising=False)
    monkeypatch.setitem(sys.modules, "greenswitch", None)
    monkeypatch.setitem(sys.modules, "greenswitch.esl", None)
    with pytest.raises(ConfigError, match=r"pbx\.main\.kind: .*voicegate-pbx\[freeswitch\]"):
        make_pbx("main", config.parse(raw(tmp_path)), ())


def test_a_sound_that_freeswitch_cannot_play_is_refused(tmp_path: Path) -> None:
    settings = config.parse(raw(tmp_path) | {"audio": {"format": "wav16"}})
    with pytest.raises(ConfigError, match=r"audio\.format"):
        reached_as(settings)


def test_a_missing_password_is_named(tmp_path: Path) -> None:
    settings = config.parse({"pbx": {"main": {"kind": "freeswitch"}}})
    with pytest.raises(ConfigError, match=r"pbx\.main\.esl_password_file"):
        reached_as(settings)
