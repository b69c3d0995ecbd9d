"""What a swap costs, said before it is done: which requests fail, and for how long as far as the cluster knows."""

from __future__ import annotations

from lockstep.core.cluster.state import ClusterState
from lockstep.core.environment import Gate
from lockstep.core.swap import Swap, deadline_of, refuse_short_gate
from lockstep.verbs.workspace import Say


def say_cost(swap: Swap, gate: Gate | None, state: ClusterState | None, say: Say) -> None:
    """Says what a swap costs; nothing for no swap.

    Args:
        swap: What changes places.
        gate: Of the root that shall serve; None if nobody will ask it.
        state: The cluster's; None if none was asked.
        say: Where to.

    Raises:
        Refused: the gate would give up before what comes up can answer.
    """
    if not swap.rising and not swap.falling:
        return
    times = [state.instance(name).started_seconds or 0 for name in swap.falling] if state else []
    seconds = max(times, default=0)
    if gate is not None:
        refuse_short_gate(gate, seconds)
    components = sorted({name.component for name in swap.falling})
    rising = ", ".join(f"{name} ({count} pods)" for name, count in sorted(swap.rising.items()))
    length = (
        f"about {seconds} s, which its last start took" if seconds else "as long as it takes to start (not known here)"
    )
    say(f"swap: {', '.join(swap.falling) or 'nothing'} to standby; {rising or 'nothing'} up")
    say(f"cost: until then every request that needs {' or '.join(components)} fails, for {length}")
    if gate is not None:
        say(f"cost: the gate gives up after {deadline_of(gate)} s, and then nothing serves until this is taken back")
    say("taking it back is a swap too and costs the same")
