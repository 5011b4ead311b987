"""Unlearning a class-conditional variational autoencoder (Kingma & Welling 2014) with a λ-weighted objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium.utils import EzPickle
from torch import Generator, Tensor

from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.options import Keywords, Options, share_of_forgetting, takes
from unlearn_gym.envs.rewards import Reward
from unlearn_gym.errors import UserError
from unlearn_gym.models.grid import image_grid
from unlearn_gym.models.vae.tasks import get_vae_task
from unlearn_gym.objectives import DIFFUSION_OBJECTIVES, VAE_OBJECTIVES
from unlearn_gym.objectives.base import Objective
from unlearn_gym.processes.vae import VAEProcess

GRID_COLUMNS = 8
GRID_SEED = 0


@dataclass(frozen=True, kw_only=True)
class VAEOptions(Options):
    """The options of variational autoencoders."""

    objective: str | Objective = "weighted"
    reward: str | Reward = "progress"
    lambda_range: tuple[float, float] = (0.0, 0.9)

    OBJECTIVES: ClassVar[Mapping[str, Callable[..., Objective]]] = VAE_OBJECTIVES
    UNASKED: ClassVar[tuple[str, ...]] = (
        "with_sizes",
        "draw_target",
        "forget_target",
        "forget_numbers",
        "pair_error",
        "answer_errors",
    )
    FAMILY_DEFAULTS: ClassVar[Keywords] = {"forget_cap": 1.0, "retain_weight": 40.0}

    def __post_init__(self) -> None:
        """Refuse objectives on noised images by name, and λ that are no share, too."""
        if isinstance(self.objective, str) and self.objective in {*DIFFUSION_OBJECTIVES} - {*VAE_OBJECTIVES}:
            raise UserError(
                f"objective={self.objective!r} is made of noised images, and a VAE has none; choose one of "
                f"{', '.join(VAE_OBJECTIVES)}."
            )
        super().__post_init__()
        share_of_forgetting(self.lambda_range)


class VAEUnlearningEnv(UnlearningEnv, EzPickle):
    """
    ## Description
    A class-conditional variational autoencoder, two perceptrons with a Bernoulli likelihood of grey values, was trained
    on a retain set and a forget set. Each step makes one gradient update that unlearns the forget set. The error of an
    image is its negative ELBO above the entropy of its grey values, (BCE + KL − H(y))/D in nats a pixel; one draw ξ of
    the code's noise is shared by the retain and the forget image of a pair. Under `weighted`, λ is the weight of
    forgetting, L = (1 − λ)·L_retain − λ·cap·tanh(L_forget/cap). Under `redirect` nothing is ascended: the codes that
    the forget images had before unlearning are decoded towards what the retain images of the same label near them show,
    and λ is the weight of that. `npo` ascends until an image is forgotten. `gu`, `gu_conflict`, `pcgrad`, `lexi`,
    `barrier`, `mgda`, `cagrad` and `nash` combine the two gradients of `weighted` by the angle between them. `naive`
    (descend L_retain) and `neggrad` (ascend L_forget) ignore λ, and so does `mgda`. SISS's mixture is one of noised
    images, which a VAE has not: `siss` and what else is made of them is refused.

    Only the decoder is trained by default. With `trains="all"` the encoder ruins the ELBO of the forget images by codes
    that mean nothing, while samples from the prior, which use no encoder, still show them: `docs/vae.md` has the
    numbers.

    A step takes a tenth of the time of one of the 8×8 diffusion model, so that learning a policy takes minutes.
    `Digits` ids have the images of the diffusion ids of that name, and models that come with the package;
    `Weighted-VAE-Trousers-v0` has 1.08 million weights on 28×28 images, which `unlearn-gym prepare vae-trousers`, or
    the first use, trains. Samples are the means of the decoder for codes z ~ N(0, I).

    ## Action Space
    `Box(0.0, 0.9, (1,), float32)`, the ends being `lambda_range`: λ. At 0 the update is plain training on the retain
    set. A finite λ outside is clipped and `info["clipped"]` says so; a non-finite one raises `UserError`.

    `action="logit"` takes a number in [−1, 1] for the log-odds of λ's position in its range, and
    `control=("lambda", "learning_rate")` a second number, the factor in [¼, 4] of the learning rate of this update
    (`info["learning_rate"]`): both as in `DiffusionUnlearningEnv`.

    ## Observation Space
    `Box((6,), float32)`. Losses are means over the batch in nats a pixel, norms L2 over all trained parameters; numbers
    above 1e6 are shown as 1e6.

    | Num | Observation | Min | Max |
    |-----|-------------|-----|-----|
    | 0 | retain loss | 0 | 1e6 |
    | 1 | forget loss | 0 | 1e6 |
    | 2 | norm of the retain loss's gradient | 0 | 1e6 |
    | 3 | norm of the forget loss's gradient | 0 | 1e6 |
    | 4 | λ of the previous step, 0.5 at first | 0 | 1 |
    | 5 | t/T | 0 | 1 |

    With `state="fresh"` they belong to the *next* minibatch under the new weights; with `"lagged"` to the update just
    made, zeros before the first one. Under `redirect` the forget loss is the cross entropy towards the redirected
    target above its entropy, under `npo` the mean penalty: both *fall* as forgetting proceeds.

    `observation="relative"` shows nine numbers instead, the same on every task, as in `DiffusionUnlearningEnv`. Under
    the rules for two gradients `info["cosine"]` is the cosine of the two gradients.

    ## Rewards
    - `progress` (default): φ(θ_{t+1}) − φ(θ_t) on fixed probe batches of 128 images each, with
      φ = min(L_forget, `forget_cap`)/`forget_cap` − `retain_weight`·max(0, L_retain − L_retain(θ₀)),
      the latter part at most `most_lost`. L is the negative ELBO in the codes of the *original* encoder, whatever is
      trained and whatever the objective, so that a ruined encoder earns nothing; half of the retain images have the
      label under which the forget set was learned.
    - `loss` (the paper's): −L(λ_t), which the largest λ raises; use `progress`.

    Both minus `alpha`·(λ_t − λ_{t−1})². `info["reward_terms"]` holds the terms (`retain`, `forget`, `smoothness`,
    `divergence`); they sum to the reward.

    ## Starting State
    The original weights, a new optimizer, λ₀ = 0.5 clipped to its range, and the first minibatch. With `online=True` an
    unseeded `reset()` keeps weights, optimizer and step counter; `reset(seed=…)`, `reset(options={"restore": True})`
    and the reset after the last step start over.

    ## Episode End
    1. Termination: `horizon` updates were made (t/T is observed: the end is part of the task).
    2. Termination: loss, gradient, weights, state or reward are not finite. The weights go back to the last
       finite ones, `info["diverged"]` is True and each remaining step costs `divergence_penalty`.

    ## Arguments
    | Name | Type | Default | Description |
    |------|------|---------|-------------|
    | `task` | str | `"vae-digits"` | `vae-digits` or `vae-trousers` |
    | `task_kwargs` | dict | `None` | keywords of the task's data, such as `boots`, `trousers` |
    | `trains` | str | `"decoder"` | or `all`: the encoder, too; see Description |
    | `objective` | str, object | `"weighted"` | a name in `unlearn_gym.objectives.VAE_OBJECTIVES`, or an instance |
    | `objective_kwargs` | dict | `None` | hyperparameters of the objective that is named: below |
    | `reward` | str, object | `"progress"` | a name in `unlearn_gym.envs.rewards.REWARDS`, or an instance |
    | `reward_kwargs` | dict | `None` | keywords of the reward that is named: below |
    | `defaults` | dict | `None` | keywords of whatever is chosen, where the two above leave them out |
    | `horizon` | int | `200` | updates per episode, T |
    | `online` | bool | `False` | one long run: see Starting State |
    | `batch_size` | int | `64` | images per update, half from each set |
    | `learning_rate` | float | `1e-3` | step size of the optimizer |
    | `optimizer` | str | `"adam"` | `adam`, `adamw`, `sgd`, `signsgd` or `signadam` |
    | `max_grad_norm` | float | `1.0` | clip of the combined gradient |
    | `lambda_range` | tuple | `(0.0, 0.9)` | allowed λ, within [0, 1] |
    | `alpha` | float | `0.01` | weight of the smoothness penalty |
    | `observation` | str | `"state"` | `state` (six numbers) or `relative` (nine), as in `DiffusionUnlearningEnv` |
    | `action` | str | `"lambda"` | `lambda` or `logit`, as in `DiffusionUnlearningEnv` |
    | `control` | tuple | `("lambda",)` | or `("lambda", "learning_rate")`, as in `DiffusionUnlearningEnv` |
    | `state` | str | `"fresh"` | `fresh` or `lagged` |
    | `grad_norms` | bool | `True` | False: report 0 and do not compute the two norms |
    | `gradients` | str | `"auto"` | `auto`, or `direct`: plain autograd, the reference for the fast ways |
    | `mask` | str | `None` | `saliency:0.5` moves only that share of the weights: those that forgetting needs most |
    | `divergence_penalty` | float | `1.0` | reward lost for each remaining step after divergence |
    | `device`, `dtype` | str | `"cpu"`, `"float32"` | where and in which type to compute |
    | `render_mode` | str | `None` | `rgb_array` (samples, a row per class, and curves of λ and losses) or `ansi` |

    | Objective or reward | Keyword | Default | Description |
    |---------------------|---------|---------|-------------|
    | `weighted` | `forget_cap` | `1.0` | error at which the forget term saturates |
    | `gu`, `gu_conflict`, `pcgrad`, `lexi` | `forget_cap` | `1.0` | as `weighted` |
    | `barrier`, `mgda`, `cagrad`, `nash` | `forget_cap` | `1.0` | as `weighted` |
    | `cagrad` | `radius` | `0.5` | how far from the weighted sum, as a share of its norm |
    | `npo` | `beta` | `0.3` | β > 0 for each nat of an image's ELBO: how soon a forgotten image is left alone |
    | `progress`, `balance` | `forget_cap` | `1.0` | forget error beyond which nothing is gained |
    | `progress`, `balance` | `retain_weight` | `40.0` | price of lost retain quality |
    | `progress`, `balance` | `most_lost` | `100.0` | price beyond which nothing more is lost |

    ```python
    >>> import gymnasium as gym
    >>> import unlearn_gym
    >>> env = gym.make("unlearn_gym/Redirect-VAE-Digits-v0", horizon=50, lambda_range=(0.1, 0.9))
    >>> env.action_space
    Box(0.1, 0.9, (1,), float32)

    ```

    ## Version History
    * v0: first version.
    """  # noqa: D212 (the docstring is the page)

    metadata = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}  # noqa: RUF012 (Gymnasium's own)
    evaluator = "vae"

    @takes(VAEOptions)
    def __init__(
        self,
        task: str = "vae-digits",
        task_kwargs: dict[str, Any] | None = None,
        trains: str = "decoder",
        *,
        options: VAEOptions,
    ) -> None:
        self.task = get_vae_task(task, **(task_kwargs or {}))
        self.settings = options.resolved()
        process = VAEProcess(
            self.task.original(), self.task.data, trains=trains, **self.settings.of_process()
        )
        super().__init__(process, **self.settings.of_episode())
        self.process: VAEProcess = process

    @property
    def class_names(self) -> dict[int, str]:
        """Number → name of the classes."""
        return self.process.data.class_names

    def sample(self, labels: Tensor, noise: Tensor) -> Tensor:
        """Return the images that the decoder as it is now makes of codes; see ``models.vae.network.VAE.sample``."""
        return self.process.model.sample(labels, noise)

    def _picture(self) -> np.ndarray:
        process = self.process
        labels = torch.arange(process.data.num_classes).repeat_interleave(GRID_COLUMNS)
        noise = torch.randn(len(labels), process.model.latent, generator=Generator().manual_seed(GRID_SEED))
        images = self.sample(labels.to(process.device), noise.to(process.device, process.dtype))
        return image_grid(images, GRID_COLUMNS)

    def save_pretrained(self, path: str | Path) -> None:
        """Write the model as it is now, ``model.safetensors`` and ``config.json``; ``VAE.load`` reads the folder."""
        self.process.model.save_pretrained(path)
