"""A tiny environment whose optimal λ is known, to check that an agent learns at all."""

from __future__ import annotations

from collections.abc import Sequence

from gymnasium.utils import EzPickle

from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.checks import check_keywords
from unlearn_gym.envs.spaces.actions import CONTROLS
from unlearn_gym.processes.quadratic import QuadraticProcess


class QuadraticEnv(UnlearningEnv, EzPickle):
    """
    ## Description
    One weight θ, set to λ (plus noise) by every update; the best constant λ is known in closed form. It runs in
    microseconds: train an agent here first, and look at whether its λ goes to `best_lambda`.

    ## Action Space
    `Box(0.1, 0.9, (1,), float32)`: λ. A finite λ outside is clipped (`info["clipped"]`), another one raises.
    `action="logit"` is that of `DiffusionUnlearningEnv`, and `observation="relative"`, where 8 is always 0, too.

    ## Observation Space
    | Num | Observation | Min | Max |
    |-----|-------------|-----|-----|
    | 0 | retain loss ½θ² | 0 | 1e6 |
    | 1 | forget loss ½(θ + 1)² | 0 | 1e6 |
    | 2 | norm of the retain gradient | 0 | 1e6 |
    | 3 | norm of the forget gradient | 0 | 1e6 |
    | 4 | λ of the previous step, 0.5 at first | 0 | 1 |
    | 5 | t/T | 0 | 1 |

    ## Rewards
    `progress`: φ(θ_{t+1}) − φ(θ_t), φ = min(L_forget, 2)/2 − κ·L_retain, κ set by `best_lambda`; minus
    `alpha`·(λ_t − λ_{t−1})². The terms are in `info["reward_terms"]` and sum to the reward.

    ## Starting State
    θ = 0.

    ## Episode End
    1. Termination: `horizon` updates were made.

    ## Arguments
    | Name | Type | Default | Description |
    |------|------|---------|-------------|
    | `best_lambda` | float | `0.7` | the optimal constant λ |
    | `noise` | float | `0.01` | standard deviation of θ around λ |
    | `horizon` | int | `10` | updates per episode |
    | `lambda_range` | tuple | `(0.1, 0.9)` | allowed λ |
    | `alpha` | float | `0.01` | weight of the smoothness penalty |
    | `online` | bool | `False` | keep θ at an unseeded reset |
    | `render_mode` | str | `None` | `rgb_array` (curves of λ, losses and norms) or `ansi` |
    | `observation`, `action` | str | `"state"`, `"lambda"` | or `relative`, `logit`, as in `DiffusionUnlearningEnv` |
    | `control` | tuple | `("lambda",)` | there is no learning rate to control |

    ## Version History
    * v0: first version.
    """  # noqa: D212 (the docstring is the page)

    def __init__(
        self,
        best_lambda: float = 0.7,
        noise: float = 0.01,
        horizon: int = 10,
        lambda_range: tuple[float, float] = (0.1, 0.9),
        alpha: float = 0.01,
        online: bool = False,
        render_mode: str | None = None,
        observation: str = "state",
        action: str = "lambda",
        control: Sequence[str] = CONTROLS[0],
    ) -> None:
        given = (best_lambda, noise, horizon, lambda_range, alpha, online, render_mode)
        check_keywords(locals())
        EzPickle.__init__(self, *given, observation, action, control)
        super().__init__(
            QuadraticProcess(noise),
            horizon=horizon,
            lambda_range=lambda_range,
            alpha=alpha,
            reward="progress",
            reward_kwargs={
                "forget_cap": QuadraticProcess.cap,
                "retain_weight": QuadraticProcess.retain_weight(best_lambda),
            },
            divergence_penalty=1.0,
            online=online,
            render_mode=render_mode,
            observation=observation,
            action=action,
            control=control,
        )
