"""A classifier that is to forget images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image, UnidentifiedImageError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearn_gym.applying.cases.base import Alarm, Case, Losses, Measured, auc_name, some
from unlearn_gym.applying.cases.request import read_request
from unlearn_gym.applying.settings import Settings, Sources
from unlearn_gym.data.readers.folder import image_files
from unlearn_gym.data.readers.pixels import PixelFormat
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.errors import UserError
from unlearn_gym.metrics.classification import accuracy
from unlearn_gym.metrics.privacy import mann_whitney_auc, max_confidence
from unlearn_gym.models.modes import eval_mode
from unlearn_gym.models.supervised.foreign import adapted, copied, fitted
from unlearn_gym.runtime.command_line import one_line
from unlearn_gym.runtime.user_code import blamed, import_file
from unlearn_gym.storage.files import user_path

CHUNK = 256
GREY = ("1", "L", "LA", "I", "I;16")


class ClassifierCase(Case):
    """See ``Case``; a loss is a cross entropy.

    Args:
        sources: what was given.
        settings: likewise.

    Raises:
        UserError: for a model or images that cannot be read or do not fit.
    """

    kind = "classifier"
    env_id = "unlearn_gym/EMSE-v0"
    name = "cross entropy"
    alarm = Alarm(rise=1.5, slack=0.1, least=1.0)
    saved = "model.safetensors"
    back = "Load it with `load_file` of safetensors and `load_state_dict` of the module that the factory returns."

    def __init__(self, sources: Sources, settings: Settings) -> None:
        self._settings, self._factory = settings, sources.factory
        self._given = _model(sources)
        shape = _shape(sources)
        tried = fits(self._given, torch.zeros(2, *shape))
        self._classes = max(tried, 2)
        form = PixelFormat(*shape, exact=not settings.convert)
        self.data = read_request(sources, form, self._classes, settings.seed)
        network, outputs = adapted(copied(self._given), self.data.retain.inputs, whole=False)
        self._network = fitted(network, outputs, self.data.retain.labels, self._classes)
        self._refuse_misfit()

    def original(self) -> nn.Module:
        """See ``Case.original``."""
        return self._given

    def beside(self) -> Sequence[Any]:
        """Return the text of the factory's file, where it is one: what a network computes is not in its weights."""
        if not isinstance(self._factory, str):
            return ()
        return (user_path(self._factory.rpartition(":")[0]).read_text(encoding="utf-8"),)

    def env_kwargs(self, settings: Settings) -> dict[str, Any]:
        """See ``Case.env_kwargs``."""
        return {
            "model": self._given,
            "retain_data": self.data.retain,
            "forget_data": self.data.forget,
            "num_classes": self._classes,
        }

    def losses(self, model: nn.Module) -> Losses:
        """See ``Case.losses``."""
        return Losses(*(self._losses(model, part) for part in (self.data.retain_holdout, self.data.forget)))

    def retain_loss(self, model: nn.Module) -> float:
        """Return the mean loss of images to keep that updates see."""
        return float(self._losses(model, self.data.retain).mean())

    def _losses(self, model: nn.Module, part: LabelledSet) -> Tensor:
        part = some(part)
        return cross_entropy(self._logits(model, part).double(), part.labels, reduction="none")

    def measure(self, model: nn.Module) -> Measured:
        """See ``Case.measure``."""
        sides = {"retain": some(self.data.retain_holdout), "forget": some(self.data.forget)}
        logits = {name: self._logits(model, part) for name, part in sides.items()}
        values = {f"{name}_acc": accuracy(logits[name], part.labels) for name, part in sides.items()}
        others = self._logits(model, self.non_members())
        values[auc_name(self.data)] = mann_whitney_auc(
            max_confidence(logits["forget"]), max_confidence(others)
        )
        return Measured(self.losses(model), values)

    def _refuse_misfit(self) -> None:
        """Refuse a network that is no better than a constant answer."""
        kept = some(self.data.retain)
        right = accuracy(self._logits(self._network, kept), kept.labels)
        most = float(kept.labels.bincount().max()) / len(kept)
        if right <= most < 1.0:
            raise UserError(
                f"The model names {right:.0%} of the images to keep right, no more than one that always says the most "
                "frequent label; it is given pixels from -1 to 1: put its own normalisation into the factory's module, "
                "and check the numbering of the classes (class_names)."
            )

    def save(self, env: Any, folder: Path) -> None:
        """See ``Case.save``."""
        env.save(folder / self.saved)

    @torch.no_grad()
    def _logits(self, model: nn.Module, part: LabelledSet) -> Tensor:
        parameter = next(model.parameters())
        with eval_mode(model):
            return torch.cat([model(chunk.to(parameter)).float().cpu() for chunk in part.inputs.split(CHUNK)])


def fits(model: nn.Module, images: Tensor) -> int:
    """Return how many numbers a network returns for an image.

    Raises:
        UserError: when it fails on such images.
    """
    _, outputs = adapted(copied(model), images, whole=False)
    return 1 if outputs.ndim == 1 else outputs.shape[1]


def _model(sources: Sources) -> nn.Module:
    """Return the user's module with its weights."""
    if isinstance(sources.model, nn.Module):
        return sources.model
    file = user_path(sources.model)
    if not file.is_file():
        raise UserError(f"There is no file {file}; give the .safetensors file of a classifier's weights.")
    if sources.factory is None:
        raise UserError(
            f"{file} holds weights alone; give --factory path/to/file.py:function, a function that returns the module "
            "that they belong to."
        )
    model = _made(sources.factory)
    try:
        model.load_state_dict(load_file(file))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise UserError(
            f"The weights {file} do not fit the module of the factory ({one_line(error)[:200]}); give those of its "
            "state_dict."
        ) from error
    return model


def _made(factory: Any) -> nn.Module:
    """Call a factory: a function, or ``path/to/file.py:function``."""
    if isinstance(factory, str):
        path, mark, name = factory.rpartition(".py:")
        if not mark or not name:
            raise UserError(f"factory={factory!r} is no function; give path/to/file.py:function.")
        found = getattr(import_file(user_path(f"{path}.py")), name, None)
        if not callable(found):
            raise UserError(f"{path}.py defines no function {name!r}; give path/to/file.py:function.")
    else:
        found = factory
    with blamed(f"The factory {factory}"):
        model = found()
    if not isinstance(model, nn.Module):
        raise UserError(f"The factory {factory} returned a {type(model).__name__}; return an nn.Module.")
    return model


def _shape(sources: Sources) -> tuple[int, int, int]:
    """Return (channels, height, width) of the network's images: as given, or those of the first image to keep."""
    if sources.image_shape:
        shape = tuple(sources.image_shape)
        if len(shape) != 3 or not all(type(number) is int and number > 0 for number in shape):
            raise UserError(
                f"image_shape={list(shape)} was given; give channels, height and width, as 3 32 32."
            )
        return shape  # type: ignore[return-value]
    given = sources.retain
    if isinstance(given, str | os.PathLike) and user_path(given).is_dir():
        for file in image_files(user_path(given))[:1]:
            try:
                with Image.open(file) as image:
                    return (1 if image.mode in GREY else 3, image.height, image.width)
            except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
                raise UserError(f"{file} is not a readable image ({error}); remove or replace it.") from error
        raise UserError(f"The folder {given} has no images; give one that has.")
    raise UserError(
        "image_shape is not known; give the channels, height and width of the classifier's images, as 3 32 32."
    )
