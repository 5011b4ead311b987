"""A diffusion model that is to forget images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Generator, nn

from unlearn_gym.applying.cases.base import Alarm, Case, Losses, Measured, auc_name, some
from unlearn_gym.applying.cases.request import read_request
from unlearn_gym.applying.settings import Settings, Sources
from unlearn_gym.data.readers.pixels import PixelFormat
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.envs.automatic import PROBE_SIZE, PROBES
from unlearn_gym.envs.options import as_device
from unlearn_gym.errors import UserError
from unlearn_gym.metrics.losses import DenoisingProbe, denoising_mia_auc, example_losses
from unlearn_gym.metrics.similarity import best_match_ssim
from unlearn_gym.metrics.subsets import distinct
from unlearn_gym.models.diffusion.model import DiffusionModel, image_size
from unlearn_gym.models.diffusion.sampling import sample
from unlearn_gym.models.grid import pixels_of

UNTRAINED = 1.0
"""The loss of a network that always answers 0."""
GLANCED, COMPARED = 64, 200
"""Images of a side that are looked at during a run, each once; and for membership, each at ten timesteps."""
MOST_NAMED = 4
SSIM_SAMPLES, SSIM_REFERENCES = 64, 200


class DiffusionCase(Case):
    """See ``Case``; a loss is the squared error of the predicted noise, a mean over pixels.

    Args:
        sources: what was given.
        settings: likewise.

    Raises:
        UserError: for a model or images that cannot be read or do not fit.
    """

    kind = "diffusion"
    env_id = "unlearn_gym/SISS-v0"
    name = "denoising loss"
    alarm = Alarm(rise=1.1, slack=0.0, least=1.05)
    saved = "model"
    back = "Load it with `DDPMPipeline.from_pretrained` of diffusers; weights are in float32."

    def __init__(self, sources: Sources, settings: Settings) -> None:
        if sources.factory is not None or sources.image_shape:
            raise UserError(
                "factory and image_shape belong to a classifier, whose model is a .safetensors file; leave them out."
            )
        self._sources, self._settings = sources, settings
        self._model = DiffusionModel.of(sources.model, sources.scheduler)
        config = self._model.unet.config
        form = PixelFormat(config["in_channels"], *image_size(config), exact=not settings.convert)
        self._classes = config["num_class_embeds"] or 0
        self.data = read_request(sources, form, self._classes, settings.seed)
        sides = self.data.retain_holdout, self.data.forget
        self._probes = [self._probe(some(part), PROBES * PROBE_SIZE) for part in sides]
        self._glances = [self._probe(some(part, GLANCED), GLANCED) for part in sides]
        self._refuse_misfit()

    def original(self) -> nn.Module:
        """See ``Case.original``."""
        return self._model.unet

    def beside(self) -> Sequence[Any]:
        """Return the noise schedule."""
        return (self._model.scheduler,)

    def env_kwargs(self, settings: Settings) -> dict[str, Any]:
        """See ``Case.env_kwargs``."""
        given = self._sources.model
        by_path = isinstance(given, str | Path)
        return {
            "model": given if by_path else self._model,
            "scheduler": self._sources.scheduler if by_path else None,
            "retain_data": self.data.retain,
            "forget_data": self.data.forget,
            "defaults": {"forget_cap": "auto", "retain_weight": "auto"},
        }

    def losses(self, model: nn.Module) -> Losses:
        """See ``Case.losses``; each image's mean over timesteps."""
        return self._losses(model, self._probes)

    def glance(self, model: nn.Module) -> Losses:
        """See ``Case.glance``."""
        return self._losses(model, self._glances)

    def _losses(self, model: nn.Module, probes: Sequence[tuple[DenoisingProbe, int]]) -> Losses:
        found = (
            probe.losses(model, self._model.scheduler).view(-1, count).mean(0) for probe, count in probes
        )
        return Losses(*found)

    def measure(self, model: nn.Module) -> Measured:
        """See ``Case.measure``."""
        generator = Generator().manual_seed(self._settings.seed)
        members, others = (
            example_losses(model, self._model.scheduler, side, self._classes > 0, generator)
            for side in (some(self._forget(), COMPARED), some(self.non_members(), COMPARED))
        )
        values = {auc_name(self.data): denoising_mia_auc(members, others)}
        strips = self._samples(model)
        if strips:
            shown = next(iter(strips.values()))[:SSIM_SAMPLES]
            values["ssim_forget"] = best_match_ssim(shown, self._forget().inputs[:SSIM_REFERENCES])
        return Measured(
            self.losses(model), values, {name: pixels_of(images) for name, images in strips.items()}
        )

    def _refuse_misfit(self) -> None:
        """Refuse a network that does not predict the noise of the images to keep."""
        device = as_device(self._settings.device)
        network = nn.Module.to(self._model.unet, device)
        probe, _ = self._probe(some(self.data.retain, GLANCED), GLANCED)
        found = probe.loss(network, self._model.scheduler)
        nn.Module.to(network, "cpu")
        if not found < UNTRAINED:
            raise UserError(
                f"The model does not predict the noise of the images to keep: its loss is {found:.3g}, and a network "
                f"that always answers 0 has {UNTRAINED:g}; give the images that it was trained on, at the size and in "
                "the colours of the training, and a network that predicts the noise."
            )

    def save(self, env: Any, folder: Path) -> None:
        """See ``Case.save``."""
        env.save_pretrained(folder / self.saved)

    def _probe(self, part: LabelledSet, least: int) -> tuple[DenoisingProbe, int]:
        """Draw at least so many triples, as many of each image; return them and the number of images."""
        steps = self._model.scheduler.config["num_train_timesteps"]
        size = len(part) * -(-least // len(part))
        generator = Generator().manual_seed(0)
        return DenoisingProbe.draw(part, self._classes > 0, size, steps, generator), len(part)

    def _forget(self) -> LabelledSet:
        found = some(self.data.forget)
        rows = distinct(found.inputs)
        return LabelledSet(found.inputs[rows], found.labels[rows])

    def _labels(self) -> torch.Tensor:
        """Return a label for each sample: half are of the forget images' labels, the others of other labels."""
        count = self._settings.samples
        if not self._classes:
            return torch.zeros(count, dtype=torch.int64)
        own = self._own_labels()
        others = [label for label in self.data.retain.labels.unique().tolist() if label not in own]
        half = count - count // 2 if others else count
        return torch.tensor(_in_turn(own, half) + _in_turn(others, count - half), dtype=torch.int64)

    def _own_labels(self) -> list[int]:
        return self.data.forget.labels.unique().tolist()

    def _samples(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """Draw from noise that the seed decides; title → images on the CPU, those of the forget labels first."""
        labels = self._labels()
        if not len(labels):
            return {}
        shape = (len(labels), *self.data.retain.inputs.shape[1:])
        noise = torch.randn(shape, generator=Generator().manual_seed(self._settings.seed))
        parameter = next(model.parameters())
        images = sample(
            model,
            self._model.scheduler,
            labels.to(parameter.device) if self._classes else None,
            noise.to(parameter),
            self._settings.sampling_steps,
        )
        images = images.float().cpu()
        if not self._classes:
            return {"samples": images}
        own, names = self._own_labels(), self.data.class_names
        shown = ", ".join(names[label] for label in own[:MOST_NAMED]) + (
            ", …" if len(own) > MOST_NAMED else ""
        )
        of_label = torch.isin(labels, torch.tensor(own))
        found = {f"label {shown}": images[of_label], "other labels": images[~of_label]}
        return {title: part for title, part in found.items() if len(part)}


def _in_turn(labels: list[int], count: int) -> list[int]:
    """Return ``count`` of some labels, equally often as far as it goes, in order."""
    return sorted(labels[k % len(labels)] for k in range(count)) if labels else []
