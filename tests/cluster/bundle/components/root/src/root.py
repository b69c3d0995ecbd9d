"""The entry: asks thin and side, over HTTP/1.1 and HTTP/2."""

import asyncio
import os
from typing import Any

from callee import Callee
from http2 import serve_http2
from service import Service, serve


def main() -> None:
    """Serves until SIGTERM."""
    thin, side = Callee("thin"), Callee("side")

    async def question() -> dict[str, Any]:
        thought, seen = await asyncio.gather(thin.ask(), side.ask())
        served_by = {"root": service.name, **thought["served_by"], **seen["served_by"]}
        return {"answer": thought["answer"], "served_by": served_by}

    async def prepare() -> None:
        await asyncio.gather(thin.ready(), side.ready())

    service = Service(question, prepare, float(os.environ["MAX_CONNECTION_AGE_SECONDS"]), serve_http2)
    serve(service)


if __name__ == "__main__":
    main()
