"""The front and the name proxy: who is asked for a request. Moving the front is one assignment."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from lockstep.core.names import InstanceId
from lockstep.runner.desired import FrontFile
from lockstep.runner.relay import problem, relay

Ports = Callable[[str], int | None]
"""The port of a running instance by its id; None if it does not run."""

_SERVICE_PORT = 80


@dataclass(eq=False)
class Route:
    """One root in force, from one move to the next.

    Args:
        file: What it serves.
        since: UTC of the move.
        in_flight: Requests that entered by this route and have not been answered to the end.
        left_ns: Monotonic time of the next move; 0 while it is in force.
        last_answer_began_ns: Monotonic time at which its last answer's headers were sent.
    """

    file: FrontFile
    since: str
    in_flight: int = 0
    left_ns: int = 0
    last_answer_began_ns: int = 0

    def began(self, moment: int) -> None:
        """Notes that an answer's headers have been sent."""
        self.last_answer_began_ns = moment


@dataclass
class Traffic:
    """Where requests go and which are on their way.

    Args:
        ports: Looks up an instance's port.
        client: Sends requests on.
        route: The root in force; None before the first.
        left: Former routes with requests still in flight, oldest first.
        inner: Requests in flight between instances, by callee.
    """

    ports: Ports
    client: aiohttp.ClientSession
    route: Route | None = None
    left: list[Route] = field(default_factory=list)
    inner: Counter[str] = field(default_factory=Counter)

    def move(self, file: FrontFile, utc: str) -> int:
        """Makes a root the one in force and returns the monotonic time; running requests stay where they are."""
        former = self.route
        self.route = Route(file, utc)
        moment = time.monotonic_ns()
        if former:
            former.left_ns = moment
            self.left.append(former)
        return moment

    @property
    def busy(self) -> frozenset[InstanceId]:
        """Every instance that a request may still reach: served now, by a former route in use, or being called."""
        routes = [route for route in self.left if route.in_flight] + ([self.route] if self.route else [])
        served = {name for route in routes for name in route.file.serves}
        return frozenset(served | {InstanceId(name) for name, count in self.inner.items() if count})


async def answer_outside(traffic: Traffic, request: web.BaseRequest) -> web.StreamResponse:
    """The answer of the root that is in force when the request enters, whatever happens to the front meanwhile."""
    route = traffic.route
    if route is None:
        return problem(
            503,
            "no release is served yet",
            "stage and promote one; `.lockstep/run/<env>/status.json` says what is waited for",
        )
    port = traffic.ports(route.file.root)
    if port is None:
        return problem(
            503,
            f"{route.file.root} is not running at this moment",
            "see its log, or go back: lockstep rollback",
        )
    with _counted(route):
        return await relay(request, traffic.client, f"http://127.0.0.1:{port}{_raw_path(request)}", route.began)


async def answer_inside(traffic: Traffic, request: web.BaseRequest) -> web.StreamResponse:
    """The answer of the instance that the request's absolute address names, as a Service of that name would give it."""
    address = urlsplit(request.raw_path)
    host = address.hostname or ""
    if request.method == "CONNECT" or address.scheme != "http":
        return problem(
            501,
            "only plain http:// goes through the name proxy",
            "call hosted services by https, which goes around it",
        )
    if host in {"127.0.0.1", "localhost"}:
        return await relay(request, traffic.client, request.raw_path, lambda _: None)
    port = traffic.ports(host)
    if port is None or (address.port or _SERVICE_PORT) != _SERVICE_PORT:
        return problem(
            502,
            f"{address.netloc} is no running instance of this environment",
            "look at instances/ for its file and at its log",
        )
    traffic.inner[host] += 1
    try:
        return await relay(request, traffic.client, f"http://127.0.0.1:{port}{_raw_path(request)}", lambda _: None)
    finally:
        traffic.inner[host] -= 1


@contextmanager
def _counted(route: Route) -> Iterator[None]:
    route.in_flight += 1
    try:
        yield
    finally:
        route.in_flight -= 1


def _raw_path(request: web.BaseRequest) -> str:
    """Path and query exactly as they were sent, without scheme and host."""
    raw = request.raw_path
    if raw.startswith("/"):
        return raw
    address = urlsplit(raw)
    return (address.path or "/") + (f"?{address.query}" if "?" in raw else "")
