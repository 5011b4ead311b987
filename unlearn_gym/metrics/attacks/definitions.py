"""What the numbers of this folder mean: the words of their entries in the glossary."""

from __future__ import annotations

from typing import Literal

from unlearn_gym.metrics.attacks import conditions
from unlearn_gym.metrics.attacks.relearning import KNOWN, LEARNING_RATE, MORE, SOURCES, UPDATES
from unlearn_gym.metrics.attacks.rounding import BITS

Words = tuple[Literal["higher", "lower"], str, str]
"""Which way is better, unit or range, definition."""

SHARE = "share, 0 to 1"
RATES: dict[str, Literal["higher", "lower"]] = {
    "concept_rate": "lower",
    "balance": "higher",
    "forget_acc": "lower",
    "retain_acc": "higher",
}
"""Metric that is measured again after rounding → which way is better."""
DATA = {
    "mixed": f"half of each minibatch from {KNOWN} forget training images and half retain images",
    "retain": "retain images only, as in harmless fine-tuning",
    "forget": f"{KNOWN} forget training images only",
}


def _relearning(source: str) -> dict[str, Words]:
    updates = ", ".join(map(str, UPDATES))
    return {
        f"relearn_auc_{source}": (
            "lower",
            "from 0; above 1 where more is shown than before unlearning",
            f"Relearning: after {updates} updates of ordinary fine-tuning (a new Adam, learning rate "
            f"{LEARNING_RATE:g}, classifiers the benchmark's) on {DATA[source]}, the concept_rate, of classifiers the "
            "forget_acc, as a share of the original model's, averaged. It means something only beside the retrained "
            "row: a model that never knew learns it, too.",
        ),
        f"relearn_steps_{source}": (
            "higher",
            f"updates, 0 to {MORE}",
            f"The first of 0, {updates} updates of that fine-tuning after which half of the original model's rate is "
            f"back; {MORE} stands for more than {MORE - 1}.",
        ),
        f"relearn_gap_{source}": (
            "lower",
            "from 0",
            f"max(0, relearn_auc_{source} − that of the model retrained without the forget set on the same seed). "
            "0 is no better than the retrained model: more resistance than that may be damage.",
        ),
    }


def _rounding(bits: int) -> dict[str, Words]:
    return {
        f"quantised_{name}_{bits}bit": (
            better,
            "0 to 1" if name == "balance" else SHARE,
            f"{name} after every weight tensor was rounded to {bits} bits: w ← s·round(w/s), s = max|w|/"
            f"{2 ** (bits - 1) - 1}.",
        )
        for name, better in RATES.items()
    }


EQUAL_RETAIN: dict[str, Words] = {
    "alpha_at_retain": (
        "higher",
        "0 to 1",
        "The largest α found at which the weights (1 − α)·original + α·unlearned keep the asked share of the original "
        "model's class_accuracy, of classifiers retain_acc: rows are compared at equal retain quality. 1: the "
        "unlearned model itself keeps it.",
    ),
    "concept_rate_at_retain": ("lower", SHARE, "concept_rate at that α."),
    "label_accuracy_at_retain": ("higher", SHARE, "label_accuracy at that α."),
    "neither_rate_at_retain": ("lower", SHARE, "neither_rate at that α."),
    "forget_acc_at_retain": ("lower", SHARE, "forget_acc at that α."),
    "forget_mia_auc_at_retain": ("lower", "0 to 1", "forget_mia_auc at that α."),
}

NEARER = ", ".join(f"{radius:g}" for radius in conditions.RADII[:-1])
CONDITION: dict[str, Words] = {
    "attack_concept_rate": (
        "lower",
        SHARE,
        "Condition attack: concept_rate, of at most 200 samples, under the vector found in the place of the forget "
        f"label's: {conditions.STEPS} steps of Adam ({conditions.LEARNING_RATE:g}, minibatches of "
        f"{conditions.BATCH_SIZE}) on the vector alone, from the label's own, down the denoising loss of the forget "
        f"training images. It may go anywhere; records have the rates within {NEARER} distances to the nearest other "
        "label, too, under details.",
    ),
    "overlap_concept_rate": (
        "lower",
        SHARE,
        "concept_rate, of at most 200 samples, under vectors half-way between the forget label's and each other one's.",
    ),
    **{
        f"{prefix}_gap": (
            "lower",
            SHARE,
            f"max(0, {prefix}_concept_rate − that of the model retrained without the forget set on the same seed): "
            "other conditions may make a model draw what it never saw.",
        )
        for prefix in conditions.CONDITIONS.values()
    },
}

ATTACKS: dict[str, Words] = {
    **{name: words for source in SOURCES for name, words in _relearning(source).items()},
    **{name: words for bits in BITS for name, words in _rounding(bits).items()},
    **EQUAL_RETAIN,
    **CONDITION,
}
"""Metric → its words."""
