"""How a classifier does after unlearning, and how far it is from the one that never saw the forget set."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import kl_div, log_softmax


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of the examples whose largest logit is the label's; NaN without examples.

    Logits that are not numbers are never right.

    Args:
        logits: shape (n, classes).
        labels: int64 of shape (n,).
    """
    right = (logits.argmax(dim=1) == labels) & ~logits.isnan().any(dim=1)
    return float(right.double().mean())


def mean_kl(reference: Tensor, logits: Tensor) -> float:
    """KL(reference ‖ model) of the predicted distributions in nats, averaged over the examples.

    Args:
        reference: logits of the reference model, shape (n, classes).
        logits: logits of the model, on the same examples.
    """
    target, own = log_softmax(reference.double(), dim=1), log_softmax(logits.double(), dim=1)
    return float(kl_div(own, target, reduction="none", log_target=True).sum(dim=1).mean())


def unlearn_score(retain_acc: float, forget_acc: float, forget_mia_auc: float) -> float:
    """The benchmark's score, (retain_acc + (1 − forget_acc) + (1 − forget_mia_auc)) / 3.

    An AUC below 0.5 raises it although it is worse privacy: read it beside |AUC − 0.5|.
    """
    return (retain_acc + (1.0 - forget_acc) + (1.0 - forget_mia_auc)) / 3.0
