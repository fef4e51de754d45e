"""Times as people write them on the command line: local time, to the day or the second."""

from datetime import datetime
from typing import Any

import rich_click as click


class Moment(click.DateTime):
    """A time in the machine's own time zone."""

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time with its zone."""
        moment = super().convert(value, param, ctx)
        try:
            return moment.astimezone()
        except (OverflowError, ValueError):
            # Near the years 1 and 9999 a moment has no form in another zone.
            self.fail("it is too far from today", param, ctx)
