"""A handler bears its operation, from which the server's routes and the OpenAPI document are made."""

from aiohttp import web

from voicegate.adapters.http.operations import Operation, Route, Success, routes_of

FIRST = Operation(
    method="GET", path="/b", name="b", text="B.", success=Success(200, None, "Fine."), refusals=()
)
SECOND = Operation(
    method="GET", path="/a", name="a", text="A.", success=Success(200, None, "Fine."), refusals=()
)


class Handlers:
    @FIRST
    async def show_b(self, _request: web.Request) -> web.Response:
        return web.Response(text="b")

    async def helper(self) -> None:
        """No operation."""

    @SECOND
    async def show_a(self, _request: web.Request) -> web.Response:
        return web.Response(text="a")


def test_routes_are_the_decorated_methods_of_an_object_in_their_order() -> None:
    handlers = Handlers()
    assert routes_of(handlers) == [Route(FIRST, handlers.show_b), Route(SECOND, handlers.show_a)]
