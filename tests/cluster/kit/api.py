"""The API server in a few words: plain JSON by path, with the access that a kubeconfig gives."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from kubernetes import config

Object = dict[str, Any]


class ApiError(Exception):
    """The API server refused: `status` and what it said."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"{status}: {what}")
        self.status = status


class Api:
    """One cluster, seen by an administrator."""

    def __init__(self, kubeconfig: Path) -> None:
        client = config.new_client_from_config(str(kubeconfig))
        self._host = client.configuration.host
        self._pool = client.rest_client.pool_manager
        self._headers = dict(client.default_headers)
        client.update_params_for_auth(self._headers, [], ["BearerToken"], "", "GET", None)

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> Object:
        """The object that it answers.

        Raises:
            ApiError: it refused.
        """
        patch = "application/apply-patch+yaml" if "fieldManager" in query else "application/merge-patch+json"
        kind = patch if method == "PATCH" else "application/json"
        headers = {**self._headers, "content-type": kind, "accept": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        url = f"{self._host}{path}?{urlencode(query)}"
        response = self._pool.request(method, url, headers=headers, body=data, timeout=30.0, retries=False)
        text = response.data.decode(errors="replace")
        if response.status >= 300:
            raise ApiError(response.status, text[:2000])
        try:
            return dict(json.loads(text))
        except ValueError:
            return {"text": text}

    def find(self, path: str) -> Object | None:
        """The object at a path; None if there is none."""
        try:
            return self.ask("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str, **query: str) -> list[Object]:
        """The objects of a collection."""
        return list(self.ask("GET", path, **query).get("items") or [])

    def delete(self, path: str) -> None:
        """Deletes an object, if it is there; returns before it is gone."""
        try:
            self.ask("DELETE", path)
        except ApiError as error:
            if error.status != 404:
                raise

    def until_gone(self, path: str, seconds: float) -> None:
        """Returns when an object is gone.

        Raises:
            AssertionError: it is still there.
        """
        end = time.monotonic() + seconds
        while self.find(path) is not None:
            assert time.monotonic() < end, f"{path} is still there after {seconds:.0f} s"
            time.sleep(0.3)

    def watch(self, path: str, version: str, seconds: int) -> tuple[Any, Iterator[Mapping[str, Any]]]:
        """The open response, and the events that follow a version of a collection, until the server ends the watch.

        Raises:
            ApiError: 410 when the version is too old.
        """
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(seconds)}
        url = f"{self._host}{path}?{urlencode({**query, 'allowWatchBookmarks': 'true'})}"
        response = self._pool.request("GET", url, headers=self._headers, preload_content=False, retries=False)
        if response.status >= 300:
            raise ApiError(response.status, response.read().decode(errors="replace")[:2000])
        return response, _lines(response)


def _lines(response: Any) -> Iterator[Mapping[str, Any]]:
    rest = b""
    for part in response.stream(amt=None, decode_content=True):
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)
