"""Writes the pages that follow from the code: settings, command line, providers. `make pages` runs it.

A test fails when a page is not what this would write. Sources: the shapes in `voicegate/config/shapes.py`,
the comments in `config/voicegate.toml` and `config/providers/`, the commands of click.
"""

import dataclasses
import re
import textwrap
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
import msgspec
from msgspec import inspect as shapes

from voicegate.cli.exits import EPILOG
from voicegate.cli.main import main as command_line
from voicegate.config import Settings

ROOT: Final = Path(__file__).resolve().parents[1]
NOTE: Final = "<!-- Written by `make pages`: change {source} instead. -->\n\n"
_SETTINGS: Final = """# Settings

One TOML file, `/etc/voicegate/voicegate.toml` unless `--config` or `VOICEGATE_CONFIG` names another.
`config/voicegate.toml` shows every setting with its default. A setting that does not exist is refused, with a
suggestion; `voicegate config check` says whether the file is right, `voicegate config show` what holds.
A setting that was renamed is taken by its old name for one release, with a warning;
`voicegate config migrate` writes the new names into the file and keeps a copy of it.

Units are in the names: `_s` seconds, `_ms` milliseconds, `_days` days. Files of secrets may be named by
environment variables, as `"$CREDENTIALS_DIRECTORY/ami-secret"`.
"""
_COMMANDS: Final = """# Command line

`voicegate --help` lists the commands, `voicegate COMMAND --help` the options of one. `--json` prints for
scripts; `voicegate completion bash` prints a completion script.

"""
_PROVIDERS: Final = """# Identity providers, one by one

Each asks as a client with the scope `hooks`: `voicegate clients add NAME --scope hooks` prints its API key,
which is what `<the client's key>` stands for. `https://voicegate.example:8770` is your daemon's TCP address,
once [TCP is switched on](hooks.md#switch-tcp-on); leave the port out behind a reverse proxy on 443. The TOML
goes into `/etc/voicegate/voicegate.toml`; `config/providers` has the same as files.
[Which code is spoken](hooks.md#which-code-is-spoken) says what is refused.
"""
_COLUMNS: Final = "| setting | default | values | |\n|---|---|---|---|"
_SECTION: Final = re.compile(r"^(?:# )?\[([a-z_]+)(?:\.[a-z]+)?\](?:\s+# (.*))?$")
_SETTING: Final = re.compile(r"^(?:# )?([a-z0-9_]+) = (.+)$")
_CONTINUED: Final = re.compile(r"^\s+# (.*)$")


def pages() -> dict[Path, str]:
    """Return every generated page by its file."""
    folder = ROOT / "docs"
    return {
        folder / "operate/settings.md": settings_page(),
        folder / "operate/cli.md": command_line_page(),
        folder / "backends/providers.md": providers_page(),
    }


@dataclasses.dataclass
class Setting:
    """A setting as the example file shows it."""

    name: str
    value: str
    """TOML."""
    is_shown: bool
    """Does the example set it, instead of showing the default in a comment?"""
    words: list[str]


@dataclasses.dataclass
class Section:
    """A table of the example file; one for all tables of one kind."""

    name: str
    words: list[str] = dataclasses.field(default_factory=list)
    settings: dict[str, Setting] = dataclasses.field(default_factory=dict)


def settings_page() -> str:
    """Return the page of all settings."""
    sections = read_example((ROOT / "config/voicegate.toml").read_text("utf-8").splitlines())
    structs = {
        field.name: list(_structs(field.type))
        for field in shapes.type_info(Settings).fields  # type: ignore[attr-defined]
    }
    missing = set(structs) - set(sections)
    if missing:
        raise ValueError(f"config/voicegate.toml lacks {missing}")
    parts = [
        NOTE.format(source="voicegate/config/shapes.py or config/voicegate.toml"),
        _SETTINGS,
    ]
    for section in sections.values():
        fields = {field.name: field for struct in structs[section.name] for field in struct.fields}
        title, words = _about(structs[section.name])
        prose = _sentence(_escaped(section.words)) or words
        parts.append(f"\n## {title}\n\n{prose}\n\n{_COLUMNS}\n")
        for setting in section.settings.values():
            kinds = [str(one.tag) for one in structs[section.name] if one.tag_field == setting.name]
            parts.append(_row(setting, fields.get(setting.name), kinds))
    return "".join(parts)


def read_example(lines: Sequence[str]) -> dict[str, Section]:
    """Return the sections of the example file, in its order; of several tables of a kind, all settings."""
    sections: dict[str, Section] = {}
    prose: list[str] = []
    section = Section("")
    last: Setting | Section = section
    for line in lines:
        if found := _SECTION.match(line):
            section = sections.setdefault(found[1], Section(found[1]))
            section.words += [*prose, *([found[2]] if found[2] else [])]
            prose, last = [], section
        elif setting := _read_setting(line):
            last = section.settings.setdefault(setting.name, setting)
        elif (found := _CONTINUED.match(line)) and isinstance(last, Setting):
            last.words.append(found[1])
        else:
            prose = [*prose, line[2:]] if line.startswith("# ") else []
    return sections


def _read_setting(line: str) -> Setting | None:
    found = _SETTING.match(line)
    if not found:
        return None
    # The comment begins at the first "#" before which all is TOML.
    cuts = [cut.start() for cut in re.finditer("#", found[2])] + [len(found[2])]
    for cut in cuts:
        value = found[2][:cut].strip()
        try:
            tomllib.loads(f"value = {value}")
        except tomllib.TOMLDecodeError:
            continue
        words = found[2][cut + 1 :].strip()
        return Setting(found[1], value, is_shown=not line.startswith("#"), words=[words] if words else [])
    return None


def _structs(kind: shapes.Type) -> Iterator[shapes.StructType]:
    match kind:
        case shapes.StructType():
            yield kind
        case shapes.DictType(value_type=value):
            yield from _structs(value)
        case shapes.UnionType(types=types):
            for one in types:
                yield from _structs(one)


def _about(structs: Sequence[shapes.StructType]) -> tuple[str, str]:
    """Return a section's title and what it is, from the docstring of its shape: "`[name]`: what it is.".

    That of a table of several kinds is "`[name]` with `kind = …`: what it is."; they share a title.
    """
    title, _, words = (structs[0].cls.__doc__ or "").partition(": ")
    return title.partition(" with ")[0], _sentence(words)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _row(setting: Setting, field: shapes.Field | None, kinds: Sequence[str]) -> str:
    """Return a setting's row; `kinds` are the values of one that tells which kind a table is of."""
    default = "" if kinds else f"`{setting.value}`"
    values = ", ".join(f'`"{kind}"`' for kind in sorted(kinds))
    if field is not None:
        default = "" if field.required else _toml(field)
        values = values_of(field.type)
    cells = [f"`{setting.name}`", _cell(default) or "none: a must", _cell(values), _escaped(setting.words)]
    return f"| {' | '.join(cells)} |\n"


def _toml(field: shapes.Field) -> str:
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    value = msgspec.to_builtins(value)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, list | tuple):
        return "`[" + ", ".join(_toml_of(one) for one in value) + "]`"
    return f"`{value}`"


def _toml_of(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def values_of(kind: shapes.Type) -> str:  # noqa: C901  # one row a kind of value
    """Return in words what a setting may be."""
    match kind:
        case shapes.BoolType():
            return "`true`, `false`"
        case shapes.IntType():
            return f"whole number{_bounds(kind)}"
        case shapes.FloatType():
            return f"number{_bounds(kind)}"
        case shapes.StrType():
            return "text"
        case shapes.EnumType(cls=cls):
            return _listed([one.value for one in cls])
        case shapes.LiteralType(values=values):
            return _listed(values)
        case shapes.VarTupleType(item_type=item):
            return f"list of {_plural(values_of(item))}"
        case shapes.DictType():
            return "table"
        case shapes.StructType(fields=fields):
            return "{" + ", ".join(f"{one.name}{'' if one.required else '?'}" for one in fields) + "}"
        case shapes.UnionType(types=types):
            return ", or ".join(values_of(one) for one in types)
        case _:
            raise NotImplementedError(str(kind))


def _plural(words: str) -> str:
    if words.startswith("{"):
        return words
    return words.replace("number", "numbers", 1) if "number" in words else f"{words}s"


def _listed(values: Sequence[object]) -> str:
    return ", ".join(f'`"{value}"`' for value in values)


def _bounds(kind: shapes.IntType | shapes.FloatType) -> str:
    low = f"{kind.ge:g}" if kind.ge is not None else f"above {kind.gt:g}" if kind.gt is not None else ""
    high = f"{kind.le:.0f}" if kind.le is not None else ""
    return f", {low} to {high}" if low and high else ""


def _escaped(lines: Sequence[str]) -> str:
    """Join comment lines, so that Markdown shows them as they stand."""
    text = " ".join(line.strip() for line in lines)
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        _cell(piece) if piece.startswith("`") else re.sub(r"([<>*|\\\[\]])", r"\\\1", piece)
        for piece in pieces
    )


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def command_line_page() -> str:
    """Return the page of all commands."""
    parts = [
        NOTE.format(source="voicegate/cli"),
        _COMMANDS,
        f"{EPILOG}\n",
    ]
    context = click.Context(command_line, info_name="voicegate")
    parts.extend(_command(command_line, context, 2))
    return "".join(parts)


def _command(command: click.Command, context: click.Context, depth: int) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"\n{'#' * depth} {context.command_path}\n\n```\n{context.command_path} {usage}\n```\n"
    if command.help:
        text = "\n".join(_escaped([line]) for line in command.help.replace("\b", "").splitlines())
        yield f"\n{text.strip()}\n"
    options = [_option(one, context) for one in command.get_params(context) if isinstance(one, click.Option)]
    shown = [option for option in options if option and not option.startswith("| `--help`")]
    if shown:
        yield "\n| option | |\n|---|---|\n" + "".join(shown)
    depth = 2 if context.parent is None else 3
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        inner = command.get_command(context, name)  # type: ignore[attr-defined]
        if inner is not None and not inner.hidden:
            yield from _command(
                inner, click.Context(inner, info_name=name, parent=context), depth + (depth < 3)
            )


def _option(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    if record is None:
        return ""
    names, words = record
    # A default that is asked of the machine would differ between machines.
    words = re.sub(r"\s*\[default: /[^\]]*\]", "", words)
    return f"| `{_cell(names)}` | {_escaped([words])} |\n"


def providers_page() -> str:
    """Return the page of identity providers, one by one."""
    parts = [
        NOTE.format(source="config/providers"),
        _PROVIDERS,
    ]
    for file in sorted((ROOT / "config/providers").glob("*.toml"), key=lambda file: file.stem):
        lines = file.read_text("utf-8").splitlines()
        begin = next(number for number, line in enumerate(lines) if line.startswith("["))
        words = [line[2:] for line in lines[:begin]]
        name, words[0] = _named(words[0])
        parts.append(f"\n## {name}\n\n{_prose(words)}\n\n```toml\n" + "\n".join(lines[begin:]) + "\n```\n")
    return "".join(parts)


def _named(line: str) -> tuple[str, str]:
    """Split "Name: what to do" or "Name with a plug-in"."""
    found = re.match(r"([^:]+?)(?:: | (?=with ))(.*)", line)
    if found is None:
        raise ValueError(f"names no provider: {line}")
    return found[1], _sentence(found[2])


def _prose(lines: Sequence[str]) -> str:
    """Render comment lines: paragraphs, and what is indented as code."""
    return "\n\n".join(
        f"```\n{textwrap.dedent(block)}\n```"
        if block.startswith("  ")
        else re.sub(r"([<>*])", r"\\\1", block)
        for block in "\n".join(lines).split("\n\n")
    )


def write() -> None:
    """Write every page that is not as it should be, and say which."""
    for file, text in pages().items():
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")
            print(file.relative_to(ROOT))  # noqa: T201


if __name__ == "__main__":
    write()
