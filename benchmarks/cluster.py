"""Print what Ray costs a run, and what a second node gains: ``python -m benchmarks.cluster [--tasks 24] [--rounds 3]``.

The nodes are two raylets on this machine with a core each: on an idle machine with two cores the speed-up is that of
two machines, without their network. Needs the extra: pip install -e '.[ray]'.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.rows import Row, above, table
from benchmarks.timing import Ratio, Times, ratio, timed


@contextlib.contextmanager
def nodes(count: int) -> Iterator[None]:
    """Start a cluster of nodes with one core each, and connect to it."""
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # Cluster starts its nodes without a token
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(count):
        made.add_node(num_cpus=1)
    ray.init(made.address, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()
        made.shutdown()


def nothing() -> Callable[[], None]:
    """Return a task that does nothing: what is left is Ray."""
    return lambda: None


def waits(seconds: float) -> Callable[[], None]:
    """Return a task that holds its core and leaves it idle: what a node gains if cores are there."""
    return lambda: time.sleep(seconds)


def computes(loops: int) -> Callable[[], None]:
    """Return a task that computes."""

    def task() -> None:
        total = 0
        for number in range(loops):
            total += number * number

    return task


def spent(prepare: Callable[[], Callable[..., None]], tasks: int) -> float:
    """Return the seconds that tasks take on the cluster that is connected."""
    from unlearn_gym.runtime.on_ray import OnRay

    return timed(lambda: list(OnRay(address="auto").run(prepare, [()] * tasks, tasks)))


def measured(count: int, tasks: int, kinds: dict[str, Callable], rounds: int) -> dict[str, list[float]]:
    """Return kind → seconds of each round, after a round that starts the workers; the start's own under ``start``."""
    with nodes(count):
        found = {"start": [spent(nothing, 2 * count)]}
        for name, prepare in kinds.items():
            found[name] = [spent(prepare, tasks) for _ in range(rounds)]
    return found


def main() -> None:
    """Measure on one node, then on two, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--tasks", type=int, default=24, help="tasks of a round")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each task")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each kind")
    chosen = parser.parse_args()
    loops = int(1e6 * chosen.seconds / min(timed(computes(10**6)) for _ in range(5)))
    kinds = {
        "nothing": nothing,
        "waits": partial(waits, chosen.seconds),
        "computes": partial(computes, loops),
    }
    one, two = (measured(count, chosen.tasks, kinds, chosen.rounds) for count in (1, 2))
    overhead = 1000 * min(one["nothing"]) / chosen.tasks
    share = (
        f"{os.getloadavg()[0]:.0f} processes wanted {os.cpu_count()} cores"
        if hasattr(os, "getloadavg")
        else ""
    )
    rows = [
        Row("the first tasks: workers start and import", "one node", "", f"{one['start'][0]:.1f} s"),
        Row("Ray's share of a run", f"one node, {chosen.tasks} tasks", "", f"{overhead:.1f} ms"),
    ]
    for name in ("waits", "computes"):
        gain: Ratio = ratio(Times(one[name]), Times(two[name]))
        what = f"two nodes over one, a task {name} {chosen.seconds:g} s"
        rows.append(above(what, f"{chosen.tasks} tasks; {share}", gain.middle, 1.8, f"{gain} x"))
    print(table(rows))


if __name__ == "__main__":
    main()
