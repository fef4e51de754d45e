"""The daemon's parts, put together; who does that is the package itself."""

from collections.abc import Callable
from dataclasses import dataclass

from voicegate.application.attempts import Attempts
from voicegate.application.clients import Clients
from voicegate.application.delivery import Delivery, World
from voicegate.application.enrollment import Enrollment
from voicegate.application.sign_in import SignIn
from voicegate.application.unit_of_work import UnitsOfWork


@dataclass(frozen=True, slots=True)
class App:
    """The daemon's parts, for its doors and its tests."""

    world: World
    """Everything that calls are made with."""
    sign_in: SignIn
    """The use cases around a challenge."""
    attempts: Attempts
    """The questions about services' calls."""
    enrollment: Enrollment
    """The use cases around a factor."""
    clients: Clients
    """The use cases around clients and their keys."""
    units: UnitsOfWork
    """What was asked."""
    delivery: Delivery
    """The calls in progress."""
    store_delay: Callable[[int], float]
    """For how long the store's oldest write has been waiting, in seconds."""
