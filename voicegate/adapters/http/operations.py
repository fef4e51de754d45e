"""A door's operations as data; the server's routes and the OpenAPI document are both made from them.

Each handler is decorated with its operation: `@Operation(method="GET", path="/v1/calls", ...)`; `routes_of`
finds both.
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
    """The answer of an operation that succeeds."""

    status: int
    """HTTP status."""
    body: type[Struct] | None
    """The type of its body; None: JSON of no fixed shape."""
    text: str
    """A description for people."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that it may have, each with a description."""
    is_list: bool = False
    """Is it a list of such bodies?"""
    events: tuple[type[Struct], ...] = ()
    """The types of its events' data, if it is an event stream."""

    @property
    def media_type(self) -> str:
        """Its `Content-Type`."""
        return "text/event-stream" if self.events else "application/json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API; a decorator of its handler."""

    method: str
    """HTTP method."""
    path: str
    """Path with `{…}` for its parameters."""
    name: str
    """Its `operationId`."""
    text: str
    """A description for people."""
    success: Success
    """The answer if it succeeds."""
    refusals: tuple[Kind, ...]
    """The problems that it can answer, in addition to those of every operation."""
    scope: Scope | None = None
    """The scope that the client needs; None: no scope."""
    other_scope: Scope | None = None
    """Another scope that is sufficient."""
    is_open: bool = False
    """May it be used without an API key?"""
    body: type[Struct] | None = None
    """The request's body."""
    is_body_required: bool = True
    """Is the body required?"""
    body_types: tuple[str, ...] = ("application/json",)
    """The content types that are accepted."""
    body_schema: Mapping[str, object] | None = None
    """The body's JSON schema, if no type describes it."""
    is_refused_in_text: bool = False
    """Are refusals a sentence in plain text?"""
    query: type[Struct] | None = None
    """The request's query parameters."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Request headers that it reads, each with a description."""

    def __call__(self, handler: F) -> F:
        """Attach this operation to a handler."""
        vars(handler)[_ATTRIBUTE] = self
        return handler


@dataclass(frozen=True, slots=True)
class Route:
    """An operation and its handler."""

    operation: Operation
    """The operation."""
    handler: Handler
    """Does it."""


def routes_of(door: object) -> Sequence[Route]:
    """Return the operations of an object's methods, in their order in the class."""
    return [
        Route(getattr(method, _ATTRIBUTE), getattr(door, name))
        for name, method in vars(type(door)).items()
        if hasattr(method, _ATTRIBUTE)
    ]
