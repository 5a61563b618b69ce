"""What an address is: its parameters, its answers and who gives them, spelled once.

Routing, the reading of parameters, the index and OpenAPI follow from a table of these.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Routed

from m26.status.metrics import Metrics
from m26.status.views import StatusView
from m26.web.desk import Desk
from m26.web.kept import Kept
from m26.web.latest import Latest
from m26.web.media import JSON
from m26.web.parameters import Parameter, Refused, read
from m26.web.problem import refused


@dataclass(frozen=True, slots=True)
class Site:
    """What answers are made of."""

    metrics: Metrics
    snapshot: Callable[[], StatusView]
    ready: Callable[[], list[str]]
    """Reasons why data is not fresh; empty when it is."""
    desk: Desk
    kept: Kept
    latest: Latest
    limiter: CapacityLimiter
    """Of threads that put answers into their form: others wait for none of them."""
    routes: tuple[Route, ...]
    """All of them, for what describes them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a route."""

    site: Site
    request: Request
    values: dict[str, Any]
    """Of its parameters, by name."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """One address."""

    path: str
    about: str
    respond: Callable[[Asked], Awaitable[Response]]
    kind: Any = str
    """Type of its documents."""
    media: tuple[str, ...] = (JSON,)
    """Forms that they come in, the one that is given unasked first."""
    parameters: tuple[Parameter, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    """Of an answer 200, each with what it says."""
    others: dict[int, str] = field(default_factory=dict)
    """Further answers, each with when it is given; those from 400 on are problems."""
    is_open: bool = False
    """Whether it is answered without the token."""

    def mounted(self, site: Site) -> Routed:
        """The same for starlette: a coroutine, which it does not put into a thread."""

        async def handle(request: Request) -> Response:
            try:
                values = read(self.parameters, request.query_params, request.path_params)
            except Refused as error:
                return refused(error.faults)
            return await self.respond(Asked(site, request, values))

        return Routed(self.path, handle)
