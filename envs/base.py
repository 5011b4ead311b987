"""The Gymnasium face that every unlearning process wears."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np

from unlearn_gym.envs.checks import OPTIONS, check_keywords, check_options, check_seed
from unlearn_gym.envs.rendering.curves import Curves, beside
from unlearn_gym.envs.rewards import SIDES, Reward, make_reward
from unlearn_gym.envs.spaces.actions import CONTROLS, ENCODINGS
from unlearn_gym.envs.spaces.observations import Moment
from unlearn_gym.envs.spaces.observers import OBSERVERS
from unlearn_gym.errors import UserError
from unlearn_gym.processes.base import LAMBDA_0, Process, Signals, Update

LARGEST_REWARD = float(np.finfo(np.float32).max)
"""Learners keep rewards in float32."""
NOTHING_YET = Update(0.0, 0.0, 0.0)
"""What ``info`` shows before the first update: the keys of every step, with zeros."""


class UnlearningEnv(gym.Env[np.ndarray, np.ndarray]):
    """State, action, reward and episode of the unlearning MDP (paper, section 5.3 and appendix C).

    Args:
        process: the system to steer.
        horizon: updates per episode, T.
        lambda_range: smallest and largest λ.
        alpha: weight of the smoothness penalty (λ_t − λ_{t−1})².
        reward: a name in ``unlearn_gym.envs.rewards.REWARDS``, or an instance, which is copied.
        reward_kwargs: keywords of the reward that is named.
        divergence_penalty: reward lost for each remaining step when the weights diverge.
        online: keep weights, optimizer and step counter at an unseeded ``reset``.
        render_mode: one of ``metadata["render_modes"]`` or None.
        observation: a name in ``unlearn_gym.envs.spaces.observers.OBSERVERS``.
        action: a name in ``unlearn_gym.envs.spaces.actions.ENCODINGS``.
        control: what an action sets, an element of ``unlearn_gym.envs.spaces.actions.CONTROLS``.

    Attributes:
        encoding: what actions mean, and ``observer`` what observations are made by.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}  # noqa: RUF012 (Gymnasium's own)
    reset_options: tuple[str, ...] = OPTIONS
    """Keys that ``reset(options=...)`` knows."""
    stackable: bool = True
    """Whether copies differ in weights and draws alone."""

    def __init__(
        self,
        process: Process,
        *,
        horizon: int,
        lambda_range: tuple[float, float],
        alpha: float,
        reward: str | Reward,
        reward_kwargs: Mapping[str, Any] | None = None,
        divergence_penalty: float,
        online: bool,
        render_mode: str | None,
        observation: str = "state",
        action: str = "lambda",
        control: Sequence[str] = CONTROLS[0],
    ) -> None:
        check_keywords(locals())
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            modes = ", ".join(self.metadata["render_modes"])
            raise UserError(f"render_mode={render_mode!r} is not known; choose one of {modes} or None.")
        self.process = process
        self.horizon, self.alpha, self.online = int(horizon), float(alpha), bool(online)
        self.divergence_penalty = float(divergence_penalty)
        self.render_mode = render_mode
        self.encoding = ENCODINGS[action](lambda_range, control)
        if self.encoding.sets_learning_rate and process.learning_rate is None:
            raise UserError("There is no learning rate to control in this environment; leave control= out.")
        self._low, self._high = self.encoding.low, self.encoding.high
        self.observer = OBSERVERS[observation](self._low, self._high)
        self.observer.attach(self)
        self.action_space, self.observation_space = self.encoding.space, self.observer.space
        self._reward = make_reward(reward, **(reward_kwargs or {}))
        self._sides: tuple[str, ...] = getattr(self._reward, "names", SIDES)
        if hasattr(self._reward, "attach"):
            self._reward.attach(self)
        self._step = 0
        self._lambda, self._factor = float(np.clip(LAMBDA_0, self._low, self._high)), 1.0
        self._signals: Signals | None = None
        self._curves = self._new_curves()

    def _new_curves(self) -> Curves | None:
        """Return what remembers the steps so far, where they are to be drawn."""
        if self.render_mode != "rgb_array":
            return None
        return Curves(self.horizon, (self._low, self._high))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode.

        A seed, ``options={"restore": True}`` or a finished run starts from the original weights; so does every
        reset of an episodic environment. Any other reset of an online environment goes on where it stands.
        ``info`` has the keys and types of a step's, with zeros for what only an update has.

        Raises:
            UserError: on another seed than a whole number, an unknown option, or original weights or data that
                are broken, so that not all losses and norms are finite.
        """
        check_options(options, self.reset_options)
        super().reset(seed=check_seed(seed))
        if self.starts_over(seed=seed, options=options):
            self._begin(seed, options or {})
            self._step, self._signals = 0, None
            self._lambda, self._factor = float(np.clip(LAMBDA_0, self._low, self._high)), 1.0
            signals = self.process.reset(self.np_random)
            if not signals.finite:
                raise UserError(
                    f"The original model's losses and gradients are not finite ({_named(signals)}); "
                    "check its weights and the data."
                )
            self._reward.reset(self.process)
            self._signals = signals
            self.observer.start(signals)
            if self._curves is not None:
                self._curves.start(signals)
        return self._observation(), self._info(NOTHING_YET, {}, clipped=False, diverged=False)

    def _begin(self, seed: int | None, options: dict[str, Any]) -> None:
        """Choose what the process is to start on, where there is a choice; called before its reset."""

    def starts_over(self, *, seed: int | None, options: dict[str, Any] | None) -> bool:
        """Whether a ``reset`` with these arguments would go back to the original weights."""
        restore = check_options(options, self.reset_options)
        fresh_start = self._signals is None or self._step >= self.horizon
        return not self.online or restore or seed is not None or fresh_start

    def step(self, action: np.ndarray) -> tuple[np.ndarray, SupportsFloat, bool, bool, dict[str, Any]]:
        """Apply one update at λ = ``action``; see the class docstring of the environment.

        Raises:
            UserError: if the action has another shape, or a number that is not finite.
        """
        if self._signals is None:
            raise UserError("step() was called before reset(); call reset() first.")
        decision = self.encoding.decode(action)
        lam = decision.lam
        if self.encoding.sets_learning_rate:
            self.process.scale_learning_rate(decision.factor)
        update = self.process.update(lam)
        earned = None if update.diverged else self._earned(update, lam)
        diverged = earned is None
        if diverged and not update.diverged:
            self.process.undo()
        if earned is None:
            earned = {"divergence": -self.divergence_penalty * (self.horizon - self._step)}
            if hasattr(self._reward, "ruined"):
                earned |= self._reward.ruined()
            signals = (
                self.process.observe()
            )  # of the weights that it went back to: an online run goes on with them
            self._signals = signals if signals.finite else self._signals
        assert self._signals is not None
        self.observer.note(self._signals)
        self._step += 1
        self._lambda, self._factor = lam, decision.factor
        if self._curves is not None:
            self._curves.add(self._step, lam, self._signals, diverged=diverged)
        info = self._info(update, earned, clipped=decision.clipped, diverged=diverged)
        # T updates are the task and t/T is observed, so its end is a termination, never a truncation.
        terminated = diverged or self._step >= self.horizon
        return self._observation(), sum(info["reward_terms"].values()), terminated, False, info

    def _earned(self, update: Update, lam: float) -> dict[str, float] | None:
        """Measure the new weights and return the terms of the reward; None if any number is not finite."""
        signals = self.process.observe()
        if not (signals.finite and all(map(math.isfinite, vars(update).values()))):
            return None
        before = dict(vars(self._reward))
        terms = {name: float(term) for name, term in self._reward.terms(update, self.process).items()}
        if set(terms) != set(self._sides):
            raise UserError(
                f"{type(self._reward).__name__} returned the terms {', '.join(terms)}, not "
                f"{', '.join(self._sides)}; list its terms in a class attribute called names."
            )
        terms["smoothness"] = -self.alpha * (lam - self._lambda) ** 2
        # NaN compares as False; a sum of finite terms can still be too large
        if not (all(map(math.isfinite, terms.values())) and abs(sum(terms.values())) <= LARGEST_REWARD):
            vars(self._reward).update(before)  # it would remember the numbers of the ruined weights
            return None
        self._signals = signals
        return terms

    def _observation(self) -> np.ndarray:
        assert self._signals is not None
        return self.observer.show(Moment(self._signals, self._lambda, self._step, self.horizon, self.process))

    def _info(
        self, update: Update, terms: dict[str, float], *, clipped: bool, diverged: bool
    ) -> dict[str, Any]:
        rate = self.process.learning_rate
        return {
            "step": self._step,
            "lambda": self._lambda,
            "clipped": clipped,
            "diverged": diverged,
            "loss": float(update.loss),
            "dloss_dlambda": float(update.dloss_dlambda),
            "dvariance_dlambda": float(update.dvariance_dlambda),
            **({"cosine": float(update.cosine)} if self.process.tells_cosine else {}),
            **({} if self.process.dampened is None else {"dampened": self.process.dampened.share}),
            **({"learning_rate": self._factor * rate} if rate and self.encoding.sets_learning_rate else {}),
            "reward_terms": {
                name: terms.get(name, 0.0) for name in (*self._sides, "smoothness", "divergence")
            },
        }

    def render(self) -> Any:
        """Return one line of text in ``ansi`` mode, an image in ``rgb_array`` mode, None without a mode.

        The image has the same size in every step: the curves of λ, losses and norms so far, beside what
        the model makes where that is an image.
        """
        if self.render_mode == "ansi":
            return self._line()
        return None if self._curves is None else beside(self._picture(), self._curves.draw(self._title()))

    def _title(self) -> str:
        return self.spec.id.rpartition("/")[2] if self.spec else type(self).__name__

    def _line(self) -> str:
        if self._signals is None:
            return "not started"
        return f"step {self._step}/{self.horizon} lambda={self._lambda:.3f} {_named(self._signals)}"

    def _picture(self) -> np.ndarray | None:
        """Return an image of the model as it is now, (height, width, 3) of uint8; None where there is none."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on after a kill."""
        return {
            "process": self.process.state_dict(),
            "rng": self.np_random.bit_generator.state,
            "reward": self._remembered(),
            "step": self._step,
            "lambda": self._lambda,
            "factor": self._factor,
            "observer": self.observer.state_dict(),
            "signals": None if self._signals is None else asdict(self._signals),
            "curves": [] if self._curves is None else self._curves.rows,
        }

    def _remembered(self) -> dict[str, Any]:
        own = getattr(self._reward, "state_dict", None)
        return dict(vars(self._reward)) if own is None else own()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where ``state_dict`` was taken."""
        self.process.load_state_dict(state["process"])
        self.np_random.bit_generator.state = state["rng"]
        vars(self._reward).update(state["reward"])
        self._step, self._lambda = state["step"], state["lambda"]
        self._factor = state.get("factor", 1.0)  # early versions had neither
        self.observer.load_state_dict(state.get("observer", {}))
        self._signals = None if state["signals"] is None else Signals(**state["signals"])
        if self._curves is not None:
            self._curves.rows = [list(row) for row in state.get("curves", [])]


def _named(signals: Signals) -> str:
    return " ".join(f"{name}={value:.4g}" for name, value in asdict(signals).items())
