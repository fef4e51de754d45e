"""The settings: strict, helpful, and all described in the example that ships."""

import re
import tomllib
import types
import typing
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from voicegate import config
from voicegate.config import shapes
from voicegate.domain.errors import ConfigError

EXAMPLE = config.project_folder("config") / "voicegate.toml"
PBX = {"pbx": {"main": {"kind": "asterisk"}}}
TRUNK = {"pbx": "main", "endpoint": "e", "caller_ids": [{"number": "10"}]}


def everything_switched_on() -> dict[str, Any]:
    """The example with every commented setting uncommented."""
    lines = EXAMPLE.read_text("utf-8").splitlines()
    setting = re.compile(r"^# (\[?[a-z_]+(\.[a-z]+)?\]?( = |$))")
    return tomllib.loads("\n".join(line[2:] if setting.match(line) else line for line in lines))


def test_the_example_is_valid_as_it_ships() -> None:
    assert config.load(EXAMPLE).pbx["main"].kind == "asterisk"


def test_every_setting_stands_in_the_example() -> None:
    example = everything_switched_on()
    shapes: dict[str, type[msgspec.Struct]] = {
        "service": config.Service,
        "storage": config.Storage,
        "socket": config.Socket,
        "tcp": config.Tcp,
        "http": config.Http,
        "audio": config.Audio,
        "call": config.CallSettings,
        "passcode": config.PasscodeSettings,
        "policy": config.Policy,
        "spend": config.SpendSettings,
        "reports": config.ReportSettings,
        "pages": config.Pages,
        "test_numbers": config.TestNumbers,
        "log": config.Log,
        "okta_hook": config.OktaHookSettings,
    }
    for section, shape in shapes.items():
        assert set(example[section]) == {field.name for field in msgspec.structs.fields(shape)}, section
    named: dict[str, type[msgspec.Struct]] = {
        "trunks": config.TrunkSettings,
        "internal": config.InternalSettings,
        "providers": config.ProviderSettings,
        "twilio": config.TwilioServiceSettings,
        "page_clients": config.PageClientSettings,
    }
    for section, shape in named.items():
        # One entry a kind of PBX.
        entries = example[section].values()
        assert {key for entry in entries for key in entry} == {
            field.name for field in msgspec.structs.fields(shape)
        }, section
    kinds: dict[str, type[msgspec.Struct]] = {
        "asterisk": config.AsteriskPbxSettings,
        "freeswitch": config.FreeSwitchPbxSettings,
    }
    for entry in example["pbx"].values():
        fields = msgspec.structs.fields(kinds.pop(entry["kind"]))
        assert set(entry) == {"kind", *(field.name for field in fields)}
    assert not kinds
    assert set(example) == {field.name for field in msgspec.structs.fields(config.Settings)}


def test_the_defaults_that_the_example_shows_are_the_defaults() -> None:
    shown = msgspec.to_builtins(config.parse(everything_switched_on()))
    held = msgspec.to_builtins(config.Settings())
    for section in (
        "service",
        "storage",
        "socket",
        "tcp",
        "audio",
        "call",
        "passcode",
        "policy",
        "spend",
        "test_numbers",
        "log",
        "okta_hook",
    ):
        assert shown[section] == held[section], section


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"sockt": {}}, "sockt: unknown setting; did you mean socket?"),
        ({"socket": {"mod": "0600"}}, "socket.mod: unknown setting; did you mean socket.mode?"),
        ({"pbx": {"main": {"kind": "asterisk", "ami_prot": 1}}}, "pbx.main.ami_prot: unknown setting"),
        (
            {"pbx": {"main": {"kind": "freeswitch", "ami_host": "::1"}}},
            "pbx.main.ami_host: is for kind asterisk; this PBX is freeswitch, whose own are: esl_*",
        ),
        (
            {"pbx": {"main": {"kind": "asterisk", "esl_port": 1}}},
            "pbx.main.esl_port: is for kind freeswitch; this PBX is asterisk, whose own are: ami_* and agi_*",
        ),
        (
            {"pbx": {"main": {"kind": "simulator", "agi_port": 1}}},
            "pbx.main.agi_port: is for kind asterisk; this PBX is simulator, whose own are: none",
        ),
        (
            {"pbx": {"main": {"kind": "simulator", "lost_grace_s": 1}}},
            "pbx.main.lost_grace_s: is for kind asterisk and freeswitch; this PBX is simulator",
        ),
        ({"pbx": {"main": {"kind": "freeswitch", "esl_prot": 1}}}, "did you mean pbx.main.esl_port?"),
        ({"pbx": {"main": {"kind": "asterix"}}}, "pbx.main.kind: 'asterix' is not among its values"),
        ({"pbx": {"main": {"ami_port": 1}}}, "pbx.main: kind is missing"),
        ({"twilio": {"bank": {"sid": "VA12"}}}, "twilio.bank.sid"),
        ({"tcp": {"trusted_proxies": ["10.0.0.1/8"]}}, "tcp.trusted_proxies: 10.0.0.1/8 has host bits set"),
        ({"http": {"max_waiting": 1500}}, "http.max_waiting: leaves no connection for others"),
        ({"passcode": {"length": 3}}, "passcode.length: must be a whole number of at least 4"),
        ({"passcode": {"length": "6"}}, "passcode.length: must be a whole number, not a string"),
        ({"call": {"human_check": "maybe"}}, "call.human_check: 'maybe' is not among its values"),
        ({"policy": {"allowed_countries": ["us"]}}, "policy.allowed_countries[0]"),
        ({"trunks": {"t": {"endpoint": "e", "caller_ids": []}}}, "trunks.t"),
        (
            {"trunks": {"t": {"pbx": "main", "endpoint": "e", "caller_ids": [{"numbr": "1"}]}}},
            "trunks.t.caller_ids[0].numbr: unknown setting; did you mean trunks.t.caller_ids[0].number?",
        ),
        (
            PBX | {"trunks": {"t": {"pbx": "mian", "endpoint": "e", "caller_ids": [{"number": "10"}]}}},
            "trunks.t.pbx: there is no [pbx.mian]; known: main",
        ),
        (
            PBX | {"trunks": {"t": TRUNK | {"countries": ["UK"]}}},
            "trunks.t.countries: UK is not the ISO 3166 code of a country; Britain is GB",
        ),
        (PBX | {"trunks": {"t": TRUNK | {"number_format": "national"}}}, "trunks.t.home_country: is missing"),
        (
            PBX | {"trunks": {"t": TRUNK | {"number_prefix": "123#"}}},
            "trunks.t.number_prefix: nothing can be",
        ),
        (
            PBX | {"trunks": {"t": TRUNK | {"number_prefix": "12@3", "number_format": "e164"}}},
            "trunks.t.number_prefix: must be up to 16 of 0-9",
        ),
        *(
            (
                {"pbx": PBX["pbx"], "trunks": {"t": TRUNK | national}, "policy": policy},
                f"trunks.t.international_prefix: is missing; {national['home_country']} has no one prefix",
            )
            for national, policy in (
                ({"number_format": "national", "home_country": "BR"}, {"allowed_countries": ["BR", "US"]}),
                ({"number_format": "national", "home_country": "SG", "countries": ["GB"]}, {}),
                ({"number_format": "national", "home_country": "CL", "countries": ["CL", "AR"]}, {}),
            )
        ),
        (
            PBX | {"trunks": {"t": TRUNK | {"home_country": "UK"}}},
            "trunks.t.home_country: UK is not the ISO 3166 code of a country",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_path(raw: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.parse(raw)
    assert says in str(error.value)


@pytest.mark.parametrize("name", ['a"b', "a<b", "a\r\nb", "a\\b", "x" * 41])
def test_a_caller_name_that_could_break_out_of_its_quotes_is_refused(name: str) -> None:
    trunk = {"pbx": "main", "endpoint": "e", "caller_ids": [{"number": "+12025550100", "name": name}]}
    with pytest.raises(ConfigError, match=r"trunks.t.caller_ids\[0\].name"):
        config.parse(PBX | {"trunks": {"t": trunk}})


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("[socket\n")
    with pytest.raises(ConfigError, match=r"broken\.toml: is not TOML"):
        config.load(file)
    with pytest.raises(ConfigError, match=r"missing\.toml: cannot be read"):
        config.load(tmp_path / "missing.toml")


def test_a_secret_comes_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ami").write_text("s3cret\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert config.read_secret("$CREDENTIALS_DIRECTORY/ami", "pbx.main.ami_secret_file") == "s3cret"
    (tmp_path / "empty").write_text("\n")
    for path, says in (("", "no file is set"), (str(tmp_path / "empty"), "empty"), ("/nowhere", "cannot be")):
        with pytest.raises(ConfigError, match=f"pbx.main.ami_secret_file: .*{says}"):
            config.read_secret(path, "pbx.main.ami_secret_file")


def _patterned(part: object) -> bool:
    return any(isinstance(meta, msgspec.Meta) and meta.pattern for meta in getattr(part, "__metadata__", ()))


def _is_array(part: object) -> bool:
    kind = typing.get_args(part)[0] if typing.get_origin(part) is Annotated else part
    return typing.get_origin(kind) in (tuple, list, set, frozenset)


def test_no_setting_is_a_text_with_a_pattern_or_else_a_list() -> None:
    # msgspec 0.22.0 lets go of such a pattern too often: the process dies of it as it ends.
    for shape in vars(shapes).values():
        if not (isinstance(shape, type) and issubclass(shape, msgspec.Struct)):
            continue
        for name, hint in typing.get_type_hints(shape, include_extras=True).items():
            is_union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
            parts = typing.get_args(hint) if is_union else ()
            is_both = any(map(_patterned, parts)) and any(map(_is_array, parts))
            assert not is_both, f"{shape.__name__}.{name}"


@pytest.mark.parametrize(
    ("trunk", "allowed"),
    [
        ({"home_country": "BR"}, ["BR"]),
        ({"home_country": "BR", "countries": ["BR"]}, ["BR", "US"]),
        ({"home_country": "BR", "international_prefix": "0021"}, ["BR", "US"]),
        ({"home_country": "GB"}, ["GB", "US"]),
    ],
)
def test_a_national_trunk_that_can_dial_all_that_it_may_is_right(
    trunk: dict[str, Any], allowed: list[str]
) -> None:
    entry = TRUNK | {"number_format": "national"} | trunk
    settings = config.parse({**PBX, "trunks": {"t": entry}, "policy": {"allowed_countries": allowed}})
    assert "t" in settings.trunks
