"""One unlearning run with a policy, step by step, that goes on after a kill to the same weights."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from tqdm import tqdm

from unlearn_gym.agents.training import checkpoints
from unlearn_gym.applying.cases.base import Case
from unlearn_gym.applying.watch import Watch
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.benchmark.protocol import seeded_globals

SAVING_SHARE = 0.05
"""Of the time, what saving may take."""
SHORTEST = 1.0
"""Seconds between two saved states."""


class DivergedError(UserError):
    """An update left numbers that are not finite."""


@dataclass
class Trail:
    """What was seen and done so far.

    Attributes:
        observations: one more than there were updates, float32.
        actions: what the policy chose.
        rewards: what it earned.
        infos: what each update told.
    """

    observations: list[np.ndarray] = field(default_factory=list)
    actions: list[np.ndarray] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    infos: list[dict[str, Any]] = field(default_factory=list)

    def add(self, action: np.ndarray, reward: float, info: dict[str, Any], following: np.ndarray) -> None:
        """Take down one update."""
        self.actions.append(action)
        self.rewards.append(reward)
        self.infos.append(info)
        self.observations.append(following)

    def rows(self, seen: Sequence[str]) -> list[dict[str, float]]:
        """Return an update a row: λ (and the learning rate), the loss that it descended, and what was seen before.

        Args:
            seen: names of the first numbers of an observation.
        """
        return [
            {
                "update": number,
                **{key: info[key] for key in ("lambda", "learning_rate", "loss") if key in info},
                **dict(zip(seen, map(float, observation), strict=False)),
            }
            for number, (observation, info) in enumerate(
                zip(self.observations, self.infos, strict=False), start=1
            )
        ]

    def state_dict(self) -> dict[str, Any]:
        """Everything, in few arrays."""
        return {
            "observations": np.stack(self.observations),
            "actions": np.stack(self.actions),
            "rewards": list(self.rewards),
            "infos": list(self.infos),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what ``state_dict`` returned."""
        self.observations, self.actions = list(state["observations"]), list(state["actions"])
        self.rewards, self.infos = list(state["rewards"]), list(state["infos"])


class Clock:
    """Says when to save, so that it takes no more than ``SAVING_SHARE`` of the time."""

    def __init__(self) -> None:
        self._last, self._began, self._cost = time.monotonic(), 0.0, 0.0

    def due(self) -> bool:
        """Say whether it is time; saving then begins."""
        self._began = time.monotonic()
        return self._began - self._last > max(SHORTEST, self._cost / SAVING_SHARE)

    def saved(self) -> None:
        """Hear that it was saved."""
        self._last = time.monotonic()
        self._cost = self._last - self._began


class Policy:
    """A policy at work in one run, which can be brought to where it was by showing it the same again.

    Args:
        agent: whatever has ``predict``.
        seed: of the run.
    """

    def __init__(self, agent: Any, seed: int) -> None:
        self._agent, self._state, self._first = agent, None, True
        if (begin := getattr(agent, "begin", None)) is not None:
            begin(seed)

    def choose(self, observation: np.ndarray) -> np.ndarray:
        """Return the action for an observation."""
        start = np.array([self._first])
        chosen = self._agent.predict(observation, state=self._state, episode_start=start, deterministic=True)
        if not (isinstance(chosen, tuple) and len(chosen) == 2):
            raise UserError(f"predict returned {chosen!r:.60}, not the action and the state; return both.")
        action, self._state = chosen
        self._first = False
        return np.asarray(action)

    def hear(self, observation: np.ndarray, action: np.ndarray, reward: float, info: dict[str, Any]) -> None:
        """Tell the policy what came of its action."""
        if (feedback := getattr(self._agent, "feedback", None)) is not None:
            feedback(observation, action, reward, info)

    def replay(self, trail: Trail, folder: Path) -> None:
        """Show it a run so far.

        Raises:
            UserError: when it chooses otherwise this time.
        """
        for observation, action, reward, info in zip(
            trail.observations, trail.actions, trail.rewards, trail.infos, strict=False
        ):
            if not np.array_equal(self.choose(observation), action):
                raise UserError(
                    f"The policy chooses otherwise than it did before the run was broken off; delete {folder} to "
                    "start again."
                )
            self.hear(observation, action, reward, info)


def unlearn(case: Case, env: gym.Env, agent: Any, *, seed: int, watch: Watch, folder: Path) -> Trail:
    """Run a policy to the end of the episode; the environment keeps the weights.

    Args:
        case: what is unlearned.
        env: its environment.
        agent: whatever has ``predict``.
        seed: of every draw.
        watch: what warns.
        folder: where the state is kept, and taken up from where a killed run left one.

    Raises:
        DivergedError: when an update diverges.
        UserError: when the state in the folder is damaged.
    """
    env.action_space.seed(seed)
    with seeded_globals(seed):
        return _unlearn(case, env, Policy(agent, seed), seed, watch, folder)


def _unlearn(case: Case, env: gym.Env, policy: Policy, seed: int, watch: Watch, folder: Path) -> Trail:
    inner: Any = env.unwrapped
    observation, _ = env.reset(seed=seed, options={"restore": True})
    trail = Trail([observation])
    state = checkpoints.latest(folder)
    if state is None:
        watch.look(0, case.glance(inner.process.model))
    else:
        inner.load_state_dict(state["env"])
        trail.load_state_dict(state["trail"])
        watch.load_state_dict(state["watch"])
        policy.replay(trail, folder)
    clock, first = Clock(), len(trail.actions)
    bar = tqdm(total=inner.horizon, initial=first, desc="unlearning", unit="update", mininterval=0.5)
    with bar:
        for done in range(first + 1, inner.horizon + 1):
            now = trail.observations[-1]
            action = policy.choose(now)
            following, reward, _, _, info = env.step(action)
            if info["diverged"]:
                raise DivergedError(
                    f"Update {done} left numbers that are not finite; give a smaller learning rate. Nothing was "
                    "written."
                )
            policy.hear(now, action, float(reward), info)
            trail.add(action, float(reward), info, following)
            bar.update()
            if watch.due(done):
                for said in watch.look(done, case.glance(inner.process.model)):
                    tqdm.write(f"warning: {said}", file=sys.stderr)
            if clock.due():
                parts = {"env": inner, "trail": trail, "watch": watch}
                checkpoints.write(folder, done, {name: part.state_dict() for name, part in parts.items()})
                clock.saved()
    return trail
