"""Gradients of single layers for any row weights, from what came in and the gradient of what came out.

The gradient of Σ_j w_j ℓ_j in a layer's parameters is linear in the weights w. For *row-wise* parameters
(biases and the scales of norms) one row's gradient is as small as the parameter, so all rows are kept; for
*contracted* ones (the matrices) the sum over rows is taken anew for each w, which costs a third of a
forward and backward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def conv_weight(layer: nn.Conv2d, x: Tensor, g: Tensor) -> Tensor:
    """Return the gradient of the kernel for inputs ``x`` and output gradients ``g``, rows first."""
    sizes = (layer.stride, layer.padding, layer.dilation, False, [0, 0], layer.groups)
    found = torch.ops.aten.convolution_backward(g, x, layer.weight, None, *sizes, [False, True, False])
    return found[1]


def linear_weight(layer: nn.Linear, x: Tensor, g: Tensor) -> Tensor:
    """Return the gradient of the matrix."""
    return g.flatten(0, -2).T @ x.flatten(0, -2)


def embedding_weight(layer: nn.Embedding, x: Tensor, g: Tensor) -> Tensor:
    """Return the gradient of the table."""
    return torch.zeros_like(layer.weight).index_add_(0, x.flatten(), g.flatten(0, -2))


CONTRACTED: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Conv2d: conv_weight,
    nn.Linear: linear_weight,
    nn.Embedding: embedding_weight,
}


def rowwise(layer: nn.Module, x: Tensor, g: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return the row-wise parameters of a layer with each row's gradient, (n, c)."""
    if isinstance(layer, nn.GroupNorm):
        scale, shift = _group_norm(layer, x, g)
    elif isinstance(layer, (nn.LayerNorm, nn.BatchNorm2d)):
        scale, shift = _sum_positions(layer, g * _normalised(layer, x)), _sum_positions(layer, g)
    elif getattr(layer, "bias", None) is not None:
        return [(cast(Tensor, layer.bias), _sum_positions(layer, g))]
    else:
        return []
    pairs = ((layer.weight, scale), (layer.bias, shift))
    return [(parameter, each) for parameter, each in pairs if parameter is not None]


def _group_norm(layer: nn.GroupNorm, x: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """Return each row's gradient of scale and shift.

    The channels of n rows are those of one row with n times as many groups, so that one call of PyTorch's own
    backward operation, with a scale and a shift for each row and channel, gives all of them.
    """
    x, g = (
        x.contiguous(),
        g.contiguous(),
    )  # as the operations expect; attention's tokens are a transposed image
    n, c, groups = x.shape[0], x.shape[1], layer.num_groups
    size = x[0, 0].numel()
    _, mean, scale = torch.native_group_norm(x, None, None, n, c, size, groups, layer.eps)
    one_row = [t.reshape(1, -1, size) for t in (g, x)]
    stats = [t.view(1, -1) for t in (mean, scale)]
    shape = (x.new_ones(n * c), 1, n * c, size, n * groups)
    found = torch.ops.aten.native_group_norm_backward(*one_row, *stats, *shape, [False, True, True])
    return found[1].view(n, c), found[2].view(n, c)


def _sum_positions(layer: nn.Module, g: Tensor) -> Tensor:
    """Sum everything but rows and channels; (n, c)."""
    if isinstance(layer, (nn.Linear, nn.LayerNorm)):
        return g.flatten(1, -2).sum(1) if g.ndim > 2 else g
    return g.flatten(2).sum(2) if g.ndim > 2 else g


def _normalised(layer: nn.LayerNorm | nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Return the input of a norm's scale and shift."""
    if isinstance(layer, nn.LayerNorm):
        return F.layer_norm(x, list(layer.normalized_shape), eps=layer.eps)
    return F.batch_norm(x, layer.running_mean, layer.running_var, eps=layer.eps)


def mixes_rows(layer: nn.Module) -> bool:
    """Whether a layer, with or without parameters, normalises by the statistics of its batch."""
    return isinstance(layer, _BatchNorm) and (layer.training or layer.running_mean is None)


def is_known(layer: nn.Module) -> bool:
    """Whether the rules above hold for this layer: its rows do not mix, and its options are the plain ones.

    A weight that is computed from other parameters (``torch.nn.utils.weight_norm``, pruning) is not one of them.
    """
    if not {name for name, _ in layer.named_parameters(recurse=False)} <= {"weight", "bias"}:
        return False
    if isinstance(layer, nn.Conv2d):
        return (
            type(layer) is nn.Conv2d and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
        )
    if isinstance(layer, nn.BatchNorm2d):
        return type(layer) is nn.BatchNorm2d and not mixes_rows(layer)
    if isinstance(layer, nn.LayerNorm):
        return type(layer) is nn.LayerNorm and len(layer.normalized_shape) == 1
    if isinstance(layer, nn.Embedding):
        plain = layer.max_norm is None and layer.padding_idx is None and not layer.scale_grad_by_freq
        return type(layer) is nn.Embedding and plain
    return type(layer) in (nn.Linear, nn.GroupNorm)
