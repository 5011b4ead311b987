"""What a network must be for its weights to be moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from unlearn_gym.errors import UserError
from unlearn_gym.processes.common.flat import are_views, trained

if TYPE_CHECKING:
    from diffusers import UNet2DModel


def check_weights(model: nn.Module) -> None:
    """Refuse a network that has no weights to move, or whose weights move by themselves."""
    if any(map(is_lazy, [*model.parameters(), *model.buffers()])):
        raise UserError(
            "The network has lazy layers that were never passed, and so no weights yet; pass one batch through it."
        )
    if not trained(model):
        raise UserError(
            "The network has no trainable weights, so that nothing can be unlearned; set requires_grad=True on "
            "those that may move."
        )
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Embedding | nn.EmbeddingBag) and layer.max_norm is not None:
            raise UserError(
                f"The network's {type(layer).__name__} {name or '(the network itself)'} has "
                f"max_norm={layer.max_norm:g}, so that measuring it would move its weights; set its max_norm to None."
            )


def check_still_moved(parameters: Sequence[Tensor], weights: Tensor) -> None:
    """Refuse to go on with a network whose parameters updates of the vector ``weights`` would no longer move."""
    if not all(p.requires_grad for p in parameters):
        raise UserError(
            "Weights of the network were frozen after its environment was made; set requires_grad before."
        )
    if not are_views(parameters, weights):
        raise UserError(
            "The network's parameters were replaced since its environment was made (by module.to or "
            "load_state_dict with assign=True, for instance); change them in place, or work on a copy."
        )


def check_kind(unet: UNet2DModel, *, whole: bool = True) -> None:
    """Refuse networks whose conditions are no integer timesteps, or no integer labels.

    Args:
        unet: the network.
        whole: False where it is told numbers between the timesteps as well.
    """
    if not whole and unet.config["time_embedding_type"] == "learned":
        raise UserError(
            "A UNet with time_embedding_type='learned' knows whole timesteps alone; choose time='discrete', or give a "
            "network with positional time embeddings."
        )
    if unet.config["time_embedding_type"] == "fourier":
        raise UserError(
            "A UNet with time_embedding_type='fourier' predicts scaled scores for continuous noise levels and divides "
            "by the timestep, which may be 0; give a DDPM's, with positional or learned time embeddings."
        )
    if unet.config["class_embed_type"] == "identity":
        raise UserError(
            "A UNet with class_embed_type='identity' takes embeddings in the place of labels; give one with "
            "num_class_embeds, with class_embed_type='timestep', or without classes."
        )
