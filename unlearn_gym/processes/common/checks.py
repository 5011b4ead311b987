"""What a network must be for its weights to be moved."""

from __future__ import annotations

from torch import nn
from torch.nn.parameter import is_lazy

from unlearn_gym.errors import UserError
from unlearn_gym.processes.common.flat import trained


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
