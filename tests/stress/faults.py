"""Injected faults: numbers that are not finite in every registered environment, and disks that fail."""

from __future__ import annotations

import math
import resource
import sys
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from tests.envs.small import small_kwargs
from tests.stress.cases import Case, Place, fail_unless, generator, quietly, scaled, shown
from tests.stress.children import script, start
from tests.stress.disk import Wire, forbidden, full
from tests.stress.poison import OF_ANY, POINTS, Poison, into_stack_row
from tests.stress.runs import EVALUATIONS, FOLDER, TRAININGS, Command, pick, reference, wired
from unlearn_gym.errors import UserError

SEED, NEW_SEED, COPY = 3, 11, 1
LAST = 5
"""Steps before which a fault happens; an episode has one more."""
TRIES = {"single": 8, "loop": 4, "stacked": 4}
SLOW = ("VGG16BN", "MobileNetV2")
"""Networks whose every step takes a second: one try each, and no second id of them in loops and stacks."""
VALUES = (math.nan, math.inf, -math.inf)
FIRST = "first state"
DISKS = 24
DISK_FAULTS = ("full", "forbidden", "file too large")


def ids() -> list[str]:
    """Return every registered id."""
    return sorted(name for name in gym.registry if name.startswith("unlearn_gym/"))


def cases(seed: int, scale: float) -> list[Case]:
    """Return one case for each id and way of stepping, and the failing disks."""
    ways = [(way, name) for way in TRIES for name in ids() if way == "single" or not _twin(name)]
    order = generator(seed, "choice of faults", 0).permutation(len(ways))
    chosen = sorted(order[: scaled(len(ways), scale)])
    found: list[Case] = []
    for number in chosen:
        way, name = ways[number]
        check: Any = {"single": single, "loop": loop, "stacked": stacked}[way]
        tries = 1 if any(word in name for word in SLOW) else TRIES[way]
        found.append(Case("faults", int(number), way, f"{way} {name}", partial(check, name, tries)))
    commands = tuple(each for each in TRAININGS + EVALUATIONS if not each.name.endswith(("x2", "j2")))
    for number in range(len(ways), len(ways) + scaled(DISKS, scale)):
        rng = generator(seed, "choice of faults", number)
        fault, command = DISK_FAULTS[number % 3], pick(commands, float(rng.random()))
        title = f"disk {fault}: {command.name}"
        found.append(Case("faults", number, "disk", title, partial(disk, fault, command)))
    return found


def _twin(name: str) -> bool:
    return "Online" in name and any(word in name for word in SLOW)


def _kwargs(name: str, place: Place, point: str) -> dict[str, Any]:
    """Return cheap keywords; the probe matters to the ``progress`` reward only, the state when it is fresh."""
    kwargs = {**small_kwargs(name, place.folder), "horizon": LAST + 1}
    if "Quadratic" in name:
        return kwargs
    if point == "probe":
        kwargs["reward"] = "progress"
    else:
        kwargs["state"] = ("fresh", "lagged")[int(place.rng.integers(2))]
    return kwargs


def _actions(env: Any, rng: np.random.Generator, count: int, copies: int | None = None) -> list[np.ndarray]:
    space = env.action_space if copies is None else env.single_action_space
    shape = (1,) if copies is None else (copies, 1)
    return [rng.uniform(space.low[0], space.high[0], shape).astype(np.float32) for _ in range(count)]


def _finite(value: Any) -> bool:
    """Say whether all numbers in what ``step`` returned are finite, but for the loss that was lost."""
    if isinstance(value, dict):
        return all(_finite(item) for key, item in value.items() if not _is_diagnostic(key))
    if isinstance(value, list | tuple):
        return all(map(_finite, value))
    array = np.asarray(value)
    return bool(np.isfinite(array).all()) if array.dtype.kind in "fc" else True


def _is_diagnostic(key: str) -> bool:
    return key in ("loss", "dloss_dlambda", "dvariance_dlambda")


def single(name: str, tries: int, place: Place) -> str:
    """Poison one environment at a random step: it ends there, finite, and starts as a new one does."""
    points = [*(OF_ANY if "Quadratic" in name else POINTS), FIRST]
    for _ in range(tries):
        point = points[int(place.rng.integers(len(points)))]
        value = VALUES[int(place.rng.integers(3))]
        kwargs = _kwargs(name, place, point)
        env, fresh = (quietly(partial(gym.make, name, **kwargs)) for _ in range(2))
        at = int(place.rng.integers(1, LAST))
        what = f"{point}={value} at step {at} ({kwargs.get('state', 'fresh')})"
        if point == FIRST:
            _poison_first(env, value, what)
        else:
            _poison_single(env, point, value, at, place, what)
        _start_alike(env, fresh, place, what)
    return "diverged"


def _poison_single(env: Any, point: str, value: float, at: int, place: Place, what: str) -> None:
    process, poison = env.unwrapped.process, Poison(value)
    env.reset(seed=SEED)
    undo = POINTS[point](process, poison)
    actions = _actions(env, place.rng, at)
    for action in actions[:-1]:
        fail_unless(not env.step(action)[2], f"it ended before {what}")
    before = _weights(process)
    poison.armed = True
    observation, reward, terminated, truncated, info = env.step(actions[-1])
    undo()
    fail_unless(poison.taken, f"the stress run itself is wrong: {what} was never taken")
    fail_unless(info["diverged"] is True, f"{what} did not diverge: reward {reward}, state {observation}")
    fail_unless(terminated and not truncated, f"{what} did not end the episode")
    fail_unless(_finite([observation, float(reward), info]), f"{what}: reward {reward}, info {info}")
    inside = env.observation_space.contains(observation)
    fail_unless(inside, f"{what}: the last state {observation} is outside its space")
    same = all(torch.equal(one, other) for one, other in zip(before, _weights(process), strict=True))
    fail_unless(same, f"{what}: weights or statistics are not the last finite ones")


def _weights(process: Any) -> list[torch.Tensor]:
    if not hasattr(process, "model"):
        return [torch.tensor(process.theta)]
    return [tensor.detach().clone() for tensor in process.model.state_dict().values()]


def _start_alike(env: Any, fresh: Any, place: Place, what: str) -> None:
    """Compare a reset after the fault, and two steps, with those of an environment that is new."""
    actions = _actions(env, place.rng, 2)
    seen = [
        [each.reset(seed=NEW_SEED)[0], *(each.step(action)[0] for action in actions)] for each in (env, fresh)
    ]
    same = all(np.array_equal(one, other) for one, other in zip(*seen, strict=True))
    fail_unless(same, f"after {what}, the next episode is not a fresh one's: {seen[0]} and {seen[1]}")


def _poison_first(env: Any, value: float, what: str) -> None:
    """A first state that is not finite is refused in a sentence."""
    # Gymnasium's passive checker fails at the next step if the very first reset of all failed
    env.reset(seed=SEED)
    poison = Poison(value, armed=True)
    undo = POINTS["observation"](env.unwrapped.process, poison)
    try:
        observation, _ = env.reset(seed=SEED)
    except UserError as error:
        fail_unless("\n" not in str(error), "the message of a reset that is not finite has several lines")
    else:
        fail_unless(False, f"{what}: reset returned {observation}")
    finally:
        undo()


def loop(name: str, tries: int, place: Place) -> str:
    """Poison one of three environments in a loop: it alone ends."""
    points = list(OF_ANY) if "Quadratic" in name else list(POINTS)
    for _ in range(tries):
        point = points[int(place.rng.integers(len(points)))]
        envs, calm = _many(name, point, "loop", place)
        inject = partial(POINTS[point], envs.envs[COPY].unwrapped.process)
        _compare_many(envs, calm, point, inject, place)
    return "diverged"


def stacked(name: str, tries: int, place: Place) -> str:
    """Poison one of three copies of a stack: it alone ends."""
    points = into_stack_row(COPY)
    for _ in range(tries):
        point = list(points)[int(place.rng.integers(len(points)))]
        try:
            envs, calm = _many(name, point, "stacked", place)
        except UserError:
            return "cannot be stacked"
        _compare_many(envs, calm, point, partial(points[point], envs.stack), place)
    return "diverged"


def _many(name: str, point: str, way: str, place: Place) -> tuple[Any, Any]:
    kwargs = {**_kwargs(name, place, point), "num_envs": 3, "vectorization": way}
    envs, calm = (quietly(partial(gym.make_vec, name, **kwargs)) for _ in range(2))
    return envs, calm


def _compare_many(envs: Any, calm: Any, point: str, inject: Any, place: Place) -> None:
    poison = Poison(VALUES[int(place.rng.integers(3))])
    at = int(place.rng.integers(1, LAST))
    actions = _actions(envs, place.rng, at + 1, 3)
    for each in (envs, calm):
        each.reset(seed=SEED)
    undo = inject(poison)
    for action in actions[: at - 1]:
        for each in (envs, calm):
            each.step(action)
    poison.armed = True
    observations, rewards, ends, cuts, infos = envs.step(actions[at - 1])
    expected = calm.step(actions[at - 1])
    undo()
    what = f"{point}={poison.value} at step {at}"
    fail_unless(poison.taken, f"the stress run itself is wrong: {what} was never taken")
    fail_unless(ends.tolist() == [False, True, False] and not cuts.any(), f"{what}: it ended {ends.tolist()}")
    info = infos.get("final_info", infos)
    fail_unless(info["diverged"][COPY], f"{what}: the copy is not said to have diverged")
    fail_unless(_finite([observations, rewards, info]), f"{what}: numbers that are not finite: {rewards}")
    _others_alike(observations, expected[0], f"{what}: another copy was changed")
    found, calmly = (each.step(actions[at])[0] for each in (envs, calm))
    _others_alike(found, calmly, f"after {what}, another copy goes on otherwise")
    pair = [each.reset(seed=NEW_SEED)[0] for each in (envs, calm)]
    fail_unless(np.array_equal(*pair), f"after {what}, a seeded reset is not a fresh one's")


def _others_alike(found: np.ndarray, expected: np.ndarray, sentence: str) -> None:
    others = [row for row in range(len(found)) if row != COPY]
    fail_unless(np.allclose(found[others], expected[others], rtol=1e-4, atol=1e-6), sentence)


def disk(fault: str, command: Command, place: Place) -> str:
    """Let the disk fail from a random operation on: one sentence, and the run goes on to the same end."""
    whole = reference(command, place.shared)
    folder = place.folder / FOLDER
    body = script(*command.words)
    if fault == "file too large":
        child = start(_limited(int(place.rng.integers(500, 60_000)), body), place.folder)
    else:
        at = int(place.rng.integers(1, whole.operations + 1))
        act = {"full": full, "forbidden": forbidden}[fault]
        child = start(wired(Wire(folder, at, act), body), place.folder)
    ended = child.finish()
    lines = ended.sentences
    fail_unless("Traceback" not in ended.errors, f"a traceback: {shown(ended.errors[-600:])}")
    if ended.status:
        fail_unless(ended.status == 2, f"exit status {ended.status}: {shown(ended.errors)}")
        fail_unless(len(lines) == 1 and lines[0].startswith("error: "), f"no single line: {lines[-4:]}")
    child = start(script(*command.next_words(place.folder)), place.folder)
    again = child.finish()
    fail_unless(again.status == 0, f"with the disk mended it fails: {shown(again.errors)}")
    command.compare(Path(folder), whole.folder)
    return "refused" if ended.status else "done"


def _limited(size: int, body: Any) -> Any:
    """Return ``body`` where no file can be larger than ``size`` bytes."""

    def limited() -> None:
        sys.dont_write_bytecode = (
            True  # Python itself would leave half a .pyc of a module that it compiles here
        )
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        body()

    return limited
