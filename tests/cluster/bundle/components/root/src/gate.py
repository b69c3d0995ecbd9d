"""Asks the staged root one real question until it is right, or the deadline is reached."""

import json
import os
import sys
import time
import urllib.error
import urllib.request


def fault(url: str) -> str:
    """What is wrong with the root's answer; empty when nothing is."""
    try:
        with urllib.request.urlopen(f"{url}/answer", timeout=5) as response:
            served_by = json.load(response)["served_by"]
            named = response.headers["x-lockstep-release"]
    except (OSError, ValueError, KeyError) as error:
        return f"{type(error).__name__}: {error}"
    if set(served_by) != {"root", "thin", "model", "side"} or named != served_by["root"]:
        return f"{named} answered by {served_by}"
    return ""


def main() -> int:
    """0 once the root answers as a whole release."""
    url = os.environ["ROOT_URL"]
    deadline = time.monotonic() + float(os.environ["GATE_DEADLINE_SECONDS"])
    while (wrong := fault(url)) and time.monotonic() < deadline:
        time.sleep(0.2)
    sys.stderr.write((wrong or f"{url} answers as a whole release") + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
