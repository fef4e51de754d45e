"""The page with a telephone in a lab: an API key for it, and the address that opens it.

The page is the daemon's own, `[testing]` in its settings; the PBX's account is in `rendering`.
"""

from typing import Final

from voicegate.client import ApiError, Client
from voicegate.lab.settings import LOOPBACK, LabSettings

_CLIENT: Final = "browser"
_SCOPES: Final = ("verifications", "factors")


def page_url(settings: LabSettings) -> str:
    """Return the address that opens the page, with the key in it; the lab's daemon must run. Blocks.

    Raises:
        ApiError: no key could be made.
        Unreachable: the daemon does not answer.
    """
    return f"http://{LOOPBACK}:{settings.ports.http}/lab#key={_keep_key(settings)}"


def _keep_key(settings: LabSettings) -> str:
    file = settings.telephone_key_file
    if not file.exists():
        with Client(socket=settings.socket) as client:
            key = _new_key(client)
        file.touch(mode=0o600)
        file.write_text(key, "ascii")
    return file.read_text("ascii")


def _new_key(client: Client) -> str:
    try:
        return client.add_client(_CLIENT, _SCOPES).key
    except ApiError:
        # It is there, and its key is lost.
        return client.rotate_key(_CLIENT).key
