"""POST /documents: a page goes to ocr, its text to embedding and summarizer at the same time; one answer comes back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.aging import aging_protocol
from gateway.callee import Callee, callee, client
from gateway.contract import CONTRACT
from gateway.page import MAX_BYTES, check_page
from gateway.service import RefusalError, Request, Service, environment, serve

CALLEES = ("ocr", "embedding", "summarizer")


class Gateway:
    """The documents endpoint and the callees that it asks."""

    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.callees: dict[str, Callee] = {}

    @asynccontextmanager
    async def lifespan(self, service: Service) -> AsyncIterator[None]:
        """Opens the pool, and makes the service ready once every callee has said that it is."""
        async with client(*CALLEES) as http:
            self.callees = {name: callee(name, http) for name in CALLEES}
            waiting = asyncio.create_task(self._wait(service))
            try:
                yield
            finally:
                waiting.cancel()

    async def _wait(self, service: Service) -> None:
        await asyncio.gather(*(each.ready("/readyz", status_below=300) for each in self.callees.values()))
        service.is_ready = True

    async def documents(self, request: Request) -> dict[str, Any]:
        """Text, embedding and summary of the page, and every instance that took part."""
        page = await request.body(MAX_BYTES)
        media = check_page(page, request.headers.get("content-type", ""))
        read = await self.callees["ocr"].post("/read", content=page, headers={"content-type": media})
        text = _field(read, "text", str, self.callees["ocr"])
        if not text.strip():
            raise RefusalError(
                422,
                "no text was found on the page",
                "send an upright page with printed text",
                self.callees["ocr"].instance,
            )
        embedded, summed = await _both(
            self.callees["embedding"].post("/embed", json={"text": text}),
            self.callees["summarizer"].post("/summarize", json={"text": text}),
        )
        served_by = {"gateway": self.instance} | {name: each.instance for name, each in self.callees.items()}
        return {
            "text": text,
            "embedding": _field(embedded, "embedding", list, self.callees["embedding"]),
            "summary": _field(summed, "summary", str, self.callees["summarizer"]),
            "served_by": served_by | _field(summed, "served_by", dict, self.callees["summarizer"]),
        }


async def _both(first: Any, second: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both answers; where one fails the other is cancelled, so that no call outlives its request."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = group.create_task(first), group.create_task(second)
    except BaseExceptionGroup as failed:  # not `except*`: what is raised in it may come out wrapped in another group
        refused, other = failed.split(RefusalError)
        if refused is None or other is not None:
            raise
        raise refused.exceptions[0] from None
    return tasks[0].result(), tasks[1].result()


def _field(answer: dict[str, Any], name: str, kind: type, source: Callee) -> Any:
    if not isinstance(answer.get(name), kind):
        raise RefusalError(
            502, f"{source.name} answered without a {kind.__name__} '{name}'", "compare the contracts", source.instance
        )
    return answer[name]


def main() -> None:
    """Serves the gateway."""
    instance = environment("LOCKSTEP_INSTANCE", "gateway-0123456789")
    gateway = Gateway(instance)
    service = Service(
        instance,
        {("POST", "/documents"): gateway.documents},
        CONTRACT,
        lifespan=gateway.lifespan,
        headers=((b"x-lockstep-release", instance.encode()),),
        is_ready=False,
    )
    max_age = float(os.environ.get("MAX_CONNECTION_AGE_SECONDS", "1"))
    serve(service, aging_protocol(max_age, service.headers))
