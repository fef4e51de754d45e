"""A private apt: fetches Debian packages and all that they need into a folder, without root.

Mirror, keyring and proxy are the host's own, as its apt reports them; only the suite may be another. Nothing
on the host is changed: state, lists and cache are in the caller's folders. What is done with the packages is
in `packages`. Sources: apt.conf(5), sources.list(5), apt-get(8) of apt 2.6.
"""

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voicegate.lab.errors import PackageError

Progress = Callable[[str, float], None]
"""Called with what is being done, and how much of it is done, from 0 to 1."""

_COLUMNS = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SOURCESENTRY)"
_PLAIN_SUITE = re.compile(r"[a-z]+")
_GENERIC_SUITES = ("oldoldstable", "oldstable", "stable", "testing", "unstable")


@dataclass(frozen=True, slots=True)
class Target:
    """One index of packages that the host's apt knows."""

    uri: str
    """The archive."""
    suite: str
    """Its suite, as the host's sources name it."""
    component: str
    """main, universe and so on."""
    entry: Path
    """The file of the sources that names it."""


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive of the host's own distribution."""

    uri: str
    """Where it is."""
    suite: str
    """The host's suite."""
    components: tuple[str, ...]
    """The components that the host uses."""
    trust: str
    """Lines of a deb822 entry that say which keys sign it; may be empty: apt's own keys."""

    def as_sources(self, suite: str) -> str:
        """Return the deb822 entry of `suite` in this archive."""
        words = f"Types: deb\nURIs: {self.uri}\nSuites: {suite}\nComponents: {' '.join(self.components)}\n"
        return words + self.trust


@dataclass(frozen=True, slots=True)
class PrivateApt:
    """An apt with folders of its own, which reads one suite of one archive."""

    folder: Path
    """Holds its state, lists and cache."""
    archive: Archive
    """Where packages come from."""
    suite: str
    """Which suite of it."""

    def update(self) -> None:
        """Fetch the suite's lists; blocks.

        Raises:
            PackageError: the archive cannot be reached, or has no such suite.
        """
        for name in ("lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        (self.folder / "own.sources").write_text(self.archive.as_sources(self.suite))
        (self.folder / "apt.conf").write_text(self._configuration())
        self._run(["apt-get", "-qq", "-o", "APT::Update::Error-Mode=any", "update"])

    def version(self, package: str) -> str | None:
        """Return the newest version of `package` in the suite; None when it has none."""
        shown = self._run(["apt-cache", "--quiet", "policy", package])
        found = re.search(r"^\s+Candidate: (\S+)$", shown, re.MULTILINE)
        return found[1] if found and found[1] != "(none)" else None

    def download(self, packages: Sequence[str], progress: Progress) -> list[Path]:
        """Fetch `packages` and all they depend on; return the package files. Blocks.

        Raises:
            PackageError: a package is unknown or cannot be fetched.
        """
        command = [
            "apt-get",
            "-qq",
            "-o",
            "APT::Status-Fd=1",
            "--yes",
            "--download-only",
            "install",
            *packages,
        ]
        with subprocess.Popen(
            command, env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            for line in process.stdout or ():
                report_download(line, progress)
            complaint = process.stderr.read() if process.stderr else ""
        if process.returncode:
            raise PackageError(
                f"apt could not fetch {', '.join(packages)} from {self.suite}: {complaint.strip()}"
            )
        return sorted((self.folder / "cache/archives").glob("*.deb"))

    def _configuration(self) -> str:
        own = {
            "Dir::State": self.folder,
            "Dir::State::Lists": self.folder / "lists",
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": self.folder,
            # The host's hooks and pins are for the host's packages.
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": "/nonexistent",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/nonexistent",
            "APT::Architectures": _run(["dpkg", "--print-architecture"]).strip(),
            "APT::Install-Recommends": "false",
            "APT::Get::List-Cleanup": "false",
            # Its helper user could not write into an ordinary user's folders.
            "APT::Sandbox::User": "",
            "Acquire::Check-Valid-Until": "false",
            "Acquire::Languages": "none",
        }
        return host_acquire_settings(_run(["apt-config", "dump"])) + "".join(
            f'{key} "{value}";\n' for key, value in own.items()
        )

    def _environment(self) -> dict[str, str]:
        return {**_environment(), "APT_CONFIG": str(self.folder / "apt.conf")}

    def _run(self, command: Sequence[str]) -> str:
        return _run(command, self._environment())


def find_archive() -> Archive:
    """Return the archive that the host's distribution comes from, as its apt is configured.

    Raises:
        PackageError: there is no apt here, or it knows no archive of the distribution.
    """
    described = _run(["apt-get", "indextargets", "--format", _COLUMNS, "Created-By: Packages"])
    own = choose_targets(parse_targets(described), release_facts().get("VERSION_CODENAME", ""))
    if not own:
        raise PackageError("This host's apt names no archive of its distribution.")
    first = own[0]
    components = tuple(dict.fromkeys(target.component for target in own))
    return Archive(first.uri, first.suite, components, find_trust(first.entry.read_text("utf-8"), first.uri))


def release_facts() -> dict[str, str]:
    """Return what os-release(5) says about this host."""
    file = Path("/etc/os-release")
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name: value.strip("\"'") for name, _, value in pairs}


def parse_targets(described: str) -> list[Target]:
    """Return the targets in a table with the columns URI, suite, component and sources entry."""
    rows = (line.split("|") for line in described.splitlines() if line.count("|") == 3)
    return [
        Target(uri, suite, component, Path(entry.rpartition(":")[0])) for uri, suite, component, entry in rows
    ]


def choose_targets(targets: Sequence[Target], codename: str) -> list[Target]:
    """Return the targets of the distribution's own suite: not updates, security or third parties."""
    wanted = (codename, *_GENERIC_SUITES)
    own = [target for target in targets if _PLAIN_SUITE.fullmatch(target.suite) and target.suite in wanted]
    mains = [target for target in own if target.component == "main"]
    if not mains:
        return []
    first = min(mains, key=lambda target: wanted.index(target.suite))
    return [target for target in own if (target.uri, target.suite) == (first.uri, first.suite)]


def find_trust(sources: str, uri: str) -> str:
    """Return the deb822 lines that name the keys of `uri`, from a host's sources in either style."""
    bare = uri.rstrip("/")
    for stanza in re.split(r"\n\s*\n", sources):
        if re.search(rf"^URIs:.*{re.escape(bare)}/?(\s|$)", stanza, re.MULTILINE):
            # An inline key goes on over the indented lines that follow.
            lines = re.findall(r"^(?:Signed-By|Trusted):.*\n?(?:[ \t]+.*\n?)*", stanza, re.MULTILINE)
            return "".join(line if line.endswith("\n") else line + "\n" for line in lines)
    for line in sources.splitlines():
        if re.match(rf"deb\s+\[.*\]\s+{re.escape(bare)}/?\s", line):
            options = re.findall(r"(signed-by|trusted)=(\S+?)(?=[\s\]])", line)
            return "".join(f"{name.title()}: {value.replace(',', ' ')}\n" for name, value in options)
    return ""


def host_acquire_settings(dumped: str) -> str:
    """Return the host's settings for fetching: proxies, retries, checks."""
    lines = dumped.splitlines(keepends=True)
    return "".join(
        line
        for line in lines
        if line.startswith("Acquire::") and "::IndexTargets" not in line and '""' not in line
    )


def report_download(line: str, progress: Progress) -> None:
    """Report progress from one line of apt's status, if the line has it."""
    found = re.match(r"dlstatus:\d+:([0-9.]+):", line)
    if found:
        progress("fetching packages", float(found[1]) / 100)


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command, env=environment or _environment(), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise PackageError(f"{command[0]} is not on this host: packages cannot be fetched.") from error
    if done.returncode:
        raise PackageError(f"{' '.join(command[:2])} failed: {done.stderr.strip()}")
    return done.stdout
