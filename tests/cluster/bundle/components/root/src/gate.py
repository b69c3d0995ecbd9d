"""Asks the staged root one real question until it is right, wrong, or the deadline is reached.

A root that does not answer, or whose callees do not, may still be starting; one that answers wrongly is wrong.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request


class WrongError(Exception):
    """The root answered, and wrongly."""


def fault(url: str) -> str:
    """Why there is no answer yet; empty when there is a right one.

    Raises:
        WrongError: there is a wrong one.
    """
    try:
        with urllib.request.urlopen(f"{url}/answer", timeout=5) as response:
            served_by = json.load(response)["served_by"]
            named = response.headers["x-lockstep-release"]
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, urllib.error.HTTPError) and error.code == 500:
            raise WrongError(f"status 500: {error.read()[:300]!r}") from error
        return f"{type(error).__name__}: {error}"
    if set(served_by) != {"root", "thin", "model", "side"} or named != served_by["root"]:
        raise WrongError(f"{named} answered by {served_by}")
    return ""


def main() -> int:
    """0 once the root answers as a whole release."""
    url = os.environ["ROOT_URL"]
    deadline = time.monotonic() + float(os.environ["GATE_DEADLINE_SECONDS"])
    try:
        while (wrong := fault(url)) and time.monotonic() < deadline:
            time.sleep(0.2)
    except WrongError as error:
        wrong = str(error)
    sys.stderr.write((wrong or f"{url} answers as a whole release") + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
