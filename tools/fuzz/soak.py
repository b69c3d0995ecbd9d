"""Many pairs at once, and what they say of the judge."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat

from fuzz.bodies import BODIES
from fuzz.pairs import SCHEMAS, Tried, smaller, tried

_BATCH = 250
WORLDS = {"schemas": SCHEMAS, "bodies": BODIES}


@dataclass
class Tally:
    """What many pairs said.

    Args:
        pairs: How many were tried.
        compatible: Of how many the verdict is "compatible".
        broken: For how many there is an instance that proves a break.
        without_proof: How many were called breaking with no instance to prove it.
        refused: How many were no contracts for the judge.
        empty: How many senders allow none of the instances that were tried.
        false: Those that were called compatible and are not.
        crashed: Seeds at which the judge fell over, and how.
        alarms: Rules of alarms without proof, counted.
    """

    pairs: int = 0
    compatible: int = 0
    broken: int = 0
    without_proof: int = 0
    refused: int = 0
    empty: int = 0
    false: list[Tried] = field(default_factory=list)
    crashed: list[tuple[int, str]] = field(default_factory=list)
    alarms: Counter[str] = field(default_factory=Counter)

    def add(self, found: Tried) -> None:
        """Counts one pair."""
        self.pairs += 1
        self.compatible += not found.rules and not found.error
        self.broken += bool(found.proof)
        self.refused += bool(found.error)
        self.empty += not found.valid
        if found.is_alarm_without_proof:
            self.without_proof += 1
            self.alarms.update(found.rules)
        if found.is_false_compatible:
            self.false.append(found)

    def join(self, other: Tally) -> None:
        """Adds what other pairs said."""
        for name in ("pairs", "compatible", "broken", "without_proof", "refused", "empty"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.false += other.false
        self.crashed += other.crashed
        self.alarms.update(other.alarms)

    def __str__(self) -> str:
        share = 100 / max(self.pairs, 1)
        fits = max(self.pairs - self.broken - self.refused, 1)
        return (
            f"{self.pairs:,} pairs: {len(self.false)} falsely called compatible, {len(self.crashed)} crashes; "
            f"{self.compatible * share:.1f} % called compatible, {self.broken * share:.1f} % proved broken, "
            f"{self.refused * share:.1f} % refused as contracts; called breaking without "
            f"proof {self.without_proof:,} ({100 * self.without_proof / fits:.1f} % of what nothing proves broken), "
            f"sender allows nothing that was tried: {self.empty * share:.1f} %"
        )


def soak(world: str, first: int, count: int, processes: int = 1) -> Tally:
    """What the pairs of these seeds say.

    Args:
        world: Which kind of pairs; a key of WORLDS.
        first: The first seed.
        count: How many.
        processes: How many at the same time.
    """
    batches = [range(start, min(start + _BATCH, first + count)) for start in range(first, first + count, _BATCH)]
    whole = Tally()
    if processes == 1:
        for batch in batches:
            whole.join(_batch(world, batch))
        return whole
    with ProcessPoolExecutor(processes) as pool:
        for one in pool.map(_batch, repeat(world), batches):
            whole.join(one)
    return whole


def _batch(world: str, seeds: Iterable[int]) -> Tally:
    found = Tally()
    for seed in seeds:
        try:
            found.add(tried(WORLDS[world], WORLDS[world].make(seed)))
        except Exception as error:  # noqa: BLE001 - a crash of the judge is what is looked for
            found.crashed.append((seed, f"{type(error).__name__}: {error}"[:300]))
    return found


def report(world: str, found: Tried) -> str:
    """A false verdict in as few words as can be: seed, both sides, instance."""
    least = smaller(WORLDS[world], found)
    pair = least.pair
    return (
        f"seed {pair.seed} of {world}: called compatible\n  sender  {json.dumps(pair.sender)}\n"
        f"  reader  {json.dumps(pair.reader)}\n  proof   {json.dumps(least.proof[0])}"
    )
