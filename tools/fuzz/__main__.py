"""`python -m fuzz [--pairs N] [--seed N] [--processes N] [WORLD…]`: tries the judge of contracts with made-up pairs.

Exit code 0 when no pair was falsely called compatible and the judge never fell over.
"""

from __future__ import annotations

import argparse
import time

from fuzz.soak import WORLDS, report, soak

_SHOWN = 12


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Tries the judge of contracts.")
    parser.add_argument("worlds", nargs="*", metavar="WORLD", default=list(WORLDS), help=", ".join(WORLDS))
    parser.add_argument("--pairs", type=int, default=100_000, help="of each world")
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    wrong = 0
    for world in options.worlds:
        began = time.monotonic()
        found = soak(world, options.seed, options.pairs, options.processes)
        print(f"{world}: {found}; {time.monotonic() - began:.0f} s")
        print(f"  rules of what was called breaking without proof: {dict(found.alarms.most_common(20))}")
        for seed, error in found.crashed[:_SHOWN]:
            print(f"  seed {seed}: {error}")
        for one in {report(world, one): None for one in found.false[:_SHOWN]}:
            print(one)
        wrong += len(found.false) + len(found.crashed)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
