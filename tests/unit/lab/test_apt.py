"""What is read from the host's apt: its own archive, who signs it, how far a download is."""

import pytest

from voicegate.lab.apt import (
    Archive,
    choose_targets,
    find_trust,
    host_acquire_settings,
    parse_targets,
    report_download,
)

URI = "http://mirror.example/debian/"
TARGETS = f"""\
http://third.example/apt/|nodistro|main|/etc/apt/sources.list.d/third.sources:1
{URI}|trixie|main|/etc/apt/sources.list.d/own.sources:1
{URI}|trixie|contrib|/etc/apt/sources.list.d/own.sources:1
{URI}|trixie-updates|main|/etc/apt/sources.list.d/own.sources:1
http://mirror.example/debian-security/|trixie-security|main|/etc/apt/sources.list.d/own.sources:2
a line of another kind
"""
DEB822 = f"""\
Types: deb
URIs: {URI.rstrip("/")}
Suites: trixie
Signed-By: /usr/share/keyrings/own.gpg

Types: deb
URIs: http://mirror.example/debian-security
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----
"""


def test_the_distributions_own_suite_is_chosen_with_all_its_components() -> None:
    chosen = choose_targets(parse_targets(TARGETS), "trixie")
    assert [(target.suite, target.component) for target in chosen] == [
        ("trixie", "main"),
        ("trixie", "contrib"),
    ]
    assert str(chosen[0].entry) == "/etc/apt/sources.list.d/own.sources"


def test_a_suite_may_be_named_by_its_standing() -> None:
    described = TARGETS.replace("trixie|", "stable|")
    assert choose_targets(parse_targets(described), "trixie")[0].suite == "stable"


def test_third_parties_are_never_chosen() -> None:
    assert choose_targets(parse_targets(TARGETS.splitlines()[0]), "trixie") == []


def test_a_keyring_is_found_in_a_modern_sources_file() -> None:
    assert find_trust(DEB822, URI) == "Signed-By: /usr/share/keyrings/own.gpg\n"


def test_a_key_written_into_the_sources_is_taken_over_whole() -> None:
    trust = find_trust(DEB822, "http://mirror.example/debian-security/")
    assert trust.startswith("Signed-By:\n -----BEGIN")
    assert trust.endswith("-----END PGP PUBLIC KEY BLOCK-----\n")


@pytest.mark.parametrize(
    ("line", "trust"),
    [
        (f"deb [signed-by=/k.gpg] {URI} trixie main", "Signed-By: /k.gpg\n"),
        (f"deb [arch=amd64 signed-by=/a.gpg,/b.gpg] {URI} trixie main", "Signed-By: /a.gpg /b.gpg\n"),
        (f"deb [trusted=yes] {URI.rstrip('/')} trixie main", "Trusted: yes\n"),
        (f"deb {URI} trixie main", ""),
    ],
)
def test_a_keyring_is_found_in_a_classic_sources_file(line: str, trust: str) -> None:
    assert find_trust(f"# comment\n{line}\n", URI) == trust


def test_another_suite_is_read_from_the_same_archive_with_the_same_trust() -> None:
    archive = Archive(URI, "trixie", ("main", "contrib"), "Signed-By: /k.gpg\n")
    assert archive.as_sources("forky") == (
        f"Types: deb\nURIs: {URI}\nSuites: forky\nComponents: main contrib\nSigned-By: /k.gpg\n"
    )


def test_proxies_are_taken_over_and_hooks_are_not() -> None:
    dumped = (
        'APT::Update::Post-Invoke:: "rm -rf /";\nAcquire "";\nAcquire::http::Proxy "http://proxy.example/";\n'
        'Acquire::IndexTargets::deb::X::MetaKey "x";\n'
    )
    assert host_acquire_settings(dumped) == 'Acquire::http::Proxy "http://proxy.example/";\n'


def test_progress_is_read_from_apts_status() -> None:
    told: list[float] = []
    for line in ("dlstatus:3:42.5:Retrieving file 3 of 9", "pmstatus:x:10:Unpacking", "noise"):
        report_download(line, lambda _text, done: told.append(done))
    assert told == [pytest.approx(0.425)]
