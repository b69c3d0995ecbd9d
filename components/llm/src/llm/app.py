"""POST /v1/chat/completions and GET /v1/models: the part of the OpenAI API that chat clients use, without streaming."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from llm.contract import CONTRACT
from llm.model import Model, load
from llm.service import RefusalError, Request, Service, environment, serve

MAX_BYTES = 2 * 1024 * 1024
ROLES = ("system", "developer", "user", "assistant")


def openai_error(refusal: RefusalError) -> dict[str, Any]:
    """The body of a refused request, as OpenAI's API has it."""
    kind = "invalid_request_error" if refusal.status < 500 else "server_error"
    message = f"{refusal.problem['what']}.  fix: {refusal.problem['fix']}"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def split(messages: list[tuple[str, str]]) -> tuple[str, str]:
    """Instruction and document of a conversation.

    The system (or developer) messages are the instruction and the last user message is the document.
    Without a system message the user message's first paragraph is the instruction and the rest of it the document.
    """
    system = "\n".join(text for role, text in messages if role in {"system", "developer"})
    user = next((text for role, text in reversed(messages) if role == "user"), "")
    if system:
        return system, user
    first, _, rest = user.strip().partition("\n\n")
    return (first, rest) if rest.strip() else ("", first)


class Completions:
    """The chat endpoint around one model."""

    def __init__(self, model: Model, name: str) -> None:
        self.model = model
        self.name = name
        self.created = int(time.time())

    async def models(self, _request: Request) -> dict[str, Any]:
        """The one model there is."""
        return {
            "object": "list",
            "data": [{"id": self.name, "object": "model", "created": self.created, "owned_by": "lockstep"}],
        }

    async def complete(self, request: Request) -> dict[str, Any]:
        """A chat completion whose content is made of the document's own sentences."""
        body = await request.json(MAX_BYTES)
        if body.get("stream", False) is not False:
            raise RefusalError(400, "this extractive stand-in does not stream", 'send "stream": false')
        if body.get("model") != self.name:
            raise RefusalError(
                404, f"the model {body.get('model')!r} does not exist here", f'send "model": "{self.name}"'
            )
        if not _is_number(body.get("temperature", 0)):
            raise RefusalError(400, "temperature is not a number", 'send "temperature": 0')
        limit = _limit(body)
        instruction, document = split(_messages(body.get("messages")))
        content, is_cut = self.model.answer(instruction, document, limit)
        asked, said = len(instruction.split()) + len(document.split()), len(content.split())
        return {
            "id": f"chatcmpl-{uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.name,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content},
                    "finish_reason": "length" if is_cut else "stop",
                }
            ],
            "usage": {
                "prompt_tokens": asked,
                "completion_tokens": said,
                "total_tokens": asked + said,
            },  # a token is a word here
        }


def _messages(value: Any) -> list[tuple[str, str]]:
    """Role and text of each message; RefusalError 400 for anything else."""
    if isinstance(value, list) and value:
        found = [(m.get("role"), _content(m.get("content"))) for m in value if isinstance(m, dict)]
        read = [(role, text) for role, text in found if role in ROLES and text is not None]
        if len(read) == len(value):
            return read
    raise RefusalError(
        400, "messages is no list of roles with text content", 'send "messages": [{"role": "user", "content": "..."}]'
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _limit(body: dict[str, Any]) -> int:
    """How many words the answer may have; RefusalError 400 where what is sent is no positive integer (2.0 is one)."""
    given = [body[name] for name in ("max_completion_tokens", "max_tokens") if name in body] or [4096]
    if not all(_is_number(one) and one >= 1 and one == one // 1 for one in given):
        raise RefusalError(400, "max_tokens is not a positive integer", 'send "max_tokens": 256')
    return int(given[0])


def _content(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in value):
        return "".join(p["text"] for p in value)
    return None


def main() -> None:
    """Serves the extractive stand-in."""
    instance = environment("LOCKSTEP_INSTANCE", "llm-0123456789")
    weights = Path(environment("LOCKSTEP_WEIGHTS", "components/llm/weights")) / "llm.npz"
    if not weights.is_file():
        raise SystemExit(f"{weights} is missing.  fix: dvc pull components/llm/weights/llm.npz.dvc")
    chat = Completions(load(weights), os.environ.get("MODEL_NAME", "extractive"))
    routes = {("POST", "/v1/chat/completions"): chat.complete, ("GET", "/v1/models"): chat.models}
    serve(Service(instance, routes, CONTRACT, render=openai_error))
