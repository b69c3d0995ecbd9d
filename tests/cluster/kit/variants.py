"""The releases that scenarios use. Each is made once per run, when a scenario first asks for it."""

from __future__ import annotations

from kit.bundle import Variant

BASE = Variant("base")
NEXT = Variant("next", {"model": {"START_SECONDS": "1"}})  # another model: thin and root follow, side is shared
PROMPT = Variant("prompt", prompt="Answer in two words.")
CODE = Variant("code", code="another line")
ALL = Variant("all", {name: {"GENERATION": "2"} for name in ("root", "thin", "model", "side")})
NEVER_READY = Variant("never-ready", {"model": {"FAULT": "never-ready"}})
CRASHING = Variant("crashing", {"model": {"FAULT": "crash"}})
WRONG = Variant("wrong", {"root": {"FAULT": "wrong"}})  # ready, but its answers are wrong: only the gate can tell
ABSENT = Variant("absent", code="in an image that was never pushed", is_pushed=False)
DEVICE = Variant("device", gpu=1)
OTHER_DEVICE = Variant("other-device", {"model": {"START_SECONDS": "3"}}, gpu=1)
THINS = 3
BUSY = Variant("busy", thins=THINS)
BUSY_NEXT = Variant("busy-next", {"model": {"START_SECONDS": "1"}}, thins=THINS)


def slow(seconds: int) -> Variant:
    """A release whose model takes this long to start."""
    return Variant(f"slow-{seconds}", {"model": {"START_SECONDS": str(seconds)}})
