"""Making a one-step generator forget a class by score forgetting distillation (Chen et al. 2024, arXiv 2409.11219)."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium.utils import EzPickle
from torch import Generator, Tensor, nn

from unlearn_gym.data.requests.family import Shown
from unlearn_gym.data.requests.request import Request
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.options import takes
from unlearn_gym.envs.requests.asked import Asked
from unlearn_gym.envs.sfd.options import SFDOptions
from unlearn_gym.metrics.outcomes.base import Meter
from unlearn_gym.metrics.outcomes.generated import GeneratedMeter
from unlearn_gym.metrics.outcomes.outcome import SampleSizes
from unlearn_gym.models.diffusion.model import DiffusionModel
from unlearn_gym.models.grid import image_grid
from unlearn_gym.models.sfd.distillation import image_shape
from unlearn_gym.models.sfd.generator import generate
from unlearn_gym.models.sfd.tasks import SFDTask, get_sfd_task
from unlearn_gym.processes.sfd.process import SFDProcess

if TYPE_CHECKING:
    from diffusers import UNet2DModel

GRID_COLUMNS = 8
GRID_SEED = 0


class SFDUnlearningEnv(UnlearningEnv, EzPickle):
    """
    ## Description
    A diffusion model was distilled into a generator that makes an image in *one* pass; one class of it is to be
    forgotten. Score forgetting distillation (SFD) brings the scores of what the generator θ makes under the forgotten
    label c_f to those that the frozen diffusion model, the teacher φ, has under another label c_o, and keeps those of
    all other labels c_r where they are. A fake score ψ learns the scores of what θ makes.

    With x = g_θ(n, c₂), z = γx + σε, Δ = x̂_φ(z, c₁) − x̂_ψ(z, c₂) and ω = mean |x̂_φ(z, c₁) − x|,

        L_sfd(c₁, c₂) = mean Σ Δ·((x̂_φ − x) − `sharpness`·Δ) / ω,

    a step first lets ψ follow (its loss on c_r, and `fake_weight` times that on c_f) and then makes
    θ ← Adam(∇L_sfd(c_r, c_r) + λ·∇L_sfd(c_o, c_f)). The action λ is a *weight*: its size matters in expectation, over
    decades (the authors use 0.01 in 50,000 steps). Gradients run through x and z, every entry of them is clipped to ±1,
    and a moving average of θ is what is evaluated, drawn and saved.

    **No image is used**, neither of what is kept nor of what is forgotten: only how often each label occurs. What is
    forgotten is everything that the teacher learned under the label. With the default `forget_label=1` of
    `SFD-Digits-v0` those are the ones *and* the ankle boots that the digits' diffusion model has under that label (the
    ids named `SISS` forget the boots alone); of `SFD-MNIST-v0`, ones and trousers.

    `override` says what is to be shown instead, c_o for each latent: `fixed` (one label), `random` (any retained one),
    `classifier` (what a classifier of the data sees in x̂_ψ(z, c_f), c_f left out), or `posterior`: drawn with the
    probabilities a_c ∝ q(z|c), of Gaussians that were fitted to images which the *teacher* drew of each class. The
    judge behind `classifier` was trained on the images of the task; the other overrides know none. Under the default
    temperature, the number of pixels, a is nearly even on the digits at the start: its mean entropy is 2.19 of
    ln 9 = 2.20; a temperature of 8 has 1.91, and 1 has 1.29.

    The generator of the digits comes with the package. That of MNIST is distilled on first use, or by
    `unlearn-gym prepare sfd-mnist`, which goes on where it was after a kill.

    ## Action Space
    `Box(-1, 1, (1,), float32)`, λ on a log scale (`action="log"`): λ = low + (high − low)·(1000^p − 1)/999 with
    p = (a + 1)/2, the ends being `lambda_range`; on the default range [1e-3, 1] that is 10^(3(a − 1)/2). A finite
    number outside is clipped and `info["clipped"]` says so; another one raises `UserError`. `action="lambda"` takes λ
    itself, `logit` and `control=("lambda", "learning_rate")` (the factor of θ's learning rate) are those of
    `DiffusionUnlearningEnv`.

    ## Observation Space
    `Box((6,), float32)`. Losses are means over batch and pixels of Δ²/ω, which are divergences; the *value* of L_sfd is
    none (it is about (1 − `sharpness`) of one, and negative above 1) and is never shown. They and the norms are those
    of the next minibatch, which the next update will join by λ. Numbers above 1e6 are shown as 1e6.

    | Num | Observation | Min | Max |
    |-----|-------------|-----|-----|
    | 0 | divergence under (c_r, c_r): what is kept | 0 | 1e6 |
    | 1 | divergence under (c_o, c_f): *falls* as forgetting proceeds | 0 | 1e6 |
    | 2 | norm of ∇L_sfd(c_r, c_r) | 0 | 1e6 |
    | 3 | norm of ∇L_sfd(c_o, c_f) | 0 | 1e6 |
    | 4 | λ of the previous step, 0.5 at first | 0 | 1 |
    | 5 | t/T | 0 | 1 |

    `observation="relative"` is that of `DiffusionUnlearningEnv`, and `"judged"` that of `DiffusionRequestsEnv`.

    ## Rewards
    - `progress` (default): φ(θ_{t+1}) − φ(θ_t) on a fixed probe of noise, with
      φ = min(D_f, `forget_cap`)/`forget_cap` − `retain_weight`·max(0, D_r − D_r(θ₀)), the latter part at most
      `most_lost`. D_r is the divergence under (c_r, c_r) and D_f that under **(c_f, c_f)**, how far what θ makes under
      c_f is from what the teacher knows under c_f: it rises as forgetting proceeds, and for a wreck of c_f, too.
    - `outcome`: at the end (D·F·K)^(1/3), from what the generator makes of fixed noise and what the task's classifier
      of concepts sees in it: D is the share of the label's images that show a retained label, F what was lost of the
      share that showed the forgotten one, K what is left of the share of the other labels' images that are recognised.
      `every=K` pays its growth every K updates; `baseline=0.1` subtracts what the constant 0.1 reaches on the same
      seed; `samples` (80 of the label), `class_samples` (12 of each other). The classifier was trained on the images
      of the task; the process still sees none.
    - `loss`: −(D_d + λ·D_o) of the minibatch, D_o under (c_o, c_f). **The smallest λ trivially raises it.**

    Both minus `alpha`·(λ_t − λ_{t−1})². `info["reward_terms"]` holds the terms (`retain`, `forget`, `smoothness`,
    `divergence`); they sum to the reward. `info["loss"]` is D_d + λ·D_o and `info["dloss_dlambda"]` its slope in λ with
    draws and networks held fixed, D_o, never negative: adaptive-VI (`weights`) can only be pushed down, against its
    prior. It is *not* the derivative of what comes of the update. `info["dvariance_dlambda"]` is that of the second
    moment of one pair's loss, positive likewise.

    ## Starting State
    Generator and fake score as the distillation left them, new optimizers, λ₀ = 0.5, the first minibatch, and one step
    of ψ on it. With `online=True` an unseeded `reset()` keeps all of them; `reset(seed=…)`,
    `reset(options={"restore": True})` and the reset after the last step start over.

    ## Episode End
    1. Termination: `horizon` updates were made (t/T is observed: the end is part of the task).
    2. Termination: loss, gradient, weights, state or reward are not finite. The weights go back to the last
       finite ones, `info["diverged"]` is True and each remaining step costs `divergence_penalty`.

    ## Arguments
    | Name | Type | Default | Description |
    |------|------|---------|-------------|
    | `task` | str | `"digits"` | a name in `models.sfd.tasks.SFD_TASKS`: `digits` or `mnist` |
    | `task_kwargs` | dict | `None` | keywords of the data of the teacher: `boots`, `trousers` |
    | `forget_label` | int | `1` | c_f, the label to be forgotten as a whole |
    | `override` | str, object | `"fixed"` | a name in `unlearn_gym.objectives.sfd.OVERRIDES`, or an instance |
    | `override_kwargs` | dict | `None` | keywords of the override that is named: below |
    | `reward` | str, object | `"progress"` | a name in `unlearn_gym.envs.rewards.REWARDS`, or an instance |
    | `reward_kwargs` | dict | `None` | keywords of the reward that is named: below |
    | `defaults` | dict | `None` | keywords of whatever is chosen, where the two above leave them out |
    | `horizon` | int | `200` | updates per episode, T |
    | `online` | bool | `False` | one long run: see Starting State |
    | `batch_size` | int | `64` | generated images per update, half of them under c_f; and as many for ψ |
    | `learning_rate` | float | `1e-4` | step size of θ's Adam (betas 0, 0.999) |
    | `fake_learning_rate` | float | `3e-4` | step size of ψ's |
    | `fake_weight` | float, str | `1.0` | ρ_f, weight of c_f in ψ's loss; `"lambda"`: the λ of the update before |
    | `sharpness` | float | `1.2` | α of L_sfd; 1 or 1.2 in the paper |
    | `ema` | float | `0.9` | decay of the average of θ (0.9999 in the paper's 50,000 steps) |
    | `lambda_range` | tuple | `(0.001, 1.0)` | allowed λ |
    | `alpha` | float | `0.01` | weight of the smoothness penalty |
    | `observation` | str | `"state"` | `state` (six), `relative` (nine) or `judged` (14 numbers): see above |
    | `action` | str | `"log"` | `log`, `lambda` or `logit`: see Action Space |
    | `control` | tuple | `("lambda",)` | or `("lambda", "learning_rate")`: see Action Space |
    | `divergence_penalty` | float | `1.0` | reward lost for each remaining step after divergence |
    | `device` | str | `"cpu"` | where to compute |
    | `dtype` | str | `"float32"` | floating-point type |
    | `render_mode` | str | `None` | `rgb_array` (samples, a row per class, and curves of λ and losses) or `ansi` |

    | Override or reward | Keyword | Default | Description |
    |--------------------|---------|---------|-------------|
    | `fixed` | `label` | `None` | c_o; by default the next retained label after c_f |
    | `classifier` | `pick` | `"most_likely"` | or `sampled`, by the classifier's probabilities |
    | `posterior` | `density` | `"gaussian"` | class Gaussians; `kernel` (around samples), or a `classifier` of x̂_ψ |
    | `posterior` | `temperature` | `None` | τ of a ∝ exp(log q/τ); by default the pixels, 1 for `classifier` |
    | `posterior` | `form` | `"sampled"` | one c_o drawn for each latent, or `sum`: all of them, weighed by a_c |
    | `posterior` | `samples` | `64` | images of each class that the teacher draws for the densities |
    | `posterior` | `gate` | `False` | True: times (1 − r)/(1 − λ), which shuts while z looks like c_f |
    | `outcome` | `every` | `0` | updates between two looks at what is made; 0 for one at the end |
    | `outcome` | `baseline` | `None` | λ of a constant whose outcome on the same seed is subtracted |
    | `outcome` | `samples` | `80` | images of the forgotten label |
    | `outcome` | `class_samples` | `12` | images of each other label |
    | `progress`, `balance` | `forget_cap` | `0.3` | D_f beyond which nothing is gained |
    | `progress`, `balance` | `retain_weight` | `5.0` | price of D_r |
    | `progress`, `balance` | `most_lost` | `100.0` | price beyond which nothing more is lost |

    ```python
    >>> import gymnasium as gym
    >>> import unlearn_gym
    >>> env = gym.make("unlearn_gym/SFD-Digits-v0", forget_label=3, override="posterior", horizon=50)
    >>> env.action_space
    Box(-1.0, 1.0, (1,), float32)

    ```

    ## Version History
    * v0: first version.
    """  # noqa: D212 (the docstring is the page)

    metadata = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}  # noqa: RUF012 (Gymnasium's own)
    evaluator = "generator"

    @takes(SFDOptions)
    def __init__(
        self,
        task: str = "digits",
        task_kwargs: dict[str, Any] | None = None,
        *,
        options: SFDOptions,
    ) -> None:
        self.task: SFDTask = get_sfd_task(task, **(task_kwargs or {}))
        self.settings = options.resolved()
        process = SFDProcess(
            self.task.teacher(),
            self.task.distilled(),
            self.task.counts,
            self.task.judge(),
            **self.settings.of_process(),
        )
        self.asked = self._request()
        super().__init__(process, **self.settings.of_episode())
        self.process: SFDProcess = process

    def _request(self) -> Asked:
        """Return the only request there is: every image under the label is to be one of another label."""
        settings, names = self.settings, self.class_names
        request = Request(
            (names[settings.forget_label],), settings.horizon, settings.learning_rate, settings.batch_size
        )
        retained = tuple(label for label in names if label != settings.forget_label)
        kept = {label: (label,) for label in retained} | {settings.forget_label: retained}
        shown = Shown(kept, {settings.forget_label: (settings.forget_label,)}, self.task.name)
        return Asked(request, shown, settings.horizon)

    def outcome_meter(self, sizes: SampleSizes) -> Meter:
        """Return what measures outcomes, on so many images; its judge knows the data, the process does not."""
        process = self.process

        def original(family: str) -> UNet2DModel:
            return nn.Module.to(self.task.distilled().generator, process.device, process.dtype)

        judge, shape = self.task.judge(), image_shape(process.model)
        return GeneratedMeter(process.trio.schedule, judge, shape, sizes, original)

    @property
    def class_names(self) -> dict[int, str]:
        """Number → name of the classes."""
        return self.task.task.data.class_names

    def sample(self, labels: Tensor, noise: Tensor) -> Tensor:
        """Return images that the generator, as it is now on average, makes of ``noise`` by one pass each.

        Args:
            labels: int64 of shape (n,).
            noise: standard normal, shape (n, channels, height, width), on the network's device.

        Returns:
            Images like ``noise``, clamped to [-1, 1].
        """
        return generate(self.process.model, self.process.trio.schedule, labels, noise)

    def _picture(self) -> np.ndarray:
        classes = len(self.class_names)
        shape = (classes * GRID_COLUMNS, *image_shape(self.process.model))
        noise = torch.randn(shape, generator=Generator().manual_seed(GRID_SEED))
        labels = torch.arange(classes).repeat_interleave(GRID_COLUMNS)
        device, dtype = self.process.device, self.process.dtype
        return image_grid(self.sample(labels.to(device), noise.to(device, dtype)), GRID_COLUMNS)

    def save_pretrained(self, path: str | Path) -> None:
        """Write the generator as it is now on average as a diffusers folder (``unet/``, ``scheduler/``), in float32.

        It is one pass from noise: with ``network`` the UNet of that folder read again,
        ``models.sfd.generator.generate(network, Schedule.of(scheduler, weight), labels, noise)``.
        """
        unet = torch.nn.Module.to(copy.deepcopy(self.process.model), device="cpu", dtype=torch.float32)
        teacher = self.process.teacher
        DiffusionModel(unet, teacher.scheduler, teacher.given_scheduler).save_pretrained(path)
