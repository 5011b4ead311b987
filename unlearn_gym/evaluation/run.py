"""One unlearning run of one agent: what it saw, chose and earned, step by step."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.benchmark.protocol import seeded_globals
from unlearn_gym.metrics.cost import PassCounter
from unlearn_gym.trajectories.episode import LATENTS, Latent
from unlearn_gym.trajectories.recording import inside


@dataclass
class Run:
    """A finished run of T updates (fewer when it diverged).

    Attributes:
        observations: the T + 1 observations, the first one before any update.
        lambdas: the λ that each update was made with.
        rewards: reward of each update.
        reward_terms: term name → its part of each reward.
        seconds: wall time of each environment step.
        diverged: whether the run ended because something was not finite.
        passes: direction → rows sent through the network in the whole run; empty where there is none.
        learning_rates: that each update was made with, where the agent controls it; else empty.
        actions: as they acted, inside the action space.
        latents: what they were drawn from, fields of ``Latent`` → a row an update; empty where that is not known.
        request: name of the deletion request, where the environment has several.
        truncated: whether the run was cut off.
    """

    observations: list[list[float]] = field(default_factory=list)
    lambdas: list[float] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    reward_terms: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    diverged: bool = False
    passes: dict[str, int] = field(default_factory=dict)
    learning_rates: list[float] = field(default_factory=list)
    actions: list[list[float]] = field(default_factory=list)
    latents: dict[str, list[list[float]]] = field(default_factory=dict)
    request: str = ""
    truncated: bool = False

    def add_action(self, action: np.ndarray, latent: Latent | None) -> None:
        """Take down what an agent does, shape (k,), and what it drew, a row of k numbers."""
        self.actions.append([float(value) for value in action])
        if latent is not None:
            for name in LATENTS:
                self.latents.setdefault(name, []).append([float(value) for value in getattr(latent, name)[0]])

    def add(self, observation: np.ndarray, reward: float, info: dict[str, Any], seconds: float) -> None:
        """Take down one step."""
        step = len(self.rewards)
        self.observations.append([float(value) for value in observation])
        self.lambdas.append(float(info["lambda"]))
        if "learning_rate" in info:
            self.learning_rates.append(float(info["learning_rate"]))
        self.rewards.append(float(reward))
        for name, value in info["reward_terms"].items():
            self.reward_terms.setdefault(name, [0.0] * step).append(float(value))
        for values in self.reward_terms.values():
            values.extend([0.0] * (step + 1 - len(values)))
        self.seconds.append(seconds)
        self.diverged = self.diverged or bool(info["diverged"])
        self.request = str(info.get("request", ""))

    def values(self) -> dict[str, float]:
        """Return the metrics that the run itself gives."""
        per_update = {
            f"{direction}_rows": rows / len(self.rewards) for direction, rows in self.passes.items()
        }
        return {
            "return": sum(self.rewards),
            **per_update,
            "seconds_per_update": statistics.median(self.seconds),
        }


RUN_METRICS = ("return", "seconds_per_update")
"""Names of what ``Run.values`` gives for every environment."""
PASS_METRICS = ("forward_rows", "backward_rows")
"""Names of what it gives besides where the environment has a network."""


def network(env: gym.Env) -> nn.Module | None:
    """Return the network that an environment unlearns, or None where there is none."""
    model = getattr(getattr(env.unwrapped, "process", None), "model", None)
    return model if isinstance(model, nn.Module) else None


def passed(env: gym.Env) -> tuple[nn.Module, ...]:
    """Return the networks whose passes an update costs: the one that is unlearned, unless the process names others."""
    model = network(env)
    own = getattr(getattr(env.unwrapped, "process", None), "networks", None)
    return own or (() if model is None else (model,))


def warm_up(env: gym.Env) -> None:
    """Make one update and forget it: what a process looks at once, such as the network's layers, is not counted
    as the first run's passes, so that a run's numbers do not depend on which runs its process made before.
    """
    env.reset(seed=0, options={"restore": True})
    env.step(env.action_space.low)  # type: ignore[attr-defined]


def put_back(env: gym.Env, weights: Path) -> None:
    """Give an environment's network the weights that an earlier run left.

    Args:
        env: the environment, whose next reset restores the original weights.
        weights: safetensors of the network's ``state_dict``.

    Raises:
        UserError: when they cannot be read or are another network's.
    """
    env.reset(seed=0, options={"restore": True})
    model = network(env)
    try:
        if model is None:
            raise ValueError("there is none here")
        model.load_state_dict(load_file(weights))
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UserError(
            f"The weights {weights} do not fit the network of this environment ({type(error).__name__}); evaluate the "
            "run in an environment with the model that it was trained on."
        ) from error


def rollout(env: gym.Env, agent: Any, seed: int, deterministic: bool = True) -> Run:
    """Let an agent unlearn once from the original weights.

    Two agents with one seed see the same minibatches, noise and timesteps (common random numbers).

    Args:
        env: an unlearning environment; wrapped or not.
        agent: has ``predict`` as Stable-Baselines3 has it; recurrent state is carried. Where it has them,
            ``begin(seed)`` is called before the run and ``feedback(observation, action, reward, info)``, with
            the observation that the action was chosen on, after each step.
        seed: of every draw; the global generators are seeded too, for agents that draw from them, and put back.
        deterministic: passed to ``predict``.

    Raises:
        UserError: when ``predict`` returns anything but an action, one finite number for each control, and a state.
    """
    networks = passed(env)
    env.action_space.seed(seed)  # agents may sample from it
    with seeded_globals(seed):
        if not networks:
            return _rollout(env, agent, seed, deterministic)
        with PassCounter(*networks) as counter:
            run = _rollout(env, agent, seed, deterministic)
    run.passes = {"forward": counter.forward_rows, "backward": counter.backward_rows}
    return run


def _rollout(env: gym.Env, agent: Any, seed: int, deterministic: bool) -> Run:
    begin, feedback = getattr(agent, "begin", None), getattr(agent, "feedback", None)
    if begin is not None:
        begin(seed)
    observation, _ = env.reset(seed=seed, options={"restore": True})
    run = Run(observations=[[float(value) for value in observation]])
    state, start, terminated, truncated = None, np.ones(1, dtype=bool), False, False
    while not (terminated or truncated):
        chosen = agent.predict(observation, state=state, episode_start=start, deterministic=deterministic)
        if not (isinstance(chosen, tuple) and len(chosen) == 2):
            raise UserError(f"predict returned {chosen!r:.60}, not the action and the state; return both.")
        action, state = chosen
        began = time.perf_counter()
        following, reward, terminated, truncated, info = env.step(action)
        run.add(following, float(reward), info, time.perf_counter() - began)
        run.add_action(inside(action, env.action_space), getattr(agent, "latent", None))
        if feedback is not None:
            feedback(observation, action, float(reward), info)
        observation, start = following, np.zeros(1, dtype=bool)
    run.truncated = bool(truncated)
    return run
