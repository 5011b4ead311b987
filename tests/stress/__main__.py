"""A stress run: ``python -m tests.stress [--seed 7] [--scale 0.1] [--only kills inputs] [--case inputs/12]``.

Random kills, wrong inputs, cache races and injected faults; it prints what was tried and leaves with status 1
when anything is not as demanded. Without ``--seed`` it draws one and prints it.
"""

from __future__ import annotations

import argparse
import importlib
import secrets
import sys
import time
from collections import Counter

from rich.console import Console
from rich.table import Table

from tests.stress.cases import Outcome, run_cases, say, workplace
from tests.stress.setting import prepare

SECTIONS = ("kills", "inputs", "caches", "faults")
"""Each is a module of this package with ``cases(seed, scale)``."""


def main() -> int:
    """Run the chosen sections, print the table and each failure; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument("--seed", type=int, help="of every random choice; drawn and printed if not given")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="sections to run")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the cases, such as 0.1")
    parser.add_argument("--case", nargs="+", help="cases to run, such as inputs/12")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time")
    chosen = parser.parse_args()
    seed = secrets.randbelow(2**31) if chosen.seed is None else chosen.seed
    say(f"seed {seed}")
    began = time.monotonic()
    outcomes: list[Outcome] = []
    with workplace() as root:
        prepare(root)
        for section in chosen.only:
            cases = importlib.import_module(f"tests.stress.{section}").cases(seed, chosen.scale)
            cases = [case for case in cases if chosen.case is None or case.name in chosen.case]
            outcomes += run_cases(cases, seed, root, chosen.jobs, _tell)
    faults = [outcome for outcome in outcomes if outcome.fault is not None]
    Console(width=100).print(_table(outcomes))
    for outcome in faults:
        _say_fault(outcome, seed, chosen.scale)
    good = len(outcomes) - len(faults)
    say(f"{good} of {len(outcomes)} green, seed {seed}, {time.monotonic() - began:.0f} s")
    return 1 if faults or not outcomes else 0


def _tell(outcome: Outcome) -> None:
    case, word = outcome.case, outcome.word or "not as demanded"
    mark = "ok   " if outcome.fault is None else "FAULT"
    say(f"{mark} {case.name}: {case.title} ({word}, {outcome.seconds:.1f} s)")


def _table(outcomes: list[Outcome]) -> Table:
    table = Table("section", "kind", "cases", "green", "what happened", "seconds")
    for section, kind in dict.fromkeys((outcome.case.section, outcome.case.kind) for outcome in outcomes):
        rows = [o for o in outcomes if (o.case.section, o.case.kind) == (section, kind)]
        words = Counter(row.word.split(":")[0] for row in rows if row.fault is None)
        happened = ", ".join(f"{count} {word}" for word, count in words.most_common(4))
        green = sum(row.fault is None for row in rows)
        colour = "green" if green == len(rows) else "red"
        seconds = f"{sum(row.seconds for row in rows):.0f}"
        table.add_row(section, kind, str(len(rows)), f"[{colour}]{green}[/]", happened, seconds)
    return table


def _say_fault(outcome: Outcome, seed: int, scale: float) -> None:
    case = outcome.case
    say(f"\n{case.name} ({case.kind}): {case.title}\n  {outcome.fault}")
    size = "" if scale == 1 else f" --scale {scale:g}"
    say(f"  python -m tests.stress --seed {seed} --case {case.name}{size}")


if __name__ == "__main__":
    sys.exit(main())
