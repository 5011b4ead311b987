"""Cases: one random trial each, in a process of its own, repeated by its number and the seed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tests.stress.children import Child, start

LIMIT = 600.0
"""Seconds after which a case hangs; what it starts has shorter limits of its own."""


class Fault(Exception):
    """What was demanded and did not hold, in a sentence."""


@dataclass(frozen=True)
class Place:
    """Where a case works.

    Attributes:
        folder: its own, empty.
        shared: of all cases of this run, for what they compare with.
        rng: its own randomness.
    """

    folder: Path
    shared: Path
    rng: np.random.Generator


@dataclass(frozen=True)
class Case:
    """One trial.

    Attributes:
        section: a name in ``SECTIONS`` of ``__main__``.
        number: its place in the section.
        kind: the row of the table that counts it.
        title: what is tried, in words.
        check: tries it; raises ``Fault`` where a demand does not hold, and returns what happened in a word.
    """

    section: str
    number: int
    kind: str
    title: str
    check: Callable[[Place], str]

    @property
    def name(self) -> str:
        """Section and number."""
        return f"{self.section}/{self.number}"


@dataclass(frozen=True)
class Outcome:
    """What came of a case: ``fault`` is None where all was well, and ``word`` says what happened."""

    case: Case
    word: str
    fault: str | None
    seconds: float


def generator(seed: int, section: str, number: int) -> np.random.Generator:
    """Return the randomness of a case, which depends on no other case."""
    return np.random.default_rng([seed, *section.encode(), number])


def run_cases(
    cases: Sequence[Case], seed: int, root: Path, jobs: int, tell: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run every case in a fork, ``jobs`` at a time, and tell of each when it is done."""
    waiting, running, outcomes = list(cases)[::-1], dict[int, tuple[Case, Child, Path, float]](), []
    while waiting or running:
        while waiting and len(running) < jobs:
            case = waiting.pop()
            folder = root / f"{case.section}-{case.number}"
            folder.mkdir(parents=True)
            child = start(partial(_try, case, seed, folder, root / "shared"), folder)
            running[child.pid] = case, child, folder, time.monotonic()
        for pid, (case, child, folder, began) in list(running.items()):
            ended = child.wait(0.0)
            seconds = time.monotonic() - began
            if ended is None and seconds < LIMIT:
                continue
            child.kill_all()
            del running[pid]
            printed = ended.errors if ended else f"hung for {LIMIT:.0f} s"
            outcome = _read(case, folder / "outcome.json", printed, seconds)
            outcomes.append(outcome)
            tell(outcome)
            shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.01)
    return sorted(outcomes, key=lambda outcome: cases.index(outcome.case))


def _try(case: Case, seed: int, folder: Path, shared: Path) -> None:
    place = Place(folder / "work", shared, generator(seed, case.section, case.number))
    place.folder.mkdir()
    word, fault = "", None
    try:
        word = case.check(place)
    except (Fault, TimeoutError) as error:
        fault = str(error)
    except Exception:
        fault = f"the stress run itself failed: {traceback.format_exc()}"
    (folder / "outcome.json").write_text(json.dumps({"word": word, "fault": fault}))


def _read(case: Case, path: Path, printed: str, seconds: float) -> Outcome:
    if path.is_file():
        return Outcome(case, seconds=seconds, **json.loads(path.read_text()))
    return Outcome(case, "", f"the case died: {printed[-400:]!r}", seconds)


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """Give a temporary folder with ``shared`` in it, where all temporary files of this process and its forks go."""
    root = Path(tempfile.mkdtemp(prefix="unlearn-gym-stress-"))
    for name in ("shared", "tmp"):
        (root / name).mkdir()
    tempfile.tempdir = os.environ["TMPDIR"] = str(root / "tmp")
    try:
        yield root
    finally:
        tempfile.tempdir = None
        del os.environ["TMPDIR"]
        shutil.rmtree(root, ignore_errors=True)


def quietly(call: Callable[[], object]) -> object:
    """Call something without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def scaled(count: int, scale: float) -> int:
    """Return a share of ``count``, at least 1."""
    return max(1, round(count * scale))


def shown(text: str, most: int = 300) -> str:
    """Return a text in one line, cut."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most // 2]} … {line[-most // 2 :]}"


def fail_unless(condition: object, sentence: str) -> None:
    """Raise ``Fault`` with the sentence where the condition is false."""
    if not condition:
        raise Fault(sentence)


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)
    sys.stdout.flush()
