"""Unlearning points of a polynomial regression under EMSE (spec of EMSE; arXiv 2410.09935)."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.utils import EzPickle

from unlearn_gym.data.checks import LARGEST_SEED, whole
from unlearn_gym.data.sets.curves import make_curves
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.options import PolynomialOptions, takes
from unlearn_gym.models.curve_picture import draw_fits, picture
from unlearn_gym.processes.regression import RegressionProcess, fit_all, fit_wanted


class PolynomialEnv(UnlearningEnv, EzPickle):
    """
    ## Description
    A polynomial was fitted by least squares to wanted and unwanted points together. Each step makes one
    gradient update on a minibatch of both, and the action λ is the weight of moving away from the unwanted
    points: L = L_wanted − λ·L_unwanted (`linear`) or L = L_wanted − λ·mean log(1 − c·exp(−e/2σ²))
    (`likelihood`), where L and e are squared errors. The points are drawn from a synthetic family
    (`curves="synthetic"`) or are a real data set (`"breast_cancer"`, shipped with scikit-learn). With
    `draw=None` every reset draws another problem.

    ## Action Space
    `Box(0.0, 1.0, (1,), float32)`, the ends being `lambda_range`: λ. At 0 the update is plain fine-tuning on
    wanted points; from about 1 on the linear form has no minimum. A finite λ outside is clipped and
    `info["clipped"]` says so; a non-finite one raises `UserError`. `action="logit"` and
    `control=("lambda", "learning_rate")` are those of `DiffusionUnlearningEnv`.

    ## Observation Space
    `Box((6,), float32)`; numbers above 1e6 are shown as 1e6. See `EMSE-Digits-v0` on `state`, and on
    `observation="relative"`.

    | Num | Observation | Min | Max |
    |-----|-------------|-----|-----|
    | 0 | wanted loss | 0 | 1e6 |
    | 1 | unwanted loss | 0 | 1e6 |
    | 2 | norm of the wanted loss's gradient | 0 | 1e6 |
    | 3 | norm of the unwanted loss's gradient | 0 | 1e6 |
    | 4 | λ of the previous step, 0.5 at first | 0 | max(1, largest λ) |
    | 5 | t/T | 0 | 1 |

    ## Rewards
    - `balance` (default): φ(θ_{t+1}) − φ(θ_t), φ = min(e_unwanted, `forget_cap`)/`forget_cap` −
      `retain_weight`·e_wanted (at most `most_lost`, which only wrecks lose) on fixed probe points: a better fit to
      the wanted points counts.
    - `progress`: the same, but only wanted error above that of the original fit counts; here the original is
      bad, so it rewards too little.
    - `loss`: −L(λ). **λ is a weight here: under `linear` the largest λ trivially raises −L**; use `balance`.

    All minus `alpha`·(λ_t − λ_{t−1})²; `info["reward_terms"]` holds the terms, which sum to the reward.

    ## Starting State
    The least-squares fit to all points, a new optimizer, λ₀ = 0.5. With `online=True` an unseeded `reset()`
    keeps weights, optimizer and step counter; a seed, `options={"restore": True}` or a finished run
    starts over.

    ## Episode End
    1. Termination: `horizon` updates were made.
    2. Termination: loss, gradient, weights, state or reward are not finite (`info["diverged"]`); the weights
       go back to the last finite ones and each remaining step costs `divergence_penalty`.

    ## Arguments
    | Name | Type | Default | Description |
    |------|------|---------|-------------|
    | `curves` | str | `"synthetic"` | a name in `unlearn_gym.data.sets.curves.CURVES` |
    | `curves_kwargs` | dict | `None` | `degree`, `noise`, `unwanted_share`, …: see `SyntheticCurves` |
    | `draw` | int | `0` | number of the problem that is drawn; `None` draws another one at each reset |
    | `objective` | str, object | `"linear"` | `linear` or `likelihood`, or an instance |
    | `objective_kwargs` | dict | `None` | hyperparameters of the objective that is named: below |
    | `reward` | str, object | `"balance"` | a name in `unlearn_gym.envs.rewards.REWARDS`, or an instance |
    | `reward_kwargs` | dict | `None` | keywords of the reward that is named: below |
    | `defaults` | dict | `None` | keywords of whatever is chosen, where the two above leave them out |
    | `horizon` | int | `100` | updates per episode, T |
    | `online` | bool | `False` | one long run: see Starting State |
    | `batch_size` | int | `64` | points per update, half from each set |
    | `learning_rate` | float | `0.03` | step size of the optimizer |
    | `optimizer` | str | `"adam"` | `adam`, `adamw`, `sgd`, `signsgd` or `signadam` |
    | `max_grad_norm` | float | `10.0` | clip of the combined gradient |
    | `lambda_range` | tuple | `(0.0, 1.0)` | allowed λ |
    | `alpha` | float | `0.01` | weight of the smoothness penalty |
    | `observation` | str | `"state"` | `state` (six numbers) or `relative` (nine), as in `DiffusionUnlearningEnv` |
    | `action` | str | `"lambda"` | `lambda` or `logit`, as in `DiffusionUnlearningEnv` |
    | `control` | tuple | `("lambda",)` | or `("lambda", "learning_rate")`, as in `DiffusionUnlearningEnv` |
    | `state` | str | `"fresh"` | `fresh` or `lagged` |
    | `grad_norms` | bool | `True` | False: report 0 and do not compute the two norms |
    | `gradients` | str | `"auto"` | `auto`, or `direct`: plain autograd, the reference for the fast ways |
    | `mask` | str | `None` | of networks only |
    | `precision` | str | `"float32"` | of networks only |
    | `divergence_penalty` | float | `1.0` | reward lost for each remaining step after divergence |
    | `device`, `dtype` | str | `"cpu"`, `"float32"` | where and in which type to compute |
    | `render_mode` | str | `None` | `rgb_array` (points and fits, and curves of λ, losses and norms) or `ansi` |

    | Objective or reward | Keyword | Default | Description |
    |---------------------|---------|---------|-------------|
    | `likelihood` | `sigma` | `0.5` | σ, in standard deviations of the wanted curve |
    | `likelihood` | `strength` | `0.9` | c in (0, 1) |
    | `progress`, `balance` | `forget_cap` | `2.0` | unwanted squared error beyond which nothing is gained |
    | `progress`, `balance` | `retain_weight` | `5.0` | price of wanted squared error |
    | `progress`, `balance` | `most_lost` | `100.0` | price beyond which nothing more is lost |

    ```python
    >>> import gymnasium as gym
    >>> import unlearn_gym
    >>> env = gym.make("unlearn_gym/EMSE-Polynomial-v0", curves_kwargs={"unwanted_share": 0.8}, draw=None)
    >>> env.action_space
    Box(0.0, 1.0, (1,), float32)

    ```

    ## Version History
    * v0: first version.
    """  # noqa: D212 (the docstring is the page)

    metadata = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}  # noqa: RUF012 (Gymnasium's own)

    evaluator = "regression"

    @takes(PolynomialOptions)
    def __init__(
        self,
        curves: str = "synthetic",
        curves_kwargs: dict[str, Any] | None = None,
        draw: int | None = 0,
        *,
        options: PolynomialOptions,
    ) -> None:
        self.settings = options.resolved()
        process = RegressionProcess(
            make_curves(curves, **(curves_kwargs or {})),
            None if draw is None else whole("draw", draw, 0, LARGEST_SEED),
            **self.settings.of_process(),
        )
        super().__init__(process, **self.settings.of_episode())
        self.process: RegressionProcess = process

    def _picture(self) -> np.ndarray:
        data, degree = self.process.data, self.process.curves.degree
        fits = {
            "before": fit_all(data, degree),
            "now": self.process.model,
            "retrained": fit_wanted(data, degree),
        }
        return picture(lambda axes: draw_fits(axes, data, fits))
