"""The watcher: every change of what an environment holds, with the moment and what matters of it.

One thread per kind lists and then watches. A watch that ends goes on where it was; a version that is too old (410)
begins with a new list, and what vanished meanwhile is recorded as deleted. So no state is missed but in a 410.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import urllib3

from kit.api import Api, ApiError
from kit.facts import facts
from kit.record import Event, write_lines

_WATCH_SECONDS = 60
_RETRY_SECONDS = 0.2


class Watcher:
    """Watches from entry to exit; entry returns when every kind has been listed. `events` may be read at any time.

    Args:
        api: The cluster.
        paths: Collections by kind.
        file: Where the events go as well, one per line.
        prefixes: How names begin that are watched, of kinds where other environments have theirs in the same place.
    """

    def __init__(
        self, api: Api, paths: Mapping[str, str], file: Path, prefixes: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._api = api
        self._file = file
        self._prefixes = prefixes
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._open: dict[str, Any] = {}
        self._listed = {kind: threading.Event() for kind in paths}
        self._threads = [
            threading.Thread(target=self._follow, args=(kind, path), name=f"watch {kind}", daemon=True)
            for kind, path in paths.items()
        ]
        self._versions: dict[str, str] = {}
        self._known: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._changed = threading.Condition(self._lock)
        self.all: list[Event] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        for kind, listed in self._listed.items():
            assert listed.wait(30), f"{kind} could not be listed within 30 s"
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for response in list(self._open.values()):
            with suppress(Exception):
                response.shutdown()
        for thread in self._threads:
            thread.join(timeout=5)

    @property
    def events(self) -> tuple[Event, ...]:
        """What was seen so far, by version."""
        with self._lock:
            return tuple(sorted(self.all, key=lambda event: event.version))

    def latest(self, kind: str, name: str) -> Mapping[str, Any]:
        """The facts of an object as seen last; empty if it is not there."""
        with self._lock:
            return self._known.get((kind, name), {})

    def named(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """The objects of a kind that are there, by name."""
        with self._lock:
            return {name: item for (own, name), item in self._known.items() if own == kind}

    def wait_for_news(self, seconds: float) -> None:
        """Returns when something changes, or after a time."""
        with self._lock:
            self._changed.wait(seconds)

    def _follow(self, kind: str, path: str) -> None:
        while not self._stop.is_set():
            try:
                if not self._versions.get(kind):
                    self._list(kind, path)
                self._watch(kind, path)
            except ApiError as error:
                if error.status == 410:
                    self._versions[kind] = ""
                self._stop.wait(_RETRY_SECONDS)
            except (urllib3.exceptions.HTTPError, OSError, ValueError):
                self._stop.wait(_RETRY_SECONDS)  # the API server is away, or we stop

    def _list(self, kind: str, path: str) -> None:
        found = self._api.ask("GET", path)
        version = str(found["metadata"]["resourceVersion"])
        items = {item["metadata"]["name"]: item for item in found.get("items") or []}
        for name in [name for own, name in self._known if own == kind and name not in items]:
            self._note(kind, name, "DELETED", int(version), {})
        for name, item in items.items():
            self._note(kind, name, "LISTED", int(version), facts(kind, item))
        self._versions[kind] = version
        self._listed[kind].set()

    def _watch(self, kind: str, path: str) -> None:
        response, found = self._api.watch(path, self._versions[kind], _WATCH_SECONDS)
        self._open[kind] = response
        try:
            for news in found:
                item = news["object"]
                if news["type"] == "ERROR":
                    raise ApiError(int(item.get("code", 0)), str(item.get("message", "")))
                version = item["metadata"]["resourceVersion"]
                if news["type"] != "BOOKMARK":
                    self._note(kind, item["metadata"]["name"], news["type"], int(version), facts(kind, item))
                self._versions[kind] = version  # kept also when the connection breaks: nothing is seen twice
        finally:
            response.close()

    def _note(self, kind: str, name: str, change: str, version: int, found: dict[str, Any]) -> None:
        """Remembers an event, but for changes of what does not matter."""
        if not name.startswith(self._prefixes.get(kind, "")):
            return
        with self._lock:
            if change == "MODIFIED" and self._known.get((kind, name)) == found:
                return
            if change == "DELETED":
                self._known.pop((kind, name), None)
            else:
                self._known[(kind, name)] = found
            event = Event(time.monotonic_ns(), version, kind, name, change, found)
            self.all.append(event)
            write_lines(self._file, [event])
            self._changed.notify_all()
