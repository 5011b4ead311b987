"""The rows of the table, and what every section is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Choices of one run.

    Attributes:
        device: where the networks are.
        repetitions: rounds of each measurement.
        long: steps of the memory measurement, and environment steps of the agents.
        output: folder of plots and of the table.
    """

    device: str
    repetitions: int
    long: int
    output: Path


@dataclass(frozen=True)
class Row:
    """One line: what was asked, what was measured, and whether it was reached (None: nothing was asked)."""

    what: str
    where: str
    target: str
    measured: str
    reached: bool | None = None


def below(what: str, where: str, measured: float, limit: float, text: str, unit: str = "x bare") -> Row:
    """Return the row of a number that should be at most ``limit``."""
    return Row(what, where, f"<= {limit:g} {unit}", text, measured <= limit)


def above(what: str, where: str, measured: float, limit: float, text: str, unit: str = "x") -> Row:
    """Return the row of a number that should be at least ``limit``."""
    return Row(what, where, f">= {limit:g} {unit}", text, measured >= limit)


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    words = {True: "yes", False: "no", None: ""}
    lines = ["| what | where | target | measured | reached |", "|---|---|---|---|---|"]
    lines += [f"| {r.what} | {r.where} | {r.target} | {r.measured} | {words[r.reached]} |" for r in rows]
    return "\n".join(lines)
