"""What `docker/` holds fits the rest of the checkout; no image is built here."""

import re
from pathlib import Path

import pytest
import yaml

from tests.pages import ROOT
from voicegate.config import load
from voicegate.config.shapes import Settings

DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))


def read(name: str) -> str:
    return (DOCKER / name).read_text("utf-8")


def modules(file: Path) -> set[str]:
    return set(re.findall(r"^load = (\w+)$", file.read_text("utf-8"), flags=re.MULTILINE))


def test_asterisk_loads_only_modules_that_our_tests_load() -> None:
    loaded = modules(DOCKER / "asterisk/modules.conf")
    assert {"res_agi", "chan_pjsip", "app_playback", "app_senddtmf", "func_dialplan"} <= loaded
    assert loaded < modules(ROOT / "voicegate/lab/common/modules.conf")
    assert "autoload = no" in read("asterisk/modules.conf")


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_a_build_is_sent_what_it_copies(file: Path) -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", file.read_text("utf-8"), flags=re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    assert names
    for name in names:
        assert (ROOT / name).exists(), name
        assert name.partition("/")[0] in sent, name


def test_images_agree_on_the_numbers_of_users_and_groups() -> None:
    controller, asterisk = read("controller.Dockerfile"), read("asterisk.Dockerfile")
    for image in (controller, asterisk):
        assert "groupadd --gid 2001 voicegate-audio" in image
        assert not re.search(r"^USER \d+:", image, flags=re.MULTILINE)  # it would lose its other groups
    assert controller.count("USER 2000\n") == 2
    assert "USER 2003\n" in asterisk
    assert "chown 2000 ami-secret" in read("secrets.sh")
    assert "chown 2003 manager-secret.conf" in read("secrets.sh")


def test_the_manager_account_loses_its_example_secret() -> None:
    example = (ROOT / "dialplan/asterisk/manager.conf").read_text("utf-8")
    assert len(re.findall(r"^secret = ", example, flags=re.MULTILINE)) == 1
    assert "'/^secret = /c #include" in read("asterisk.Dockerfile")


@pytest.mark.parametrize("stack", ["trial", "production"])
def test_a_stack_has_settings_that_load(stack: str) -> None:
    settings: Settings = load(DOCKER / stack / "voicegate.toml")
    endpoint = settings.trunks["carrier"].endpoint
    assert re.search(rf"^\[{endpoint}\]$", read(f"{stack}/pjsip.conf"), flags=re.MULTILINE)
    assert settings.pbx["main"].kind == "asterisk"


@pytest.mark.parametrize("stack", ["trial", "production"])
def test_what_goes_on_running_has_few_rights_and_comes_again(stack: str) -> None:
    services = yaml.safe_load(read(f"{stack}.yaml"))["services"]
    assert {"trial": 4, "production": 7}[stack] == sum(map(goes_on, services.values()))
    for name, service in services.items():
        if goes_on(service):
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
            assert service["restart"] == "unless-stopped", name
            assert "user" not in service, name  # the image's own, which is not root
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert not source.startswith(".") or (DOCKER / source).exists(), volume


def goes_on(service: dict[str, object]) -> bool:
    """Is it no service that makes something once?"""
    return "restart" in service


def test_both_controllers_of_production_share_database_keys_and_nothing_else() -> None:
    services = yaml.safe_load(read("production.yaml"))["services"]
    first, second = ({*services[name]["volumes"]} for name in ("voicegate1", "voicegate2"))
    shared = {volume.partition(":")[0] for volume in first & second}
    assert shared == {"./production/voicegate.toml", "secrets", "keys", "database"}
    assert services["database"]["network_mode"] == "none"


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_an_image_runs_as_a_numbered_user_and_tells_its_health(file: Path) -> None:
    text = file.read_text("utf-8")
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER 200\d$", last, flags=re.MULTILINE)
    assert "\nHEALTHCHECK --interval=" in last
    assert re.search(r"^ENTRYPOINT \[", last, flags=re.MULTILINE)  # a shell would keep the signals


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_an_image_bears_no_secret_and_no_package_lists(file: Path) -> None:
    text = file.read_text("utf-8")
    assert not re.search(
        r"^(ENV|ARG) .*(SECRET|PASSWORD|TOKEN|_KEY)", text, flags=re.MULTILINE | re.IGNORECASE
    )
    assert not re.search(r"^ADD ", text, flags=re.MULTILINE)
    steps = text.replace("\\\n", " ").splitlines()
    for step in steps:
        if "apt-get install" in step:
            assert "--no-install-recommends" in step
            assert "rm -rf /var/lib/apt/lists/*" in step


def test_the_controller_is_flat_so_that_what_its_base_need_not_have_is_gone() -> None:
    last = read("controller.Dockerfile").partition("\nFROM scratch AS controller\n")[2]
    assert last.startswith("COPY --from=trimmed / /\nENV PATH=/opt/voicegate/bin:/usr/local/sbin:")


def test_no_stack_passes_a_secret_in_its_environment() -> None:
    for stack in ("trial", "production"):
        services = yaml.safe_load(read(f"{stack}.yaml"))["services"]
        assert not [
            name for name, service in services.items() if {"environment", "env_file"} & service.keys()
        ]


def test_a_build_is_sent_nothing_unless_it_is_named() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    assert "**/__pycache__" in lines
    assert not {"!.git", "!.venv", "!tests"} & {*lines}


def test_what_production_runs_has_bounds() -> None:
    services = yaml.safe_load(read("production.yaml"))["services"]
    for name, service in services.items():
        if goes_on(service):
            assert service["pids_limit"], name
            if not name.startswith("net"):
                assert service["mem_limit"] == service["memswap_limit"], name
    most = load(DOCKER / "production/voicegate.toml").http.max_connections
    for name in ("voicegate1", "voicegate2"):
        assert services[name]["ulimits"]["nofile"]["hard"] >= 4 * most, name


@pytest.mark.parametrize("stack", ["trial", "production"])
def test_no_upgrade_takes_the_network_away_from_who_shares_it(stack: str) -> None:
    services = yaml.safe_load(read(f"{stack}.yaml"))["services"]
    holders = {
        name.removeprefix("service:") for name in (s.get("network_mode", "") for s in services.values())
    }
    holders &= services.keys()
    assert holders
    assert {services[name]["image"] for name in holders} == {"voicegate-net"}
    first = read("controller.Dockerfile").partition("\nFROM ")[2]
    assert first.startswith("${DEBIAN} AS net\n")
    assert "COPY" not in first.partition("\nFROM ")[0]
