"""`python3 -m hello.gate`: asks a staged root one question; exits 0 when it is answered well, 1 at the deadline."""

import json
import os
import sys
import time
import urllib.request
from urllib.parse import urlsplit


def fault(url: str) -> str:
    """What is wrong with the answer of the root at this address; empty when nothing is."""
    try:
        with urllib.request.urlopen(f"{url}/greet?name=Ada", timeout=5) as answer:
            body, header = json.load(answer), answer.headers.get("x-lockstep-release", "")
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    root = urlsplit(url).hostname
    if "Ada" not in body.get("greeting", "") or "echo" not in body.get("served_by", {}):
        return f"the answer is {body}"
    return "" if header == root else f"asked {root}, x-lockstep-release is '{header}'"


def main() -> int:
    """The exit code."""
    url = os.environ["ROOT_URL"].rstrip("/")
    deadline = time.monotonic() + float(os.environ.get("GATE_DEADLINE_SECONDS", "30")) - 1
    while wrong := fault(url):
        if time.monotonic() > deadline:
            print(f"{url} failed: {wrong}.  fix: see the logs of its instances", file=sys.stderr)
            return 1
        time.sleep(0.2)
    print(f"{url} answers as a whole release")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
