"""What a door offers, as data: the server's routes and the OpenAPI document are both made from it.

A handler bears its operation: `@Operation(method="GET", path="/v1/calls", ...)` stands above the method, and
`routes_of` finds both.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from aiohttp import web
from msgspec import Struct

from voicegate.adapters.http.problems import Kind
from voicegate.domain.client import Scope

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
F = TypeVar("F", bound=Callable[..., Awaitable[web.StreamResponse]])

_ATTRIBUTE: Final = "operation"


@dataclass(frozen=True, slots=True)
class Success:
    """The answer when all goes well."""

    status: int
    """HTTP status."""
    body: type[Struct] | None
    """What it holds; None: JSON of no fixed shape."""
    text: str
    """What it says, for people."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers it may carry, with what they hold."""
    is_list: bool = False
    """Is it a list of such bodies?"""
    events: tuple[type[Struct], ...] = ()
    """The data of its events, where it is a stream of them."""

    @property
    def media_type(self) -> str:
        """What its `Content-Type` is."""
        return "text/event-stream" if self.events else "application/json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked; a decorator of the method that does it."""

    method: str
    """HTTP method."""
    path: str
    """Path with `{…}` for its parameters."""
    name: str
    """Its `operationId`."""
    text: str
    """What it does, for people."""
    success: Success
    """What it answers when all goes well."""
    refusals: tuple[Kind, ...]
    """Problems it can answer besides those of every operation."""
    scope: Scope | None = None
    """What the client must be allowed; None: nothing."""
    other_scope: Scope | None = None
    """Another one that will do."""
    is_open: bool = False
    """May anybody ask, without a key?"""
    body: type[Struct] | None = None
    """The request's body."""
    is_body_required: bool = True
    """Must there be one?"""
    body_types: tuple[str, ...] = ("application/json",)
    """What its `Content-Type` may be."""
    body_schema: Mapping[str, object] | None = None
    """What it holds, as JSON schema, where no type of ours says it."""
    is_refused_in_text: bool = False
    """Are refusals a sentence in plain text?"""
    query: type[Struct] | None = None
    """The request's query parameters."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Request headers it honours, with what they hold."""

    def __call__(self, handler: F) -> F:
        """Let a handler bear this operation."""
        vars(handler)[_ATTRIBUTE] = self
        return handler


@dataclass(frozen=True, slots=True)
class Route:
    """An operation, and who does it."""

    operation: Operation
    """What can be asked."""
    handler: Handler
    """Does it."""


def routes_of(door: object) -> Sequence[Route]:
    """Return the operations that an object's methods bear, in their order in its class."""
    return [
        Route(getattr(method, _ATTRIBUTE), getattr(door, name))
        for name, method in vars(type(door)).items()
        if hasattr(method, _ATTRIBUTE)
    ]
