"""Other people's networks, brought to one form: a tensor of floats in, a tensor of logits or outputs out."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from unlearn_gym.errors import UserError

LARGEST_WHOLE = 2**24
"""Up to here float32 holds every whole number."""
TRIED = 2
"""Examples that a network is tried on."""


class Adapted(nn.Module):
    """A network together with what its inputs and outputs need to have the one form.

    Args:
        network: the network itself.
        whole: whether it wants int64 inputs, such as the numbers of tokens.
        wrapped: whether its outputs are no plain tensor.

    Attributes:
        network: the network itself.
        whole: see above.
        wrapped: see above.
        single: what its single output (n,) or (n, 1) becomes: ``"logits"``, (0, z) for two classes, or
            ``"column"``, (n, 1); ``None`` where outputs stay as they are.
    """

    def __init__(self, network: nn.Module, *, whole: bool = False, wrapped: bool = False) -> None:
        super().__init__()
        self.network, self.whole, self.wrapped = network, whole, wrapped
        self.single: str | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits or outputs, (n, ...)."""
        outputs = plain(self.network(inputs.long() if self.whole else inputs))
        if self.single is None:
            return outputs
        column = outputs.reshape(-1, 1)
        return column if self.single == "column" else torch.cat([torch.zeros_like(column), column], 1)


def itself(model: nn.Module) -> nn.Module:
    """Return the user's network, without what was put around it."""
    return model.network if isinstance(model, Adapted) else model


def copied(model: nn.Module) -> nn.Module:
    """Return a copy in float32 on the CPU, in eval mode.

    Raises:
        UserError: if it cannot be copied, or none of its weights may change.
    """
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UserError(
            "No weight of the model may change; call requires_grad_(True) on those that may be unlearned."
        )
    try:
        return copy.deepcopy(model).cpu().float().eval()
    except Exception as error:  # a foreign module fails in any way
        raise UserError(
            f"The model cannot be copied to the CPU ({_first_line(error)}); give a plain nn.Module."
        ) from error


def adapted(model: nn.Module, inputs: Tensor, *, whole: bool) -> tuple[Adapted, Tensor]:
    """Apply a network to the first inputs and see what it needs.

    Args:
        model: from ``copied``.
        inputs: float32 (n, ...).
        whole: whether the user gave whole numbers: a network that fails on floats is then tried on int64, as
            embeddings want it.

    Returns:
        The network, and its outputs for the first two inputs, connected to the weights.

    Raises:
        UserError: if it fails, returns no tensor or values that are not finite, or has no gradient.
    """
    inputs = inputs[:TRIED]
    found, error = _called(model, inputs)
    takes_whole = error is not None and whole and float(inputs.abs().max()) < LARGEST_WHOLE
    if takes_whole:
        found, again = _called(model, inputs.long())
        error = error if again is not None else None
    if error is not None:
        raise UserError(
            f"The model cannot be applied to inputs of shape {tuple(inputs.shape)} ({_first_line(error)}); give inputs "
            "of the shape that it was trained on."
        ) from error
    outputs = plain(found)
    if not outputs.is_floating_point() or not bool(outputs.isfinite().all()):
        raise UserError(
            f"The model returns {outputs.dtype} values that are not all finite numbers; give one that does."
        )
    if not outputs.requires_grad:
        raise UserError(
            "The model's outputs have no gradient; take no_grad, detach or NumPy out of its forward."
        )
    return Adapted(model, whole=takes_whole, wrapped=outputs is not found), outputs


def plain(found: Any) -> Tensor:
    """Return the logits of what a network returned: a tensor, a Hugging Face output, a dictionary or a tuple.

    Raises:
        UserError: if there is no tensor where logits are expected.
    """
    if isinstance(found, Tensor):
        return found
    if isinstance(getattr(found, "logits", None), Tensor):
        return found.logits
    if isinstance(found, Mapping) and isinstance(found.get("logits"), Tensor):
        return found["logits"]
    if isinstance(found, Sequence) and found and isinstance(found[0], Tensor):
        return found[0]
    raise UserError(
        f"The model returns a {type(found).__name__} without logits; give one that returns a tensor, a tuple that "
        "begins with it, or an object with .logits."
    )


def fitted(model: Adapted, outputs: Tensor, targets: Tensor, num_classes: int) -> nn.Module:
    """Return the network with outputs of the shape that the task wants; by itself if it needs nothing.

    One logit for two classes becomes the logits (0, z); outputs (n,) of a regression become (n, 1).

    Args:
        model: from ``adapted``.
        outputs: likewise.
        targets: labels or targets of all examples.
        num_classes: number of classes, or 0 for a regression.

    Raises:
        UserError: for another shape, or for probabilities in place of logits.
    """
    shape, tried = tuple(outputs.shape), targets[:TRIED]
    single = shape in ((len(tried),), (len(tried), 1))
    expected = (len(tried), num_classes) if num_classes else tuple(tried.shape)
    if num_classes == 2 and single:
        _refuse_sigmoid(model.network, outputs)
        model.single = "logits"
    elif not num_classes and shape == (len(tried),) and expected == (len(tried), 1):
        model.single = "column"
    elif shape != expected:
        raise UserError(
            f"The model maps {len(tried)} inputs to shape {shape}; give one that returns {expected}."
        )
    elif num_classes and bool((outputs >= 0).all()) and bool(((outputs.sum(1) - 1).abs() < 1e-4).all()):
        raise UserError(
            "The model returns probabilities (each row is positive and adds up to one); take away its softmax, so that "
            "it returns logits."
        )
    return model if model.whole or model.wrapped or model.single else model.network


def _called(model: nn.Module, inputs: Tensor) -> tuple[Any, Exception | None]:
    try:
        with torch.enable_grad():
            return model(inputs), None
    except Exception as error:  # a foreign module fails in any way
        return None, error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _refuse_sigmoid(network: nn.Module, outputs: Tensor) -> None:
    if isinstance(list(network.modules())[-1], nn.Sigmoid):
        raise UserError(
            "The model returns probabilities (it ends in a Sigmoid); take it away, so that it returns logits."
        )
    if bool(((outputs > 0) & (outputs < 1)).all()):
        warnings.warn(
            "The model's single output is read as a logit; if it is a probability already, take its sigmoid away.",
            stacklevel=4,
        )
