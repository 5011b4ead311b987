"""Ten deletion requests in one data set: 8x8 digits, and under every digit's label clothes of one kind."""

from __future__ import annotations

from unlearn_gym.data.sets.clothes import CLOTHES, small_clothes
from unlearn_gym.data.sets.digits import DIGITS, split_digits
from unlearn_gym.data.split import LabelledSet, UnlearningData


def load_digits_with_intruders(holdout: float = 0.15) -> UnlearningData:
    """Return the digits (retain) and the clothes learned under their labels (forget), always in the same order.

    The 90 images of Fashion-MNIST's class k are learned under the label k: T-shirts as zeros, trousers as ones and so
    on. All of them are to be forgotten; ``unlearn_gym.data.requests`` asks for a part of them, or of the digits.

    Args:
        holdout: share of each digit class that is held out of training, in (0, 1).

    Returns:
        Images of shape (n, 1, 8, 8) in [-1, 1]; no clothes are held out.

    Raises:
        UserError: when ``holdout`` is out of range.
    """
    retain, held_out = split_digits(holdout)
    clothes = small_clothes()
    return UnlearningData(
        name="intruders",
        retain=retain,
        forget=clothes,
        retain_holdout=held_out,
        forget_holdout=LabelledSet(clothes.inputs[:0], clothes.labels[:0]),
        num_classes=len(DIGITS),
        concepts=(*DIGITS, *CLOTHES),
        forget_shows=len(DIGITS) + clothes.labels,
        alike=tuple(range(len(DIGITS), len(DIGITS) + len(CLOTHES))),
    )
