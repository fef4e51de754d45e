"""The trunks and internal routes in force; a reload of the settings puts others in their place."""

from collections.abc import Sequence

from voicegate.domain.routing import Routes, Trunk


class CurrentRoutes:
    """The routes that calls are chosen by from now on. A call that has begun keeps its own."""

    def __init__(self, routes: Routes) -> None:
        self.now = routes
        """The routes in force."""

    @property
    def trunks(self) -> Sequence[Trunk]:
        """The trunks, in the order they are tried."""
        return self.now.trunks
