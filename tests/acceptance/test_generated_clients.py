"""The OpenAPI documents in the hands of those who generate clients: linters, and two clients, live."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.acceptance.environments import GENERATED, NodeTools, node_tools, python_with
from tests.acceptance.test_daemon import TEST_NUMBER, daemon, settings
from tests.acceptance.test_factors import CODE
from tests.pages import ROOT, blocks
from voicegate.lab.deadlines import at_most

__all__ = ["settings"]

# Node and the generators are fetched the first time.
pytestmark = pytest.mark.timeout(600)

PAGE: Final = ROOT / "docs/backends/native.md"
DOCUMENTS: Final = {
    "native": "/openapi.json",
    "okta": "/openapi/okta.json",
    "okta-hook": "/openapi/okta-hook.json",
    "providers": "/openapi/providers.json",
    "twilio": "/openapi/twilio.json",
}
DOORS: Final = """
[test_numbers]
enabled = true
pace = 0.02
[twilio.bank]
sid = "VA00000000000000000000000000000001"
[providers.kratos]
number = "recipient"
code = ["template_data.login_code", "template_data.verification_code"]
only_when = { template_type = ["login_code_valid"] }
[providers.authentik]
number = "To"
code = "Body"
errors = "text"
"""


@pytest.fixture(scope="module")
def tools() -> NodeTools:
    return node_tools()


@pytest.fixture
async def folder(settings: Path) -> AsyncIterator[Path]:
    """The documents of a running daemon, beside its socket."""
    settings.write_text(settings.read_text() + DOORS)
    async with daemon(settings):
        transport = httpx.AsyncHTTPTransport(uds=str(settings.parent / "voicegate.sock"))
        async with httpx.AsyncClient(transport=transport, base_url="http://voicegate") as asked:
            for name, path in DOCUMENTS.items():
                (settings.parent / f"{name}.json").write_bytes((await asked.get(path)).content)
        yield settings.parent


async def run(command: list[str], folder: Path, told: str = "") -> str:
    """What a program prints that ends well."""

    def wait() -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"NO_COLOR": "1", "REDOCLY_TELEMETRY": "off"}
        return subprocess.run(
            command,
            check=False,
            cwd=folder,
            input=told,
            capture_output=True,
            text=True,
            env=environment,
            timeout=at_most(240),
        )

    done = await asyncio.to_thread(wait)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_redocly_finds_no_error(folder: Path, tools: NodeTools) -> None:
    files = [f"{name}.json" for name in DOCUMENTS]
    await run(tools.command("@redocly/cli", "bin/cli.js", "lint", *files), folder)


async def test_spectral_finds_no_error(folder: Path, tools: NodeTools) -> None:
    files = [f"{name}.json" for name in DOCUMENTS]
    ruleset = ["--ruleset", str(GENERATED / "spectral.yaml")]
    command = tools.command("@stoplight/spectral-cli", "dist/index.js", "lint", *ruleset, *files)
    assert "0 errors" in await run(command, folder)


async def test_the_pages_node_example_is_typed_and_signs_in(folder: Path, tools: NodeTools) -> None:
    (folder / "node_modules").symlink_to(tools.modules)
    for name in DOCUMENTS:
        file = "voicegate.d.ts" if name == "native" else f"{name}.d.ts"
        await run(tools.command("openapi-typescript", "bin/cli.js", f"{name}.json", "-o", file), folder)
    (example,) = blocks(PAGE, "ts")
    example = example.replace("/run/voicegate/voicegate.sock", str(folder / "voicegate.sock"))
    (folder / "sign-in.mts").write_text(example.replace("+12025550143", TEST_NUMBER))
    options = (
        "--noEmit --strict --module nodenext --target es2024 --lib es2024,dom --types node --skipLibCheck"
    )
    files = ["sign-in.mts", *(f"{name}.d.ts" for name in DOCUMENTS if name != "native")]
    command = tools.command("typescript", "bin/tsc", *options.split(), "--allowImportingTsExtensions", *files)
    await run(command, folder)
    told = await run([str(tools.node), "sign-in.mts"], folder, f"{CODE}\n")
    *_, last = told.split()
    assert last == "verified"


async def test_a_generated_python_client_signs_in(folder: Path) -> None:
    python = python_with("openapi-python-client", GENERATED / "requirements-python.txt")
    for name in DOCUMENTS:
        generate = [str(python), "-m", "openapi_python_client", "generate", "--path", f"{name}.json"]
        output = [
            "--output-path",
            name.replace("-", "_"),
            "--meta",
            "none",
            "--config",
            str(folder / "config.yaml"),
        ]
        (folder / "config.yaml").write_text("post_hooks: []\n")
        told = await run([*generate, *output], folder)
        assert "Warning" not in told, told
    command = [str(python), str(GENERATED / "python_client.py"), str(folder / "voicegate.sock")]
    told = await run(["env", f"PYTHONPATH={folder}", *command, TEST_NUMBER, CODE], folder)
    assert told.splitlines() == ["Calls to this country are not allowed.", "delivered", "verified"]
