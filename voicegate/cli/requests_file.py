"""Reads the requests that `voicegate policy simulate` replays."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from voicegate.cli.exits import Exit, Failure
from voicegate.domain.errors import InvalidExtension, InvalidNumber
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Caller
from voicegate.domain.simulation import Request

_COLUMNS: Final = {"at_s", "client", "number", "subscriber", "end_user_ip"}
# Any moment does: a limit's slots are cut from it alike.
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


def read_requests(file: Path) -> tuple[Sequence[Request], int]:
    """Return the requests of a CSV file in the order of time, and how many of it name no number.

    Raises:
        Failure: a column is missing, or a time is none; names the line.
    """
    lines = ("" if line.startswith("#") else line for line in file.read_text("utf-8").splitlines())
    reader = csv.DictReader(line for line in lines if line)
    if not set(reader.fieldnames or ()) >= _COLUMNS:
        raise Failure(Exit.USAGE, f"{file}: its columns must be {', '.join(sorted(_COLUMNS))}")
    requests, unreadable = [], 0
    for row in reader:
        try:
            at = _START + timedelta(seconds=float(row["at_s"]))
            caller = Caller(row["client"], row["subscriber"] or None, row["end_user_ip"] or None)
            requests.append(Request(at, Destination.parse(row["number"]), caller))
        except (InvalidNumber, InvalidExtension):
            unreadable += 1
        except (TypeError, ValueError) as error:
            raise Failure(Exit.USAGE, f"{file}: row {reader.line_num}: {error}") from error
    return sorted(requests, key=lambda request: request.at), unreadable
