"""Which weights may move: those that matter most for the forget set (SalUn, Fan et al. 2024, arXiv 2310.12508)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from unlearn_gym.errors import UserError

KIND = "saliency"


def share_of(mask: str) -> float:
    """Return the share in ``saliency:SHARE``.

    Raises:
        UserError: when it is no such word, or the share is not in (0, 1].
    """
    kind, _, text = mask.partition(":")
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if kind != KIND or not 0 < share <= 1:
        raise UserError(
            f"mask={mask!r} is not known; give saliency:SHARE with a share of the weights above 0 and up to 1, such "
            "as saliency:0.5."
        )
    return share


def salient(gradients: Iterable[Tensor], share: float) -> Tensor:
    """Return 1 for the largest |Σ g| and 0 for the rest, (P,), each gradient clipped to norm 1 first.

    Args:
        gradients: of the forget loss on its minibatches, (P,) each.
        share: of the weights that may move.

    Raises:
        UserError: if it is so small that no weight would.
    """
    total = sum(g * (1.0 / (g.norm() + 1e-6)).clamp(max=1.0) for g in gradients)
    assert isinstance(total, Tensor)
    count = round(share * len(total))
    if not count:
        raise UserError(
            f"mask='{KIND}:{share:g}' leaves none of the {len(total)} weights to move; give a larger share."
        )
    chosen = torch.zeros_like(total)
    chosen[total.abs().topk(count).indices] = 1.0
    return chosen
