"""POST /embed: the vector of a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embedding.contract import CONTRACT
from embedding.model import Model, load
from embedding.service import Request, Service, environment, serve

MAX_BYTES = 1024 * 1024


class Embedding:
    """The embed endpoint around one model."""

    def __init__(self, model: Model) -> None:
        self.model = model

    async def embed(self, request: Request) -> dict[str, Any]:
        """The text's unit vector; computed at once, for it takes less time than a thread would."""
        vector = self.model.embed(await request.text(MAX_BYTES))
        return {
            "embedding": [round(float(x), 6) for x in vector],
            "dimension": self.model.dimension,
            "model": "hashed-projection",
        }


def main() -> None:
    """Serves the embedding component."""
    instance = environment("LOCKSTEP_INSTANCE", "embedding-0123456789")
    weights = Path(environment("LOCKSTEP_WEIGHTS", "components/embedding/weights")) / "embedding.npz"
    if not weights.is_file():
        raise SystemExit(f"{weights} is missing.  fix: dvc pull components/embedding/weights/embedding.npz.dvc")
    serve(Service(instance, {("POST", "/embed"): Embedding(load(weights)).embed}, CONTRACT))
