"""Distil a diffusion model into a one-step generator, without any data; a killed distillation goes on."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from unlearn_gym.models.sfd import losses
from unlearn_gym.models.sfd.generator import BETAS, LARGEST_GRADIENT, Draw, Trio
from unlearn_gym.models.sfd.schedule import Schedule
from unlearn_gym.models.threads import repeatable
from unlearn_gym.models.training_file import TrainingFile

if TYPE_CHECKING:
    from diffusers import UNet2DModel

    from unlearn_gym.models.diffusion.model import DiffusionModel

CPU = torch.device("cpu")
SAVE_EVERY = 100
"""Steps between two saved states of a distillation."""
GENERATOR, FAKE = "generator.safetensors", "fake_score.safetensors"


@dataclass(frozen=True)
class DistillationRecipe:
    """Everything but teacher and label frequencies that determines a distilled generator.

    The published settings (learning rates of 1e-5 and 3e-5, 50,000 steps, an average over 10,000) are those of a
    network of 36 million weights; these are for networks of 0.16 million and up.

    Attributes:
        steps: of the fake score and of the generator, each.
        batch_size: images a step.
        learning_rate: Adam's, of the generator.
        fake_learning_rate: Adam's, of the fake score.
        alpha: of ``losses.generator_losses``.
        ema: decay of the moving average of the generator's weights, which is what is kept.
        seed: of every draw.
    """

    steps: int = 1000
    batch_size: int = 64
    learning_rate: float = 1e-4
    fake_learning_rate: float = 3e-4
    alpha: float = 1.2
    ema: float = 0.99
    seed: int = 0


@dataclass(frozen=True)
class Distilled:
    """What a distillation leaves, on the CPU.

    Attributes:
        generator: the average of the generator's weights.
        fake: the fake score, which knows the generator's scores.
    """

    generator: UNet2DModel
    fake: UNet2DModel

    def save(self, folder: Path) -> None:
        """Write the two into an existing folder."""
        save_file(self.generator.state_dict(), folder / GENERATOR)
        save_file(self.fake.state_dict(), folder / FAKE)

    @classmethod
    def load(cls, folder: Path, teacher: UNet2DModel) -> Distilled:
        """Read what ``save`` wrote; both are networks like the teacher."""
        generator, fake = copy.deepcopy(teacher), copy.deepcopy(teacher)
        generator.load_state_dict(load_file(folder / GENERATOR))
        fake.load_state_dict(load_file(folder / FAKE))
        return cls(generator.eval(), fake.eval())


def image_shape(unet: UNet2DModel) -> tuple[int, int, int]:
    """Return channels, height and width of the images of a network."""
    from unlearn_gym.models.diffusion.model import image_size

    return (unet.config["in_channels"], *image_size(unet.config))


def draw_labels(counts: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Draw labels with given frequencies, int64 of shape (number,).

    Args:
        counts: how often each label occurs, (C,); those of 0 are never drawn.
        number: how many to draw.
        generator: source, on the CPU.
    """
    return torch.multinomial(counts.double(), number, replacement=True, generator=generator)


@torch.enable_grad()
def distil(
    teacher: DiffusionModel,
    counts: Tensor,
    recipe: DistillationRecipe,
    *,
    checkpoint: Path,
    device: torch.device = CPU,
    title: str = "one-step generator",
) -> Distilled:
    """Train generator and fake score from the teacher's weights, with a progress bar on stderr.

    SFD without its forget term: ψ descends its loss on what the generator makes, then θ descends L_sfd(c, c). The
    random numbers are the CPU's on every device.

    Args:
        teacher: class-conditional; its weights stay as they are.
        counts: how often each label occurs, (C,): all that is known of the data.
        recipe: settings.
        checkpoint: a .safetensors file for the state of an unfinished training; see ``TrainingFile.steps``.
        device: where to compute; on the CPU one thread is used.
        title: stands before the progress bar.
    """
    frozen = copy.deepcopy(teacher.unet).to(device).eval().requires_grad_(False)
    fake, network = (copy.deepcopy(frozen).requires_grad_(True) for _ in range(2))
    weight = next(network.parameters())
    trio = Trio(network, fake, frozen, Schedule.of(teacher.scheduler, weight))
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema))
    of_fake, of_generator = list(fake.parameters()), list(network.parameters())
    groups = [
        {"params": of_fake, "lr": recipe.fake_learning_rate},
        {"params": of_generator, "lr": recipe.learning_rate},
    ]
    optimizer = torch.optim.Adam(groups, betas=BETAS, fused=True)
    generator = torch.Generator().manual_seed(recipe.seed)
    modules = {"generator": network, "average": average, "fake": fake}
    state = TrainingFile(checkpoint, modules, optimizer, generator)
    shape = image_shape(frozen)

    def drawn() -> Draw:
        labels = draw_labels(counts, recipe.batch_size, generator)
        return Draw.of(labels, shape, trio.schedule, generator).to(weight)

    with repeatable():
        for _ in state.steps(recipe.steps, SAVE_EVERY, title):
            _descend(optimizer, of_fake, trio.fake_losses(drawn()))
            _descend(optimizer, of_generator, _generator_losses(trio, drawn(), recipe.alpha))
            average.update_parameters(network)
    return Distilled(average.module.cpu().eval(), fake.cpu().eval())


def _generator_losses(trio: Trio, draw: Draw, alpha: float) -> Tensor:
    view = trio.look(draw)
    return losses.generator_losses(trio.taught(view, draw, draw.labels), view.fake, view.images, alpha)


def _descend(optimizer: torch.optim.Adam, parameters: Sequence[Tensor], each: Tensor) -> None:
    """Move some of the optimizer's parameters down the mean of the losses; the others have no gradient and stay."""
    optimizer.zero_grad(set_to_none=True)
    each.mean().backward(inputs=list(parameters))
    torch.nn.utils.clip_grad_value_(parameters, LARGEST_GRADIENT)
    optimizer.step()
