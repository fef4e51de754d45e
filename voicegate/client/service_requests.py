"""What can be asked of the daemon about itself."""

from typing import Final

from voicegate.client.models import Reload
from voicegate.client.requests import Request

RELOAD: Final = Request("POST", "/v1/settings/reload", Reload)
"""Ask to read the settings again."""
