"""A prompt and its logic: asks the model."""

import os
from pathlib import Path
from typing import Any

from callee import Callee
from service import Service, serve


def main() -> None:
    """Serves until SIGTERM."""
    model = Callee("model")
    prompt = Path(os.environ["LOCKSTEP_PROMPTS"], "answer.prompt").read_text(encoding="utf-8")

    async def question() -> dict[str, Any]:
        known = await model.ask()
        served_by = {"thin": service.name, **known["served_by"]}
        return {"answer": f"{prompt.strip()} {known['answer']}", "served_by": served_by}

    service = Service(question, model.ready)
    serve(service)


if __name__ == "__main__":
    main()
