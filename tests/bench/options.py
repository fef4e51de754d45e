"""What a run may be told; each part has its own values for what is not."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured; None: as much as the part wants for a whole run."""

    calls: int | None = None
    """In a round, or in all."""
    rate: float | None = None
    """Calls, or requests, that are begun in a second."""
    rounds: int | None = None
    seconds: float | None = None
    """How long a load lasts."""
    up: int | None = None
    """Calls up at once."""
    stored: int | None = None
    """Calls in the database, at most."""

    def chosen_calls(self, usual: int) -> int:
        """Return how many calls are asked for."""
        return usual if self.calls is None else self.calls

    def chosen_rate(self, usual: float) -> float:
        """Return how many are begun in a second."""
        return usual if self.rate is None else self.rate

    def chosen_rounds(self, usual: int) -> int:
        """Return how many rounds there are."""
        return usual if self.rounds is None else self.rounds

    def chosen_seconds(self, usual: float) -> float:
        """Return how long a load lasts."""
        return usual if self.seconds is None else self.seconds

    def chosen_up(self, usual: int) -> int:
        """Return how many calls are up at once."""
        return usual if self.up is None else self.up

    def chosen_stored(self, usual: int) -> int:
        """Return how many calls are in the database at most."""
        return usual if self.stored is None else self.stored
