"""Kills: trainings and evaluations that die at a random moment end with what an uninterrupted one ends with."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np

from tests.stress.cases import Case, Place, fail_unless, generator, scaled, shown
from tests.stress.children import Child, Ended, command, living, script, start
from tests.stress.disk import Wire, die
from tests.stress.runs import EVALUATIONS, FOLDER, TRAININGS, Command, Reference, pick, reference, wired

COUNTS = {"training": 50, "evaluation": 20, "signals": 16}
PATIENCE = 20.0
"""Seconds within which workers notice that their parent is dead, on a busy machine."""
SIGNALS = ("interrupt", "terminate", "worker")


def cases(seed: int, scale: float) -> list[Case]:
    """Return the kills of training and of evaluation, and the signals."""
    found: list[Case] = []
    for kind, commands, check in (
        ("training", TRAININGS, kill),
        ("evaluation", EVALUATIONS, kill),
        ("signals", TRAININGS + EVALUATIONS, end_by_signal),
    ):
        for _ in range(scaled(COUNTS[kind], scale)):
            number = len(found)
            rng = generator(seed, "choice of kills", number)
            chosen = pick(commands, float(rng.random()))
            title, action = chosen.name, check
            if kind == "signals":
                sign = SIGNALS[number % len(SIGNALS)]
                crowd = tuple(each for each in commands if each.name.endswith(("x2", "j2")))
                chosen = pick(crowd, float(rng.random())) if sign == "worker" else chosen
                title, action = f"{sign}: {chosen.name}", partial(check, sign)
            found.append(Case("kills", number, kind, title, partial(action, chosen)))
    return found


def kill(chosen: Command, place: Place) -> str:
    """Kill a run once or more, let it finish, and compare."""
    whole = reference(chosen, place.shared)
    deaths = 1 + int(place.rng.geometric(0.7) - 1)
    word = ""
    for _ in range(min(deaths, 4)):
        word = _die(chosen, whole, place)
        if word == "ended first":
            break
    _finish(chosen, whole, place, f"after {word}")
    return word


def _die(chosen: Command, whole: Reference, place: Place) -> str:
    """Let the run die at one of its file operations or at a moment; say where."""
    words = chosen.next_words(place.folder)
    if place.rng.random() < 0.6:
        at = int(place.rng.integers(1, whole.operations + 1))
        wire = Wire(place.folder / FOLDER, at, die)
        child, word = start(wired(wire, script(*words)), place.folder), f"killed: at file operation {at}"
        ended = child.finish()
    else:
        moment = float(place.rng.uniform(0.0, whole.seconds))
        child, word = start(script(*words), place.folder), f"killed: after {moment:.2f} s"
        ended = child.wait(moment) or _shot(child)
    left = child.orphans(PATIENCE)
    fail_unless(not left, f"{len(left)} processes live {PATIENCE:.0f} s after it was {word}")
    if ended.status == -signal.SIGKILL:
        return word
    fail_unless(ended.status == 0, f"it failed by itself ({ended.status}): {shown(ended.errors)}")
    return "ended first"


def _shot(child: Child) -> Ended:
    child.send(signal.SIGKILL)
    return child.finish()


def _finish(chosen: Command, whole: Reference, place: Place, when: str) -> None:
    """Call the run again to its end, now and then in an interpreter of its own, and compare."""
    words = chosen.next_words(place.folder)
    if place.rng.random() < 0.1:
        ended = command(words, place.folder)
    else:
        child = start(script(*words), place.folder)
        ended = child.finish()
        fail_unless(not child.orphans(PATIENCE), "processes live on after the end")
    fail_unless(
        ended.status == 0, f"{' '.join(words[:3])} {when} fails ({ended.status}): {shown(ended.errors)}"
    )
    try:
        chosen.compare(place.folder / FOLDER, whole.folder)
    except FileNotFoundError as error:
        fail_unless(False, f"{when}, the finished run lacks {Path(error.filename).name}")


def end_by_signal(sign: str, chosen: Command, place: Place) -> str:
    """Interrupt or terminate a run, or kill one of its workers: it ends soon, with a sentence, and goes on later."""
    whole = reference(chosen, place.shared)
    child = start(script(*chosen.words), place.folder)
    ended = child.wait(float(place.rng.uniform(0.1, 0.9)) * whole.seconds)
    if ended is None and not _strike(sign, child, place.rng):
        ended = child.finish()
    if ended is not None:
        fail_unless(ended.status == 0, f"it failed by itself ({ended.status}): {shown(ended.errors)}")
        return "ended first"
    ended = child.finish(PATIENCE)
    left = child.orphans(PATIENCE)
    fail_unless(not left, f"{len(left)} processes live {PATIENCE:.0f} s after the end by {sign}")
    if ended.status:
        said = ended.sentences
        fail_unless("Traceback" not in ended.errors, f"a traceback after {sign}: {shown(ended.errors)}")
        fail_unless(len(said) == 1, f"{len(said)} lines instead of one sentence after {sign}: {said[:4]}")
    _finish(chosen, whole, place, f"after {sign}")
    return f"ended by {sign}" if ended.status else "ended well"


def _strike(sign: str, child: Child, rng: np.random.Generator) -> bool:
    """Send the signal; say whether there was somebody to receive it."""
    if sign == "interrupt":
        child.send(signal.SIGINT, group=True)  # as a terminal does
    elif sign == "terminate":
        child.send(signal.SIGTERM)
    else:
        deadline = time.monotonic() + PATIENCE
        while not (workers := _workers(child)) and living(child.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        if not workers:
            return False
        victim = int(rng.choice(workers))
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
    return True


def _workers(child: Child) -> list[int]:
    """Return the pids of spawned workers."""
    found = []
    for pid in child.others():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"spawn_main" in words:
            found.append(pid)
    return found
