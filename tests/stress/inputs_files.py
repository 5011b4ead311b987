"""Damaged and forged files: checkpoints of networks, run folders, agents, and code of the user's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from filelock import FileLock
from safetensors.torch import load_file, save_file

from tests.envs.small import small_kwargs
from tests.stress.cases import Fault, Place, fail_unless
from tests.stress.children import script, start
from tests.stress.disk import Wire, die
from tests.stress.mutations import BINARY, JSON, Damage
from tests.stress.runs import FOLDER, TRAININGS, reference, wired
from tests.stress.trials import Call, Trial, Words, drive
from unlearn_gym.agents import load

Tensors = dict[str, torch.Tensor]


def _pick(rng: np.random.Generator, names: list) -> str:
    return names[int(rng.integers(len(names)))]


def _tensors(change: Callable[[Tensors, str, np.random.Generator], None]) -> Damage:
    """Return what changes one tensor of a safetensors file."""

    def damage(file: Path, rng: np.random.Generator) -> None:
        tensors = load_file(file)
        change(tensors, _pick(rng, sorted(tensors)), rng)
        save_file(tensors, file)

    return damage


def _number(value: float) -> Callable[[Tensors, str, np.random.Generator], None]:
    def change(tensors: Tensors, name: str, rng: np.random.Generator) -> None:
        floats = [key for key in sorted(tensors) if tensors[key].is_floating_point() and tensors[key].numel()]
        tensors[_pick(rng, floats)].view(-1)[0] = value

    return change


def _rename(tensors: Tensors, name: str, rng: np.random.Generator) -> None:
    tensors[f"{name}.other"] = tensors.pop(name)


def _drop(tensors: Tensors, name: str, rng: np.random.Generator) -> None:
    del tensors[name]


def _add(tensors: Tensors, name: str, rng: np.random.Generator) -> None:
    tensors["no_such_layer.weight"] = torch.zeros(3)


def _reshape(tensors: Tensors, name: str, rng: np.random.Generator) -> None:
    tensors[name] = torch.zeros(*tensors[name].shape, 2)


def _integers(tensors: Tensors, name: str, rng: np.random.Generator) -> None:
    tensors[name] = tensors[name].to(torch.int64) + 7


TENSORS: dict[str, Damage] = {
    "NaN in a weight": _tensors(_number(float("nan"))),
    "infinite weight": _tensors(_number(float("inf"))),
    "renamed tensor": _tensors(_rename),
    "missing tensor": _tensors(_drop),
    "surplus tensor": _tensors(_add),
    "other shape": _tensors(_reshape),
    "whole numbers": _tensors(_integers),
    **BINARY,
}
UNET, SCHEDULER = "unet/config.json", "scheduler/scheduler_config.json"
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


def checkpoint(rng: np.random.Generator) -> Trial:
    """Draw damage to a diffusers folder. What may mean something else, such as a flipped bit, may be taken."""
    name = _pick(rng, [UNET, SCHEDULER, WEIGHTS])
    pool = TENSORS if name == WEIGHTS else JSON
    kind = _pick(rng, list(pool))
    strict = {"other JSON", "truncation", "empty file", "noise", "missing file", "folder in its place"}
    refused = kind in strict or (pool is TENSORS and kind not in ("bit flip", "whole numbers"))

    def prepare(place: Place) -> Call:
        kwargs = small_kwargs("unlearn_gym/SISS-v0", place.folder)
        pool[kind](kwargs["model"] / name, place.rng)
        return Call(lambda: drive(gym.make("unlearn_gym/SISS-v0", **kwargs)))

    return Trial(f"checkpoint, {name}: {kind}", prepare, refused)


TRAINING = TRAININGS[0]
"""Whose run folder and agent are damaged."""


def half_done(shared: Path) -> Path:
    """Return a run folder that was killed after its second checkpoint; made once."""
    whole = reference(TRAINING, shared)
    place = shared / "half"
    with FileLock(shared / "half.lock"):
        for at in range(whole.operations * 2 // 3, whole.operations) if not place.exists() else ():
            shutil.rmtree(shared / "half-made", ignore_errors=True)
            (shared / "half-made").mkdir()
            wire = Wire(shared / "half-made" / FOLDER, at, die)
            start(wired(wire, script(*TRAINING.words)), shared / "half-made").finish()
            if len(list((shared / "half-made").glob(f"{FOLDER}/checkpoints/0*"))) == 1:
                (shared / "half-made").rename(place)
                break
    return place / FOLDER


def run(rng: np.random.Generator) -> Trial:
    """Draw damage to the folder of a killed run, which is then resumed: refused, or the right end."""
    part = _pick(rng, ["config", "progress", "state", "tensors"])
    pool = {"config": BINARY, "progress": BINARY, "state": JSON, "tensors": TENSORS}[part]
    kind = _pick(rng, list(pool))

    def prepare(place: Place) -> Words:
        shutil.copytree(half_done(place.shared), place.folder / FOLDER)
        folder = place.folder / FOLDER
        file = {"config": folder / "config.yaml", "progress": folder / "progress.csv"}.get(part)
        suffix = "json" if part == "state" else "safetensors"
        pool[kind](file or next(folder.glob(f"checkpoints/0*/checkpoint.{suffix}")), place.rng)
        whole = reference(TRAINING, place.shared).folder
        return Words(TRAINING.again, lambda folder: _same(folder / FOLDER, whole), True)

    return Trial(f"run folder, {part}: {kind}", prepare, refused=False)


def _same(found: Path, whole: Path) -> None:
    try:
        TRAINING.compare(found, whole)
    except Fault as fault:
        raise Fault(f"it was resumed to another end: {fault}") from fault


def agent(rng: np.random.Generator) -> Trial:
    """Draw damage to a saved agent: none of it may go unnoticed."""
    part = _pick(rng, ["json", "safetensors"])
    pool = JSON if part == "json" else TENSORS
    kind = _pick(rng, list(pool))
    by_words = bool(rng.random() < 0.3)

    def prepare(place: Place) -> Call | Words:
        whole = reference(TRAINING, place.shared).folder
        shutil.copytree(whole / "agent", place.folder / "agent")
        pool[kind](place.folder / "agent" / f"agent.{part}", place.rng)
        if by_words:
            words = ("evaluate.py", "--env", "Quadratic-v0", "--seeds", "1", "--output", "report")
            return Words((*words, "--agents", "agent"))
        env = gym.make("unlearn_gym/Quadratic-v0")
        return Call(partial(_act_the_same, whole / "agent", place.folder / "agent", env))

    way = " (evaluate.py)" if by_words else ""
    return Trial(f"agent, {part}: {kind}{way}", prepare, refused=True)


def _act_the_same(whole: Path, damaged: Path, env: gym.Env) -> None:
    seen = np.random.default_rng(0).uniform(0, 1, (20, 6)).astype(np.float32)
    one, other = (load(folder, env).predict(seen, deterministic=True)[0] for folder in (damaged, whole))
    fail_unless(np.array_equal(one, other), "the damage went unnoticed, and the agent acts otherwise")


AGENT = """
import sys
import numpy as np
class Mine:
    def __init__(self, env): {init}
    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        {predict}
"""
METHOD = """
import sys
import torch
class UnlearningMethod:
    def __init__(self): {init}
    def unlearn_step(self, model, retain_batch, forget_batch, optimizer, step, epoch):
        {step}
"""
LEAVE, RAISE = "sys.exit(3)", "raise RuntimeError('of my own')"
ACTS = {
    "a syntax error": "class Mine(:",
    "no class": "x = 1",
    "an import that fails": "import no_such_module",
    "SystemExit at import": "raise SystemExit(0)",
    "binary": "\0\1\2",
    "no predict": "class Mine:\n    def __init__(self, env): pass",
    "a constructor that raises": AGENT.format(init=RAISE, predict="return None"),
    "a constructor that leaves": AGENT.format(init=LEAVE, predict="return None"),
    "predict raises": AGENT.format(init="pass", predict=RAISE),
    "predict leaves": AGENT.format(init="pass", predict=LEAVE),
    "predict returns None": AGENT.format(init="pass", predict="return None"),
    "predict returns NaN": AGENT.format(init="pass", predict="return np.array([np.nan]), state"),
    "predict returns two numbers": AGENT.format(init="pass", predict="return np.array([0.1, 0.2]), state"),
    "predict returns a text": AGENT.format(init="pass", predict="return 'half', state"),
    "predict without a state": AGENT.format(init="pass", predict="return np.array([0.5])"),
}
STEPS = {
    "a syntax error": "class UnlearningMethod(:",
    "no class": "x = 1",
    "SystemExit at import": "raise SystemExit(0)",
    "a constructor that raises": METHOD.format(init=RAISE, step="return {'loss': 0.0}"),
    "a constructor that leaves": METHOD.format(init=LEAVE, step="return {'loss': 0.0}"),
    "a step that raises": METHOD.format(init="pass", step=RAISE),
    "a step that leaves": METHOD.format(init="pass", step=LEAVE),
    "a step that returns None": METHOD.format(init="pass", step="return None"),
    "a step that returns a text": METHOD.format(init="pass", step="return {'loss': 'low'}"),
    "a step without loss": METHOD.format(init="pass", step="return {}"),
}
BENCHMARK = ("--benchmark", "digits", "--epochs", "1", "--pretrain-epochs", "1", "--fraction", "0.05")


def own_code(rng: np.random.Generator) -> Trial:
    """Draw a bad file of an agent or of an update rule; finished runs may stay, as they are right."""
    pool = (ACTS, STEPS)[int(rng.random() < 0.3)]
    kind = _pick(rng, list(pool))

    def prepare(place: Place) -> Words:
        file = place.folder / "mine.py"
        file.write_text(pool[kind])
        words = (
            "evaluate.py",
            "--seeds",
            "1",
            "--output",
            str(place.shared / "own" / place.folder.parent.name),
        )
        if pool is ACTS:
            return Words((*words, "--env", "Quadratic-v0", "--agents", "mine.py:Mine"))
        return Words((*words, *BENCHMARK, "--agents", "static:0.5", "--methods", "mine.py"))

    what = "agent" if pool is ACTS else "method"
    return Trial(f"own {what} file: {kind}", prepare, refused=True)


def no_nan(folder: Path) -> None:
    """Refuse results with NaN or infinity in them."""
    for file in (path for path in folder.rglob("*") if path.is_file()):
        if file.suffix == ".json":
            json.loads(file.read_text(), parse_constant=_no_number)
        if file.suffix == ".csv":
            cells = file.read_text().lower().replace("\n", ",").split(",")
            fail_unless(not {"nan", "inf", "-inf"} & set(cells), f"a number in {file.name} is not finite")


def _no_number(word: str) -> None:
    raise Fault(f"{word} in a JSON file")
