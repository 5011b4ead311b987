"""The Gymnasium face that every unlearning process wears."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np

from unlearn_gym.envs.rewards import make_reward
from unlearn_gym.errors import UserError
from unlearn_gym.processes.base import LAMBDA_0, Process, Signals, Update

OBSERVATION_NAMES = ("L_retain", "L_forget", "|grad L_retain|", "|grad L_forget|", "lambda_{t-1}", "t/T")
OBSERVATION_LIMIT = 1e6
"""Losses and norms above it are reported as this number, so that the observation space is bounded."""


class UnlearningEnv(gym.Env[np.ndarray, np.ndarray]):
    """State, action, reward and episode of the unlearning MDP (paper, section 5.3 and appendix C).

    Args:
        process: the system to steer.
        horizon: updates per episode, T.
        lambda_range: smallest and largest λ.
        alpha: weight of the smoothness penalty (λ_t − λ_{t−1})².
        reward: a name in ``unlearn_gym.envs.rewards.REWARDS``.
        forget_cap: forget loss beyond which the ``progress`` reward sees no further gain.
        retain_weight: weight of lost retain quality in the ``progress`` reward.
        divergence_penalty: reward lost for each remaining step when the weights diverge.
        online: keep weights, optimizer and step counter at an unseeded ``reset``.
        render_mode: one of ``metadata["render_modes"]`` or None.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012 (Gymnasium's own)

    def __init__(
        self,
        process: Process,
        *,
        horizon: int,
        lambda_range: tuple[float, float],
        alpha: float,
        reward: str,
        forget_cap: float,
        retain_weight: float,
        divergence_penalty: float,
        online: bool,
        render_mode: str | None,
    ) -> None:
        low, high = (float(end) for end in lambda_range)
        if not 0.0 <= low < high:
            raise UserError(f"lambda_range={lambda_range} is not a range; give 0 <= low < high.")
        for name, value in (
            ("alpha", alpha),
            ("retain_weight", retain_weight),
            ("divergence_penalty", divergence_penalty),
        ):
            if not 0.0 <= value < math.inf:
                raise UserError(f"{name}={value} is not a weight; give a finite number of at least 0.")
        if horizon < 1:
            raise UserError(f"horizon={horizon} is no number of updates; give at least 1.")
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            modes = ", ".join(self.metadata["render_modes"])
            raise UserError(f"render_mode={render_mode!r} is not known; choose one of {modes} or None.")
        self.process = process
        self.horizon, self.alpha, self.online = int(horizon), float(alpha), online
        self.divergence_penalty = divergence_penalty
        self.render_mode = render_mode
        self.action_space = gym.spaces.Box(low, high, (1,), np.float32)
        self.observation_space = gym.spaces.Box(
            np.zeros(6, np.float32),
            np.array([OBSERVATION_LIMIT] * 4 + [max(1.0, high), 1.0], np.float32),
        )
        self._reward = make_reward(reward, forget_cap, retain_weight)
        self._low, self._high = low, high
        self._step = 0
        self._lambda = float(np.clip(LAMBDA_0, low, high))
        self._signals: Signals | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode.

        A seed, ``options={"restore": True}`` or a finished run starts from the original weights; so does every
        reset of an episodic environment. Any other reset of an online environment goes on where it stands.
        """
        super().reset(seed=seed)
        if self.starts_over(seed=seed, options=options):
            self._step = 0
            self._lambda = float(np.clip(LAMBDA_0, self._low, self._high))
            self._signals = self.process.reset(self.np_random)
            self._reward.reset(self.process)
        return self._observation(), {"step": self._step, "lambda": self._lambda}

    def starts_over(self, *, seed: int | None, options: dict[str, Any] | None) -> bool:
        """Whether a ``reset`` with these arguments would go back to the original weights."""
        restore = bool((options or {}).get("restore", False))
        fresh_start = self._signals is None or self._step >= self.horizon
        return not self.online or restore or seed is not None or fresh_start

    def step(self, action: np.ndarray) -> tuple[np.ndarray, SupportsFloat, bool, bool, dict[str, Any]]:
        """Apply one update at λ = ``action``; see the class docstring of the environment.

        Raises:
            UserError: if the action is not one finite number.
        """
        if self._signals is None:
            raise UserError("step() was called before reset(); call reset() first.")
        lam, clipped = self.admit(action)
        update = self.process.update(lam)
        signals = self._signals if update.diverged else self.process.observe()
        diverged = update.diverged or not signals.finite
        if diverged:
            if not update.diverged:
                self.process.undo()
            terms = {"divergence": -self.divergence_penalty * (self.horizon - self._step)}
        else:
            self._signals = signals
            terms = self._reward.terms(update, self.process)
            terms["smoothness"] = -self.alpha * (lam - self._lambda) ** 2
        self._step += 1
        self._lambda = lam
        info = self._info(update, terms, clipped=clipped, diverged=diverged)
        # T updates are the task and t/T is observed, so its end is a termination, never a truncation.
        terminated = diverged or self._step >= self.horizon
        return self._observation(), float(sum(terms.values())), terminated, False, info

    def admit(self, action: Any) -> tuple[float, bool]:
        """Return λ inside its range, and whether the action lay outside."""
        values = np.asarray(action, dtype=np.float64).reshape(-1)
        if values.size != 1 or not np.isfinite(values[0]):
            raise UserError(f"The action {action!r} is not one finite λ; give an array of shape (1,).")
        lam = min(max(float(values[0]), self._low), self._high)
        # the ends of the action space are float32, so they may lie a rounding outside
        return lam, abs(lam - float(values[0])) > 1e-6

    def _observation(self) -> np.ndarray:
        assert self._signals is not None
        losses = np.clip(list(asdict(self._signals).values()), 0.0, OBSERVATION_LIMIT)
        return np.array([*losses, self._lambda, self._step / self.horizon], dtype=np.float32)

    def _info(
        self, update: Update, terms: dict[str, float], *, clipped: bool, diverged: bool
    ) -> dict[str, Any]:
        return {
            "step": self._step,
            "lambda": self._lambda,
            "clipped": clipped,
            "diverged": diverged,
            "loss": update.loss,
            "dloss_dlambda": update.dloss_dlambda,
            "dvariance_dlambda": update.dvariance_dlambda,
            "reward_terms": terms,
        }

    def render(self) -> Any:
        """Return one line of text in ``ansi`` mode, an image in ``rgb_array`` mode, None without a mode."""
        if self.render_mode == "ansi":
            return self._line()
        return self._picture() if self.render_mode == "rgb_array" else None

    def _line(self) -> str:
        if self._signals is None:
            return "not started"
        values = " ".join(f"{name}={value:.4g}" for name, value in asdict(self._signals).items())
        return f"step {self._step}/{self.horizon} lambda={self._lambda:.3f} {values}"

    def _picture(self) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} lists rgb_array without drawing it.")

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on after a kill."""
        return {
            "process": self.process.state_dict(),
            "rng": self.np_random.bit_generator.state,
            "reward": dict(vars(self._reward)),
            "step": self._step,
            "lambda": self._lambda,
            "signals": None if self._signals is None else asdict(self._signals),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where ``state_dict`` was taken."""
        self.process.load_state_dict(state["process"])
        self.np_random.bit_generator.state = state["rng"]
        vars(self._reward).update(state["reward"])
        self._step, self._lambda = state["step"], state["lambda"]
        self._signals = None if state["signals"] is None else Signals(**state["signals"])
