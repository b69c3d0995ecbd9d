"""`python -m gateway.gate`: asks a staged root one real question, and exits 0 when the answer is right, 1 at the
deadline.

Environment: ROOT_URL (its host name is the root's instance id) and GATE_DEADLINE_SECONDS (default 60).
"""

from __future__ import annotations

import os
import sys
import time
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import httpx

from gateway.service import environment

WORDS = ("invoice", "total", "payment")  # printed large on the page, so that a weak but working ocr reads most of them
COMPONENTS = {"gateway", "ocr", "embedding", "summarizer"}


def fault(answer: httpx.Response, root: str) -> str:
    """What is wrong with the root's answer to the page; empty when nothing is."""
    if answer.status_code != 200:
        return f"status {answer.status_code}: {answer.text[:300]}"
    body: dict[str, Any] = answer.json()
    text, served_by = str(body.get("text", "")).lower(), body.get("served_by") or {}
    if sum(word in text for word in WORDS) < 2:
        return f"the page says {WORDS}, the answer's text is {text[:200]!r}"
    if COMPONENTS - set(served_by):
        return f"served_by names {sorted(served_by)}, expected at least {sorted(COMPONENTS)}"
    if not body.get("summary") or not any(body.get("embedding") or []):
        return "the summary or the embedding is empty"
    header = answer.headers.get("x-lockstep-release", "")
    if header != served_by["gateway"] or (root.startswith("gateway-") and header != root):
        return f"asked {root}, x-lockstep-release is '{header}', served_by names '{served_by['gateway']}'"
    return ""


def ask(client: httpx.Client, url: str, page: bytes) -> str:
    """What is wrong with the root at `url`; empty when nothing is."""
    try:
        answer = client.post(f"{url}/documents", content=page, headers={"content-type": "image/png"})
        return fault(answer, urlsplit(url).hostname or url)
    except (httpx.HTTPError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def main() -> int:
    """The exit code: 0 when the root answered as it should before the deadline, 1 otherwise."""
    url = environment("ROOT_URL", "http://gateway-0123456789").rstrip("/")
    seconds = float(os.environ.get("GATE_DEADLINE_SECONDS", "60"))
    page, pause = resources.files("gateway").joinpath("gate.png").read_bytes(), 0.1
    with httpx.Client(verify=url.startswith("https:")) as client:  # reading the certificates takes longer than asking
        deadline = time.monotonic() + seconds
        while True:
            client.timeout = httpx.Timeout(max(1.0, min(10.0, deadline - time.monotonic())))
            wrong = ask(client, url, page)
            if not wrong:
                sys.stdout.write(f"{url} answers as a whole release\n")
                return 0
            if time.monotonic() + pause >= deadline:
                break
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)
    sys.stderr.write(f"{url} did not pass the gate: {wrong}.  fix: see the logs of its instances\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
