"""Calls to another component: one keep-alive pool per callee, and every failure named after the instance that
failed.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from summarizer.service import RefusalError, environment, log

# An idle connection is dropped well before the callee's server would (75 s), so no request meets a closing connection.
LIMITS = httpx.Limits(max_connections=128, max_keepalive_connections=64, keepalive_expiry=20.0)


@dataclass(frozen=True)
class Callee:
    """One instance that this one calls; its id is the host name of its address."""

    name: str
    url: str
    client: httpx.AsyncClient

    @property
    def instance(self) -> str:
        """The callee's instance id."""
        return urlsplit(self.url).hostname or self.url

    async def post(self, path: str, **content: Any) -> dict[str, Any]:
        """The JSON object that the callee answers; RefusalError 502 or 503, or the callee's own 422, otherwise."""
        try:
            answer = await self._post_again_once(path, **content)
        except httpx.TimeoutException as error:
            raise self._refusal(503, "did not answer in time") from error
        except httpx.TransportError as error:
            raise self._refusal(503, f"cannot be reached: {error or type(error).__name__}") from error
        body = _object(answer)
        if answer.status_code == 200 and body is not None:
            return body
        problem = (body or {}).get("error")
        if isinstance(problem, dict) and {"what", "message"} & problem.keys():  # ours, or OpenAI's
            what = problem.get("what") or problem.get("message") or "no reason given"
            status = answer.status_code if answer.status_code in {422, 503} and "what" in problem else 502
            by = str(problem.get("instance") or self.instance)
            raise RefusalError(status, f"{self.name}: {what}", str(problem.get("fix") or f"see the log of {by}"), by)
        raise self._refusal(502, f"answered {answer.status_code} without a JSON object of the contract")

    async def _post_again_once(self, path: str, **content: Any) -> httpx.Response:
        """Sends again once when a kept connection broke: all calls are pure questions, so asking twice is harmless."""
        # A request made without the client's cookies and defaults: a fifth less processor time than client.post.
        timeout = {"timeout": self.client.timeout.as_dict()}
        request = httpx.Request("POST", self.url + path, extensions=timeout, **content)
        try:
            return await self.client.send(request)
        except httpx.TimeoutException:
            raise
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            return await self.client.send(request)

    async def ready(self, path: str, status_below: int) -> None:
        """Returns once the callee has answered `path` with a status below `status_below`."""
        pause = 0.05
        while True:
            try:
                answer = await self.client.get(self.url + path, timeout=2.0)
                if answer.status_code < status_below:
                    return
                seen = f"status {answer.status_code}"
            except httpx.HTTPError as error:
                seen = str(error) or type(error).__name__
            log.info("waiting for callee", extra={"fields": {"callee": self.instance, "seen": seen}})
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    def _refusal(self, status: int, what: str) -> RefusalError:
        return RefusalError(status, f"{self.name} {what}", f"see the log of {self.instance}", self.instance)


def callee(name: str, client: httpx.AsyncClient) -> Callee:
    """The callee whose address the environment gives in <NAME>_URL."""
    return Callee(name, environment(f"{name.upper()}_URL", f"http://{name}-0123456789").rstrip("/"), client)


def client(*names: str) -> httpx.AsyncClient:
    """A client for calls to these components; it honours the proxy variables, by which the local runner resolves
    instance names.
    """
    seconds = float(os.environ.get("CALL_TIMEOUT_SECONDS", "30"))
    # Reading the certificates takes a third of the start-up time; inside a cluster nobody is asked by https.
    is_secure = any(os.environ.get(f"{name.upper()}_URL", "").startswith("https:") for name in names)
    return httpx.AsyncClient(
        limits=LIMITS, timeout=httpx.Timeout(seconds, connect=5.0), trust_env=True, verify=is_secure
    )


def _object(answer: httpx.Response) -> dict[str, Any] | None:
    try:
        value = answer.json()
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
