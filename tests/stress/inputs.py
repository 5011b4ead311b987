"""Wrong inputs: each is refused in one sentence with nothing changed, or taken with results that are right."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from tests.stress import inputs_data, inputs_env, inputs_files, inputs_words
from tests.stress.cases import Case, Fault, Place, fail_unless, generator, quietly, scaled, shown
from tests.stress.children import script, start
from tests.stress.disk import changes, snapshot
from tests.stress.trials import Call, Trial, Words
from unlearn_gym.errors import UserError

COUNT = 300
MEMORY = 1 << 30
"""Bytes that a trial may take beyond what it starts with: a bomb ends in a ``MemoryError`` of its own."""
SECONDS = 60
KINDS: dict[str, tuple[float, Callable[[np.random.Generator], Trial]]] = {
    "keywords": (60, inputs_env.keyword),
    "actions": (20, inputs_env.action),
    "resets": (12, inputs_env.restart),
    "vectors": (8, inputs_env.vector),
    "arrays": (30, inputs_data.array),
    "folders": (20, inputs_data.folder),
    "checkpoints": (40, inputs_files.checkpoint),
    "runs": (20, inputs_files.run),
    "agents": (25, inputs_files.agent),
    "specs": (15, inputs_words.spec),
    "own code": (15, inputs_files.own_code),
    "words": (25, inputs_words.words),
    "YAML": (25, inputs_words.yaml_file),
}
"""Kind → how many of them, and what draws one."""


def cases(seed: int, scale: float) -> list[Case]:
    """Draw the trials, a share of each kind."""
    found: list[Case] = []
    total = sum(share for share, _ in KINDS.values())
    for kind, (share, draw) in KINDS.items():
        for _ in range(scaled(COUNT * share / total, scale)):
            trial = draw(generator(seed, "choice of inputs", len(found)))
            found.append(Case("inputs", len(found), kind, trial.title, partial(check, trial)))
    return found


def check(trial: Trial, place: Place) -> str:
    """Prepare a trial, try it, and evaluator."""
    folder = place.folder
    call = quietly(partial(trial.prepare, place))
    before = _snapshot(folder)
    _limit_memory()
    refusal = _called(call) if isinstance(call, Call) else _commanded(call, folder)
    changed = changes(before, _snapshot(folder))
    if refusal is None:
        fail_unless(not trial.refused, "it was taken without a word")
        may_change = isinstance(call, Words) and call.goes_on
        kept = "gone" not in changed and "changed" not in changed
        fail_unless(kept or may_change, f"taken, and its inputs: {changed}")
        return "taken"
    fail_unless(not changed, f"refused, but on the disk: {changed}")
    return "refused"


def _called(call: Call) -> str | None:
    """Return the sentence that refuses a call, None if it is taken with right results."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    try:
        quietly(call.body)
    except (UserError, gym.error.Error) as error:
        return _sentence(str(error))
    except (Fault, TimeoutError):
        raise
    except BaseException as error:
        if "unexpected keyword argument" in str(error):  # gymnasium.make's own words
            return str(error)
        raise Fault(f"{type(error).__name__}: {shown(str(error))}") from error
    finally:
        signal.alarm(0)
    return None


def _commanded(words: Words, folder: Path) -> str | None:
    """Return the sentence that refuses a command line, None if it ends with status 0 and right results."""
    child = start(script(*words.words), folder)
    ended = child.finish(SECONDS)
    fail_unless("Traceback" not in ended.errors, f"a traceback: {shown(ended.errors[-600:])}")
    if ended.status == 0:
        words.right(folder)
        return None
    lines = ended.sentences
    fail_unless(ended.status == 2, f"exit status {ended.status}: {shown(ended.errors)}")
    fail_unless(
        len(lines) == 1 and lines[0].startswith("error: "), f"no single line 'error: …' but {lines[-4:]}"
    )
    return _sentence(lines[0])


def _sentence(text: str) -> str:
    fail_unless(len(text) > 10 and "\n" not in text, f"the message is no sentence: {text[:200]!r}")
    return text


def _snapshot(folder: Path) -> dict[str, str]:
    """Return what lies there, but for locks and what a killed process left behind, which may be swept."""
    found = snapshot(folder)
    return {name: digest for name, digest in found.items() if ".lock" not in name and ".tmp-" not in name}


def _limit_memory() -> None:
    """Limit this process and its forks, each for itself."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:  # not Linux
        return
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _too_long(*_: Any) -> None:
    raise TimeoutError(f"hung for {SECONDS} s")
