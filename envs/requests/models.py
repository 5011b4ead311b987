"""The pretrained models that requests are made to: what each was trained on, and its weights, held ready."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from torch import Tensor, nn

from unlearn_gym.data.requests.family import Family, Shown
from unlearn_gym.data.requests.held import Held
from unlearn_gym.data.requests.poisoned import ClassifierFamily
from unlearn_gym.data.requests.request import Request
from unlearn_gym.data.split import UnlearningData
from unlearn_gym.envs.options import Options, as_device, as_dtype
from unlearn_gym.errors import UserError
from unlearn_gym.metrics.outcomes.base import Meter
from unlearn_gym.metrics.outcomes.outcome import SampleSizes
from unlearn_gym.metrics.outcomes.predictions import PredictionMeter
from unlearn_gym.metrics.outcomes.samples import SampleMeter
from unlearn_gym.models.diffusion.tasks import Task, get_task
from unlearn_gym.models.supervised.poisoned import poisoned_task
from unlearn_gym.models.supervised.tasks import SupervisedTask
from unlearn_gym.processes.common.originals import frozen_original, numbers_of

if TYPE_CHECKING:
    from diffusers import UNet2DModel

AnyFamily = TypeVar("AnyFamily", bound=Family)
AnyTask = TypeVar("AnyTask", bound=Task | SupervisedTask)


class Models(ABC, Generic[AnyFamily, AnyTask]):
    """Models of one kind, which one process can go over to in turns.

    Args:
        names: of their families.
        memory: megabytes of images and weights that are held ready; the rest is made when it is asked for.
        options: where weights lie, and of which type they are.

    Attributes:
        families: name → what the model was trained on.
        tasks: name → the task whose original model it is.

    Raises:
        UserError: if one of them is unknown, or the models differ in more than their weights.
    """

    def __init__(self, names: Iterable[str], memory: float, options: Options) -> None:
        self._held = Held(memory)
        self._device, self._dtype = as_device(options.device), as_dtype(options.dtype)
        self.families: dict[str, AnyFamily] = {}
        self.tasks: dict[str, AnyTask] = {}
        for name in names:
            self.families[name], self.tasks[name] = self._find(name)
        first, *others = self.families
        for other in others:
            self._compare(first, other)
            self.original(other)

    @abstractmethod
    def _find(self, name: str) -> tuple[AnyFamily, AnyTask]:
        """Return the family of a name and its task."""

    @abstractmethod
    def _network(self, name: str) -> nn.Module:
        """Return a family's network before unlearning, loaded anew."""

    @abstractmethod
    def meter(self, process: Any, sizes: SampleSizes) -> Meter:
        """Return what measures outcomes of requests to any of them.

        Args:
            process: that has the network of one of them.
            sizes: how many samples are looked at, where any are drawn.
        """

    def _traits(self, name: str) -> dict[str, Any]:
        """Return in what models must be the same, under words that say how others differ."""
        family, network = self.families[name], self._network(name)
        shapes = {key: tensor.shape for key, tensor in network.state_dict().items()}
        return {
            "images of another shape": family.examples.inputs.shape[1:],
            "another number of labels": family.num_classes,
            "other layers": (str(network), shapes),
        }

    def _compare(self, first: str, other: str) -> None:
        wanted = self._traits(first)
        for difference, trait in self._traits(other).items():
            if trait != wanted[difference]:
                raise UserError(
                    f"Requests to {first} and to {other} cannot be in one environment, for the model of {other} has "
                    f"{difference}; give each a set of its own."
                )

    def check(self, request: Request) -> None:
        """Refuse a request to one of them for what it was not trained on; see ``Family.check``."""
        if request.family in self.families:
            self.families[request.family].check(request.forget, request.count)

    def shown(self, request: Request) -> Shown:
        """Return what its model should and should not show when a request was granted."""
        return self.families[request.family].shown(request.forget)

    def part(self, request: Request) -> UnlearningData:
        """Return what a request asks to forget and to keep."""
        family = self.families[request.family]
        return self._held.get(request.content, lambda: family.part(request.forget, request.count))

    def original(self, name: str) -> list[Tensor]:
        """Return the weights and buffers of a family's network before unlearning; see ``numbers_of``."""
        return self._held.get(
            name, lambda: numbers_of(nn.Module.to(self._network(name), self._device, self._dtype))
        )

    def hold(self, name: str, original: list[Tensor]) -> None:
        """Take a family's original from whoever has it already."""
        self._held.get(name, lambda: original)

    def _frozen(self, network: nn.Module, name: str) -> nn.Module:
        return frozen_original(network, self.original(name))


class DiffusionModels(Models[Family, Task]):
    """The models of ready-made diffusion tasks."""

    def _find(self, name: str) -> tuple[Family, Task]:
        task = get_task(name)
        return replace(Family.of(task.data), name=name), task

    def _network(self, name: str) -> UNet2DModel:
        return self.tasks[name].original().unet

    def _traits(self, name: str) -> dict[str, Any]:
        original = self.tasks[name].original()
        config = {key: value for key, value in original.unet.config.items() if not key.startswith("_")}
        return {
            **super()._traits(name),
            "a network of other settings": config,
            "another noise schedule": dict(original.scheduler.config),
        }

    def meter(self, process: Any, sizes: SampleSizes) -> SampleMeter:
        """See ``Models.meter``: the samples of each are shown to the classifier of its own concepts."""
        one = next(iter(self.families.values()))
        return SampleMeter(
            process.scheduler,
            {name: task.concepts() for name, task in self.tasks.items()},
            one.num_classes,
            one.examples.inputs.shape[1:],
            sizes,
            partial(self._frozen, process.model),
            process.sampler,
        )


class ClassifierModels(Models[ClassifierFamily, SupervisedTask]):
    """The classifiers of poisoned digits."""

    def _find(self, name: str) -> tuple[ClassifierFamily, SupervisedTask]:
        return poisoned_task(name)

    def _network(self, name: str) -> nn.Module:
        return self.tasks[name].original()

    def meter(self, process: Any, sizes: SampleSizes) -> PredictionMeter:
        """See ``Models.meter``; sizes are those of the images held out."""
        return PredictionMeter(self.families, partial(self._frozen, process.model))
