"""Unlearning a DDPM (Ho et al. 2020) with SISS (Alberti et al. 2025) or another λ-weighted objective."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.utils import EzPickle
from torch import Generator, Tensor

from unlearn_gym.data.class_names import ClassNames
from unlearn_gym.data.request import user_request
from unlearn_gym.data.split import UnlearningData
from unlearn_gym.envs.automatic import settle
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.options import DiffusionOptions, takes
from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.model import DiffusionModel
from unlearn_gym.models.diffusion.sampling import sample
from unlearn_gym.models.diffusion.tasks import Task, chosen_task
from unlearn_gym.models.grid import image_grid
from unlearn_gym.processes.diffusion import DiffusionProcess

GRID_COLUMNS = 8
GRID_SEED = 0


class DiffusionUnlearningEnv(UnlearningEnv, EzPickle):
    """
    ## Description
    A diffusion model was trained on a retain set and a forget set. Each step makes one gradient update that
    unlearns the forget set, and the action λ says how. Under the `siss` objective λ is the probability that a
    noised image of the pair is taken from the forget set (mixture probability); importance weights make the
    *expected* loss the same for every λ, so that λ acts through the noise and, with `forget_scaling` `"norm"`,
    the direction of the gradient: a weak control. Under `weighted`, λ is the weight of forgetting,
    L = (1 − λ)·L_retain − λ·cap·tanh(L_forget/cap): a strong one. Under `posterior` nothing is ascended: forget
    latents learn the noise that a model retrained without them would predict, and λ is the weight of that. `npo` and
    `simnpo` ascend until an example is forgotten, `dpo` until it is worse off than the retain image of its pair. `gu`,
    `gu_conflict`, `pcgrad`, `lexi`, `barrier`, `mgda`, `cagrad` and `nash` combine the two gradients of `weighted` by
    the angle between them. `bernoulli` and `siss_no_is` are the ablations of `siss`. Baselines that ignore λ are
    `siss_no_is`, `mgda`, `naive` (descend L_retain), `neggrad` (ascend L_forget) and `erasediff` (descend L_retain, and
    a forget loss towards uniform numbers as far as L_retain allows).

    The ids named `Digits` come with data and model: scikit-learn's 8×8 digits with 90 ankle boots of Fashion-MNIST
    learned under the label "1"; the boots are to be forgotten. Those named `Trousers` are the paper's experiment A: a
    class-conditional DDPM on 28×28 MNIST with trousers of Fashion-MNIST under the label "1", one for ten ones. Their
    images come from `UNLEARN_GYM_DATA` or the hub; `python -m unlearn_gym prepare trousers` trains the models where
    they do not come with the package. Those named `CIFAR10` are an unconditional DDPM of real photographs (32×32, from
    the same places; `prepare cifar10` trains it): by default the airplanes are to be forgotten, with
    `task="cifar10-random"` 1 % random training images. The class is a part of the mixture and no label: under a label
    of its own nothing would be left to draw, neither here nor for the retrained model, while of the mixture it is
    defined what should be left. A ResNet-20 of the package says what samples show: docs/cifar10.md. `SISS-v0` takes
    your own network (`model`) and images (`retain_data`, `forget_data`); docs/own_model.md says which. In the other ids
    `model` stands in for the task's network, and there is no retrained one. Your network is copied and not changed.

    With `time="continuous"` (the ids named `SDE`) the same network is unlearned as the VP-SDE that DDPM's steps are
    close to: τ ~ U[1/T, 1] in the place of t, γ(τ) and σ(τ) in all formulas, and the network is told Tτ − 1. All else
    stays as it is: docs/continuous_time.md.

    ## Action Space
    `Box(low, high, (1,), float32)`, the ends being `lambda_range`: λ. A finite λ outside is clipped and
    `info["clipped"]` says so; a non-finite one raises `UserError`.

    With `action="logit"` the space is `Box(-1, 1, …)` and λ = low + (high − low)·p with logit p = −2 + 2.5·artanh a:
    the ends are those of `lambda_range`, a = 0 is 12 % of the way, and a Gaussian policy squashed by tanh has Gaussian
    log-odds. With `control=("lambda", "learning_rate")` an action has a second number, the factor in [¼, 4] by which
    the learning rate of this update is multiplied: the factor itself, or under `logit` its power of 4, in [−1, 1].
    `info["learning_rate"]` is the rate that was used; `reset` goes back to the factor 1, and the smoothness penalty is
    of λ alone. Agents that choose λ itself (constants, schedules, adaptive-VI, …) do so however it is taken:
    `static:0.5:2` is λ = 0.5 at twice the learning rate, `schedule:cosine:0.5:0.5:2:0.25` a decay of it.

    ## Observation Space
    `Box((6,), float32)`. Losses are means over batch and pixels, norms L2 over all trainable parameters; numbers
    above 1e6 are shown as 1e6.

    | Num | Observation | Min | Max |
    |-----|-------------|-----|-----|
    | 0 | retain loss | 0 | 1e6 |
    | 1 | forget loss | 0 | 1e6 |
    | 2 | norm of the retain loss's gradient | 0 | 1e6 |
    | 3 | norm of the forget loss's gradient | 0 | 1e6 |
    | 4 | λ of the previous step, 0.5 at first | 0 | 1 |
    | 5 | t/T | 0 | 1 |

    With `state="fresh"` they belong to the *next* minibatch under the new weights; with `"lagged"` to the weighted
    sides of the update just made (no extra pass), zeros before the first one, and always zeros for a side that
    the objective leaves out (`naive`: forget, `neggrad`: retain). Under `erasediff` the forget loss is the error
    towards fresh uniform numbers υ, not towards the noise: it starts near 4/3 and *falls* to 1/12 at best. Under
    `posterior` it is the weighted error towards the redirected target, under `npo`, `simnpo` and `dpo` the mean
    penalty: both *fall* as forgetting proceeds.

    With `observation="relative"` it is `Box((9,), float32)`, in units that are the same on every task and with the
    budget, for a policy that is to act on tasks it never saw. All logs are natural.

    | Num | Observation | Min | Max |
    |-----|-------------|-----|-----|
    | 0 | ln(forget loss / retain loss), smoothed | −10 | 10 |
    | 1 | ln(retain loss / its start), smoothed | −10 | 10 |
    | 2 | ln(forget loss / its start), smoothed | −10 | 10 |
    | 3 | ln(forget norm / retain norm), smoothed | −10 | 10 |
    | 4 | forget loss / `forget_cap` of the objective, or / its start where the objective has none | 0 | 10 |
    | 5 | log-odds of the position of the previous λ in `lambda_range` | −5 | 5 |
    | 6 | 2t/T − 1 | −1 | 1 |
    | 7 | (ln T − ln 50)/2 | −5 | 5 |
    | 8 | (ln `learning_rate` − ln 5e-4)/2, before any factor | −5 | 5 |

    Smoothed is half the old value and half the new one, from the first value on. The start of a loss is its first value
    above 0: that of the first minibatch, with `state="lagged"` that of the first update. A loss or norm of 0 was not
    measured (`grad_norms=False`, an empty side of a mixture, a lagged state before the first update); it leaves the
    logs that it belongs to as they were, 0 at first.

    Under the rules for two gradients `info["cosine"]` is the cosine of the two gradients, 0 where one vanishes.

    `info["dloss_dlambda"]` is the derivative of `info["loss"]` in λ on this minibatch with the coefficients of its two
    sides held fixed. Where a coefficient follows λ, as under `siss` with `forget_scaling="norm"`, it is not the slope
    of the loss: 12 to 33 % off were seen. `info["dvariance_dlambda"]` is that of the second moment of *one pair's* loss
    under a mixture (`siss`, `bernoulli`). Both are 0 where λ plays no part.

    ## Rewards
    - `loss` (the paper's): −L_t(λ_t). For `siss` it has no ceiling where the model is wrecked.
    - `progress`: φ(θ_{t+1}) − φ(θ_t) on a fixed probe batch, with
      φ = min(L_forget, `forget_cap`)/`forget_cap` − `retain_weight`·max(0, L_retain − L_retain(θ₀)),
      the latter part at most `most_lost`, which only wrecks lose; half of its retain images have the label under
      which the forget set was learned, where damage shows first. Here
      L_forget is the error towards the true noise under every objective.

    Both minus `alpha`·(λ_t − λ_{t−1})². `info["reward_terms"]` holds the terms (`retain`, `forget`,
    `smoothness`, `divergence`); they sum to the reward.

    ## Starting State
    The original weights, a new optimizer, λ₀ = 0.5 and the first minibatch. `start="ssd:A:B"` dampens them first
    (selective synaptic dampening): where a weight's importance for the forget set, F_F, is more than A times that for
    all images, F, it is multiplied by min(B·F/F_F, 1); `info["dampened"]` is the share of the weights that this
    selected. F_F/F is at most n/k, the number of all images over that of the forget images: a larger A selects nothing.
    `progress` still measures lost retain quality from the original weights. With `online=True` an unseeded
    `reset()` keeps weights, optimizer and step counter; `reset(seed=…)`, `reset(options={"restore": True})` and
    the reset after the last step start over.

    ## Episode End
    1. Termination: `horizon` updates were made (t/T is observed: the end is part of the task).
    2. Termination: loss, gradient, weights, state or reward are not finite. The weights go back to the last
       finite ones, `info["diverged"]` is True and each remaining step costs `divergence_penalty`.

    ## Arguments
    | Name | Type | Default | Description |
    |------|------|---------|-------------|
    | `task` | str | `None` | `digits`, `trousers`, `cifar10`, `cifar10-random`; `None` for your own model and data |
    | `task_kwargs` | dict | `None` | keywords of the task's data: `boots`, `trousers`, `forget_class`, `share`, … |
    | `model` | path, object | `None` | your diffusers folder or name on the hub, `DDPMPipeline`, (unet, scheduler), … |
    | `scheduler` | path, object | `None` | the noise schedule of a `model` that comes without one |
    | `retain_data`, `forget_data` | path or arrays | `None` | images, folder, parquet, array file, array or data set |
    | `class_names` | list, dict, path | `None` | which class name has which number: see `docs/own_data.md` |
    | `objective` | str, object | `"siss"` | a name in `unlearn_gym.objectives.DIFFUSION_OBJECTIVES`, or an instance |
    | `objective_kwargs` | dict | `None` | hyperparameters of the objective that is named: below |
    | `reward` | str, object | `"loss"` | a name in `unlearn_gym.envs.rewards.REWARDS`, or an instance |
    | `reward_kwargs` | dict | `None` | keywords of the reward that is named: below |
    | `defaults` | dict | `None` | keywords of whatever is chosen, where the two above leave them out |
    | `horizon` | int | `200` | updates per episode, T |
    | `online` | bool | `False` | one long run: see Starting State |
    | `batch_size` | int | `64` | images per update, half from each set |
    | `learning_rate` | float or `"auto"` | `2e-4` | step size of the optimizer |
    | `optimizer` | str | `"adam"` | `adam`, `adamw`, `sgd`, `signsgd` or `signadam` |
    | `max_grad_norm` | float | `1.0` | clip of the combined gradient |
    | `lambda_range` | tuple | `(0.1, 0.9)` | allowed λ; under `npo`, `simnpo` and `dpo` `(0.0, 0.3)` |
    | `alpha` | float | `0.01` | weight of the smoothness penalty |
    | `observation` | str | `"state"` | `state` (six numbers) or `relative` (nine): see Observation Space |
    | `action` | str | `"lambda"` | `lambda` or `logit`: see Action Space |
    | `control` | tuple | `("lambda",)` | or `("lambda", "learning_rate")`: see Action Space |
    | `state` | str | `"fresh"` | `fresh` or `lagged` |
    | `grad_norms` | bool | `True` | False: report 0 and do not compute the two norms |
    | `gradients` | str | `"auto"` | `auto`, or `direct`: plain autograd, the reference for the fast ways |
    | `mask` | str | `None` | `saliency:0.5` moves only that share of the weights: those that forgetting needs most |
    | `start` | str | `None` | `ssd:10:1` dampens the weights that forgetting needs most: see Starting State |
    | `time` | str | `"discrete"` | or `continuous`: see Description |
    | `time_weight` | str | `"simple"` | under continuous time also `likelihood`: β/σ² over its mean, by drawing τ |
    | `sampler` | str | `None` | how images are drawn: `ddim`, under continuous time `heun`; docs/continuous_time.md |
    | `divergence_penalty` | float | `1.0` | reward lost for each remaining step after divergence |
    | `device` | str | `"cpu"` | where to compute |
    | `dtype` | str | `"float32"` | floating-point type |
    | `render_mode` | str | `None` | `rgb_array` (samples, a row per class, and curves of λ and losses) or `ansi` |

    | Objective or reward | Keyword | Default | Description |
    |---------------------|---------|---------|-------------|
    | `siss`, `siss_no_is`, `bernoulli` | `forget_scaling` | `"norm"` | or `coef`: dataset factors |
    | `siss`, `siss_no_is`, `bernoulli` | `forget_norm` | `0.1` | forget gradient's norm, a share of the retain one's |
    | `siss`, `siss_no_is`, `bernoulli` | `superfactor` | `0.5` | under `coef`: s |
    | `siss`, `siss_no_is`, `bernoulli` | `dataset_factors` | `"exact"` | under `coef`: `exact`, `paper` or `none` |
    | `siss`, `siss_no_is`, `bernoulli` | `x_from` | `"retain"` | draw x from the `retain` set or from `all` |
    | `weighted` | `forget_cap` | `0.15` | forget loss at which the forget term saturates, or `"auto"` |
    | `weighted`, `posterior` | `retain_target` | `"noise"` | or `teacher`: what the original network predicts |
    | `posterior` | `override` | `None` | label whose retain images stand in; by default each forget image's own |
    | `posterior` | `snr_weight` | `True` | False: no weight min(1, σ²/γ²) on the error |
    | `npo`, `simnpo`, `dpo` | `beta` | `None` | β > 0; 0.305 times the number of pixels by default |
    | `simnpo` | `delta` | `0.0` | error per pixel around which the push fades |
    | `gu`, `gu_conflict`, `pcgrad`, `lexi` | `forget_cap` | `0.15` | as `weighted` |
    | `barrier`, `mgda`, `cagrad`, `nash` | `forget_cap` | `0.15` | as `weighted` |
    | `cagrad` | `radius` | `0.5` | how far from the weighted sum, as a share of its norm |
    | `erasediff` | `eta` | `1e-3` | η, a pure number (the same for losses summed over pixels) |
    | `erasediff` | `form` | `"projection"` | the paper's coefficient, or `cosine` as in the released code |
    | `erasediff` | `target` | `"uniform"` | or `relabel`: the original's prediction under another label |
    | `progress`, `balance` | `forget_cap` | `0.15` | forget loss beyond which nothing is gained, or `"auto"` |
    | `progress`, `balance` | `retain_weight` | `50.0` | price of lost retain quality, or `"auto"` |
    | `progress`, `balance` | `most_lost` | `100.0` | price beyond which nothing more is lost |

    `"auto"` chooses from the losses of the original network, the same at every call (docs/own_model.md says how);
    the attribute `settings` has the numbers.

    ```python
    >>> import gymnasium as gym
    >>> import unlearn_gym
    >>> env = gym.make("unlearn_gym/SISS-Digits-v0", horizon=50, objective_kwargs={"forget_norm": 0.2})
    >>> env.action_space
    Box(0.1, 0.9, (1,), float32)

    ```

    ## Version History
    * v0: first version.
    """  # noqa: D212 (the docstring is the page)

    metadata = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}  # noqa: RUF012 (Gymnasium's own)
    evaluator = "diffusion"

    @takes(DiffusionOptions)
    def __init__(
        self,
        task: str | None = None,
        task_kwargs: dict[str, Any] | None = None,
        model: Any = None,
        scheduler: Any = None,
        retain_data: Any = None,
        forget_data: Any = None,
        class_names: ClassNames | None = None,
        *,
        options: DiffusionOptions,
    ) -> None:
        own = {
            "model": model,
            "scheduler": scheduler,
            "retain_data": retain_data,
            "forget_data": forget_data,
            "class_names": class_names,
        }
        self.task: Task | None = chosen_task(task, task_kwargs, own)
        if self.task and model is not None:
            self.task = self.task.with_model(DiffusionModel.of(model, scheduler))
        original, data = (self.task.original(), self.task.data) if self.task else _own(**own)
        if not isinstance(model, str | os.PathLike | None):
            # a copy: what the user does to the object later is not ours
            self._ezpickle_kwargs |= {"model": copy.deepcopy(original), "scheduler": None}
        self._open(original, data, options)

    def _open(self, original: DiffusionModel, data: UnlearningData, options: DiffusionOptions) -> None:
        """Make the process and the face of the environment."""
        self.settings = settle(options, original, data)
        self._given_scheduler = original.given_scheduler
        process = DiffusionProcess(original.unet, original.scheduler, data, **self.settings.of_process())
        super().__init__(process, **self.settings.of_episode())
        self.process: DiffusionProcess = process

    @property
    def class_names(self) -> dict[int, str]:
        """Number → name of the classes; empty for an unconditional model."""
        return self.process.data.class_names

    def sample(self, labels: Tensor | None, noise: Tensor, steps: int = 25) -> Tensor:
        """Return images that the model as it is now makes of ``noise``; see ``models.sampling.sample``."""
        process = self.process
        return sample(process.model, process.scheduler, labels, noise, steps, process.sampler)

    def _picture(self) -> np.ndarray:
        classes = max(self.process.data.num_classes, 1)
        shape = (classes * GRID_COLUMNS, *self.process.data.retain.inputs.shape[1:])
        noise = torch.randn(shape, generator=Generator().manual_seed(GRID_SEED))
        labels = (
            torch.arange(classes).repeat_interleave(GRID_COLUMNS) if self.process.data.num_classes else None
        )
        device, dtype = self.process.device, self.process.dtype
        images = self.sample(None if labels is None else labels.to(device), noise.to(device, dtype))
        return image_grid(images, GRID_COLUMNS)

    def save_pretrained(self, path: str | Path) -> None:
        """Write the model as it is now as a diffusers pipeline folder (``unet/``, ``scheduler/``).

        Weights are written in float32; the scheduler is the one that the model came with.
        """
        unet = torch.nn.Module.to(copy.deepcopy(self.process.model), device="cpu", dtype=torch.float32)
        DiffusionModel(unet, self.process.scheduler, self._given_scheduler).save_pretrained(path)


def _own(
    model: Any, scheduler: Any, retain_data: Any, forget_data: Any, class_names: Any
) -> tuple[DiffusionModel, UnlearningData]:
    """Read the user's model and request."""
    if model is None or retain_data is None or forget_data is None:
        raise UserError(
            "This environment needs your own model and data; give model= (a diffusers folder or pipeline), "
            "retain_data= and forget_data= (image folders, parquet files or arrays)."
        )
    original = DiffusionModel.of(model, scheduler)
    return original, user_request(original.unet.config, retain_data, forget_data, class_names)
