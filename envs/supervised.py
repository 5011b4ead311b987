"""Unlearning a classifier, or the user's own model, under EMSE (spec of EMSE; arXiv 2410.09935)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gymnasium.utils import EzPickle
from safetensors.torch import save_file
from torch import nn

from unlearn_gym.data.class_names import ClassNames
from unlearn_gym.data.split import UnlearningData
from unlearn_gym.data.supervised_request import inferred_classes, read_examples, request_of
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.options import SupervisedOptions, as_device, takes
from unlearn_gym.errors import UserError
from unlearn_gym.models.supervised.foreign import adapted, copied, fitted, itself
from unlearn_gym.models.supervised.tasks import SupervisedTask, get_supervised_task
from unlearn_gym.processes.supervised import SupervisedProcess
from unlearn_gym.storage.files import atomic_write


class SupervisedUnlearningEnv(UnlearningEnv, EzPickle):
    """
    ## Description
    A classifier was trained on a retain set and a forget set. Each step makes one gradient update on a
    retain and a forget minibatch, and the action λ is the weight of forgetting: L = L_wanted −
    λ·L_unwanted (`linear`), or L = L_wanted − λ·mean log(1 − c·exp(−e/2σ²)) (`likelihood`, which pushes
    away only forget examples that the model still fits). The error e of a classifier is the Brier score,
    the squared error of the softmax to the one-hot label summed over classes, in [0, 2]; that of a
    regression the mean squared error over outputs. Classifiers have objectives on cross entropies, too, in which both
    sides are descended, L = (1 − λ)·CE_wanted + λ·mean ψ_unwanted with λ up to 1: `demote` (towards the original's
    answer without the true label), `dipo` (to an answer without its best class), `dpo` (to its second answer), `npo`,
    `simnpo` and `gce` (ascent that ends where an example is forgotten), and `flat` (away from the true label, towards
    the others).

    `EMSE-Digits-v0` forgets one class (or chosen images) of scikit-learn's 8×8 digits with a small CNN
    that comes with the package. `EMSE-ResNet20-v0` (CIFAR-10), `EMSE-VGG16BN-v0` (CIFAR-100) and
    `EMSE-MobileNetV2-v0` (Fashion-MNIST) are the networks of the class-unlearning benchmark; their
    training takes 80 epochs, is cached, and goes on after a kill. `EMSE-v0` takes your own `nn.Module`
    and data.

    BatchNorm layers normalise each side by its own batch; their running statistics are part of the state,
    and each update moves them by its retain batch and then by its forget batch, at λ = 0 too. Dropout is
    off.

    ## Action Space
    `Box(0.0, 1.0, (1,), float32)`, the ends being `lambda_range`: λ. At 0 the update is plain fine-tuning
    on the retain set; at 1 forgetting weighs as much as keeping; there is rarely use for more. A finite λ
    outside is clipped and `info["clipped"]` says so; a non-finite one raises `UserError`.

    `action="logit"` takes a number in [−1, 1] for the log-odds of λ's position in its range, and
    `control=("lambda", "learning_rate")` a second number, the factor in [¼, 4] of the learning rate of this update
    (`info["learning_rate"]`): both as in `DiffusionUnlearningEnv`.

    ## Observation Space
    `Box((6,), float32)`. Losses are mean errors over the batch (the forget loss of `likelihood` is
    mean log(1 − c·exp(−e/2σ²)) − log(1 − c), 0 where the model fits; those of the objectives on cross entropies
    are CE and ψ, which *falls* as forgetting proceeds), norms L2 over all trainable parameters;
    numbers above 1e6 are shown as 1e6.

    | Num | Observation | Min | Max |
    |-----|-------------|-----|-----|
    | 0 | retain loss | 0 | 1e6 |
    | 1 | forget loss | 0 | 1e6 |
    | 2 | norm of the retain loss's gradient | 0 | 1e6 |
    | 3 | norm of the forget loss's gradient | 0 | 1e6 |
    | 4 | λ of the previous step, 0.5 at first | 0 | max(1, largest λ) |
    | 5 | t/T | 0 | 1 |

    With `state="fresh"` they belong to the *next* minibatch under the new weights, by the very passes
    that the next update uses; with `"lagged"` to the update just made, zeros before the first one.

    `observation="relative"` shows nine numbers instead, the same on every task, as in `DiffusionUnlearningEnv`: logs of
    losses and norms against their start and each other, the forget loss over its start, log-odds of the previous λ,
    2t/T − 1, and the budget.

    ## Rewards
    - `progress` (default): φ(θ_{t+1}) − φ(θ_t) on fixed probe batches in eval mode, with
      φ = min(e_forget, `forget_cap`)/`forget_cap` − `retain_weight`·max(0, e_retain − e_retain(θ₀)),
      the latter part at most `most_lost`, which only wrecks lose.
    - `loss` (the paper's): −L(λ_t). **λ is a weight here: under `linear` the largest λ trivially raises −L**
      (and under `likelihood` the smallest does, as long as the forget set is fitted): the policy learns
      the end of the range, not how to unlearn. Use `progress`.

    Both minus `alpha`·(λ_t − λ_{t−1})². `info["reward_terms"]` holds the terms (`retain`, `forget`,
    `smoothness`, `divergence`); they sum to the reward.

    ## Starting State
    The original weights and running statistics, a new optimizer, λ₀ = 0.5 and the first minibatch. With
    `online=True` an unseeded `reset()` keeps weights, optimizer and step counter; `reset(seed=…)`,
    `reset(options={"restore": True})` and the reset after the last step start over.

    ## Episode End
    1. Termination: `horizon` updates were made (t/T is observed: the end is part of the task).
    2. Termination: loss, gradient, weights, state or reward are not finite. The weights go back to the last
       finite ones, `info["diverged"]` is True and each remaining step costs `divergence_penalty`.

    ## Arguments
    | Name | Type | Default | Description |
    |------|------|---------|-------------|
    | `task` | str | `None` | `digits`, `resnet20-cifar10`, `vgg16bn-cifar100`, `mobilenetv2-fmnist` |
    | `task_kwargs` | dict | `None` | the task's `forget_class`, `fraction`, …: see `TaskOptions` |
    | `model` | nn.Module | `None` | your own network, to logits or outputs; a copy of it is unlearned |
    | `retain_data`, `forget_data` | arrays, path | `None` | pairs (inputs, labels), data sets, or images |
    | `num_classes` | int | `None` | your own data: number of classes, 0 for a regression; `None` asks the model |
    | `image_shape` | tuple | `None` | your own images: (channels, height, width) that files are brought to |
    | `class_names` | list, dict, path | `None` | which class name has which number: see `docs/own_data.md` |
    | `objective` | str, object | `"linear"` | a name in `objectives.SUPERVISED_OBJECTIVES`, or an instance |
    | `objective_kwargs` | dict | `None` | hyperparameters of the objective that is named: below |
    | `reward` | str, object | `"progress"` | a name in `unlearn_gym.envs.rewards.REWARDS`, or an instance |
    | `reward_kwargs` | dict | `None` | keywords of the reward that is named: below |
    | `defaults` | dict | `None` | keywords of whatever is chosen, where the two above leave them out |
    | `horizon` | int | `200` | updates per episode, T |
    | `online` | bool | `False` | one long run: see Starting State |
    | `batch_size` | int | `64` | examples per update, half from each set (the benchmark's ids: 256) |
    | `augment` | bool | `False` | a task's minibatches are moved and mirrored at random as in its training |
    | `learning_rate` | float | `1e-3` | step size of the optimizer |
    | `optimizer` | str | `"adam"` | `adam`, `adamw`, `sgd`, `signsgd` or `signadam` |
    | `max_grad_norm` | float | `1.0` | clip of the combined gradient |
    | `lambda_range` | tuple | `(0.0, 1.0)` | allowed λ |
    | `alpha` | float | `0.01` | weight of the smoothness penalty |
    | `observation` | str | `"state"` | `state` (six numbers) or `relative` (nine), as in `DiffusionUnlearningEnv` |
    | `action` | str | `"lambda"` | `lambda` or `logit`, as in `DiffusionUnlearningEnv` |
    | `control` | tuple | `("lambda",)` | or `("lambda", "learning_rate")`, as in `DiffusionUnlearningEnv` |
    | `state` | str | `"fresh"` | `fresh` or `lagged` |
    | `grad_norms` | bool | `True` | False: report 0 and do not compute the two norms |
    | `gradients` | str | `"auto"` | `auto`, or `direct`: plain autograd, the reference for the fast ways |
    | `precision` | str | `"float32"` | of the passes of updates and states; `bfloat16` is mixed, for large networks |
    | `mask` | str | `None` | `saliency:0.5` moves only that share of the weights: those that forgetting needs most |
    | `divergence_penalty` | float | `1.0` | reward lost for each remaining step after divergence |
    | `device` | str | `"cpu"` | where to compute; the whole data set lies there |
    | `dtype` | str | `"float32"` | floating-point type |
    | `render_mode` | str | `None` | `rgb_array` (curves of λ, losses and norms) or `ansi` |

    | Objective or reward | Keyword | Default | Description |
    |---------------------|---------|---------|-------------|
    | `likelihood` | `sigma` | `0.5` | σ, in the units of the outputs |
    | `likelihood` | `strength` | `0.9` | c in (0, 1) |
    | `npo` | `beta` | `0.5` | β > 0, how soon a forgotten example is left alone |
    | `simnpo` | `beta` | `2.5` | the same |
    | `simnpo` | `delta` | `0.0` | cross entropy around which the push fades |
    | `dpo` | `beta` | `0.5` | the same |
    | `dipo` | `beta` | `0.1` | the same |
    | `dipo` | `top` | `1` | how many of the largest logits are lowered in what it prefers |
    | `flat` | `divergence` | `"kl"` | or `tv`, `pearson` |
    | `gce` | `q` | `0.7` | in (0, 1]; near 0 it is ascent on the cross entropy |
    | `progress`, `balance` | `forget_cap` | `1.5` | forget error beyond which nothing is gained |
    | `progress`, `balance` | `retain_weight` | `10.0` | price of lost retain quality |
    | `progress`, `balance` | `most_lost` | `100.0` | price beyond which nothing more is lost |

    ```python
    >>> import gymnasium as gym
    >>> import unlearn_gym
    >>> env = gym.make("unlearn_gym/EMSE-Digits-v0", task_kwargs={"forget_class": 3}, horizon=50)
    >>> env.action_space
    Box(0.0, 1.0, (1,), float32)

    ```

    ## Version History
    * v0: first version.
    """  # noqa: D212 (the docstring is the page)

    @takes(SupervisedOptions)
    def __init__(
        self,
        task: str | None = None,
        task_kwargs: dict[str, Any] | None = None,
        model: nn.Module | None = None,
        retain_data: Any = None,
        forget_data: Any = None,
        num_classes: int | None = None,
        image_shape: Sequence[int] | None = None,
        class_names: ClassNames | None = None,
        augment: bool = False,
        *,
        options: SupervisedOptions,
    ) -> None:
        self.task: SupervisedTask | None = get_supervised_task(task, **(task_kwargs or {})) if task else None
        if self.task is not None:
            network, data = self.task.original(as_device(options.device)), self.task.data
        elif augment:
            raise UserError(
                "augment=True needs a task, whose training says how; augment your own data yourself."
            )
        else:
            own = (model, retain_data, forget_data, num_classes, image_shape, class_names)
            network, data = _own(*own)
        recipe = self.task.recipe if self.task and augment else None
        pad, mirror = (recipe.pad, recipe.mirror) if recipe else (0, False)
        self._open(network, data, options, pad=pad, mirror=mirror)
        self.evaluator = "supervised" if data.num_classes else "regression"

    def _open(
        self, network: nn.Module, data: UnlearningData, options: SupervisedOptions, **augmentation: Any
    ) -> None:
        """Make the process and the face of the environment."""
        self.settings = options.resolved()
        process = SupervisedProcess(network, data, **augmentation, **self.settings.of_process())
        super().__init__(process, **self.settings.of_episode())
        self.process: SupervisedProcess = process

    @property
    def class_names(self) -> dict[int, str]:
        """Number → name of the classes; empty for a regression."""
        return self.process.data.class_names

    def save(self, path: str | Path) -> None:
        """Write the weights as they are now to a .safetensors file, whole or not at all."""
        model = itself(self.process.model)
        weights = {name: t.cpu().contiguous() for name, t in model.state_dict().items()}
        with atomic_write(path) as temporary:
            save_file(weights, temporary)


def _own(
    model: nn.Module | None,
    retain: Any,
    forget: Any,
    num_classes: int | None,
    image_shape: Sequence[int] | None,
    class_names: Any,
) -> tuple[nn.Module, UnlearningData]:
    """Read the user's request and try their model on it."""
    if not isinstance(model, nn.Module) or retain is None or forget is None:
        raise UserError(
            "This environment needs your own model and data; give model= (an nn.Module), retain_data= and "
            "forget_data= (pairs of inputs and labels, or data sets), and num_classes= for a classifier."
        )
    if num_classes is not None and (type(num_classes) is not int or num_classes < 0 or num_classes == 1):
        raise UserError(
            f"num_classes={num_classes!r} was given; give a whole number from 2 on, or 0 for a regression."
        )
    kept = read_examples(retain, "retain_data", image_shape)
    gone = read_examples(forget, "forget_data", image_shape)
    network, outputs = adapted(copied(model), kept.inputs, whole=kept.whole and gone.whole)
    classes = inferred_classes(kept, outputs.shape) if num_classes is None else num_classes
    data = request_of(kept, gone, classes, class_names)
    return fitted(network, outputs, data.retain.labels, classes), data
