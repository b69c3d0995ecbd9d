"""POST /summarize: the prompt, rendered, goes to whatever OpenAI-compatible server LLM_URL names."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from summarizer.callee import Callee, callee, client
from summarizer.contract import CONTRACT
from summarizer.prompt import Prompt, PromptError, parse
from summarizer.service import RefusalError, Request, Service, environment, serve

MAX_BYTES = 1024 * 1024
SAMPLING = {
    "temperature": "temperature",
    "maxOutputTokens": "max_tokens",
    "topP": "top_p",
    "stopSequences": "stop",
}  # dotprompt -> OpenAI


class Summarizer:
    """The summarize endpoint: one prompt, one callee."""

    def __init__(self, prompt: Prompt, model: str) -> None:
        self.prompt = prompt
        sampling = {SAMPLING[key]: value for key, value in prompt.config.items() if key in SAMPLING}
        self.options = {"model": model, "stream": False} | sampling
        self.llm: Callee

    @asynccontextmanager
    async def lifespan(self, service: Service) -> AsyncIterator[None]:
        """Opens the pool, and makes the service ready once the llm has answered."""
        async with client("llm") as http:
            self.llm = callee("llm", http)
            waiting = asyncio.create_task(self._wait(service))
            try:
                yield
            finally:
                waiting.cancel()

    async def _wait(self, service: Service) -> None:
        # A third-party server may have no /readyz; any answer of its own will do, a proxy's 502 or 503 will not.
        await self.llm.ready("/v1/models", status_below=500)
        service.is_ready = True

    async def summarize(self, request: Request) -> dict[str, Any]:
        """The summary of the text in the body."""
        messages = self.prompt.messages({"document": await request.text(MAX_BYTES)})
        answer = await self.llm.post("/v1/chat/completions", json={**self.options, "messages": messages})
        try:
            content = answer["choices"][0]["message"]["content"]
        except (LookupError, TypeError):
            content = None
        if not isinstance(content, str):
            raise RefusalError(
                502, "llm answered without choices[0].message.content", "compare the contracts", self.llm.instance
            )
        return {"summary": content.strip(), "served_by": {"llm": self.llm.instance}}


def main() -> None:
    """Serves the summarizer."""
    instance = environment("LOCKSTEP_INSTANCE", "summarizer-0123456789")
    folder = Path(environment("LOCKSTEP_PROMPTS", "components/summarizer/prompts"))
    try:
        prompt = parse(folder / "summary.prompt")
    except (OSError, PromptError) as error:
        raise SystemExit(f"the prompt cannot be used: {error}") from error
    summarizer = Summarizer(prompt, os.environ.get("LLM_MODEL", "extractive"))
    serve(
        Service(
            instance,
            {("POST", "/summarize"): summarizer.summarize},
            CONTRACT,
            lifespan=summarizer.lifespan,
            is_ready=False,
        )
    )
