"""Every metric of a report: which way is better, its range, and what exactly was measured."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from unlearn_gym.errors import UserError
from unlearn_gym.metrics.attacks.definitions import ATTACKS

if TYPE_CHECKING:
    from unlearn_gym.metrics.subject import Subject

Direction = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """One measured number.

    Attributes:
        better: whether a higher or a lower value is the better one.
        unit: unit or range, for people.
        definition: what was measured, in a sentence or two.
        compared: whether agents are compared on it; not where the machine decides, or the best value lies in between.
        measure: how it is measured; None where an evaluator does so together with others.
        of: kinds of environments that ``measure`` is for: ``diffusion``, ``vae``, ``supervised``, ``regression``,
            ``plain``.
    """

    better: Direction
    unit: str
    definition: str
    compared: bool = True
    measure: Callable[[Subject], float] | None = None
    of: tuple[str, ...] = ()

    @property
    def arrow(self) -> str:
        """The direction as an arrow."""
        return "↑" if self.better == "higher" else "↓"

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Smallest and largest possible value, where the unit names both in numbers."""
        found = re.search(r"(−?[\d.]+) to ([\d.]+)$", self.unit)
        return None if found is None else (float(found[1].replace("−", "-")), float(found[2]))


GLOSSARY: dict[str, Metric] = {
    "return": Metric("higher", "reward", "Sum of the rewards of the run; its meaning is the environment's."),
    "retain_loss": Metric(
        "lower",
        "mean squared error per pixel or output; VAEs: nats per pixel",
        "Loss on a fixed probe of held-out retain examples after the run; for diffusion models the denoising "
        "loss, with timesteps spread evenly and the same noise for every model; for VAEs the negative ELBO above the "
        "entropy of the grey values, with the codes of the model's own encoder.",
    ),
    "forget_loss": Metric(
        "higher",
        "mean squared error per pixel or output; VAEs: nats per pixel",
        "The same loss on the forget set. High means forgotten, or wrecked: read it beside the retain side. A VAE's "
        "encoder can raise it alone: read it beside concept_rate.",
    ),
    "reconstruction_forget": Metric(
        "higher",
        "nats per pixel",
        "Cross entropy of the different forget images, decoded from the mean of their own posterior, above the entropy "
        "of their grey values: 0 for a perfect copy.",
    ),
    "concept_rate": Metric(
        "lower",
        "share, 0 to 1",
        "Share of the samples of the forget label that the concept classifier calls the forgotten concept.",
    ),
    "neither_rate": Metric(
        "lower",
        "share, 0 to 1",
        "Share of the forget label's samples that show neither the label nor what was forgotten nor another label, as "
        "the concept classifier was taught by noise, blurs, double exposures and blobs: what was wrecked is not "
        "forgotten. Samples that are not finite count here.",
    ),
    "label_accuracy": Metric(
        "higher",
        "share, 0 to 1",
        "Share of the samples of the forget label that the concept classifier recognises as that label.",
    ),
    "class_accuracy": Metric(
        "higher",
        "share, 0 to 1",
        "Share of the samples of each other label that are recognised as that label, averaged over labels.",
    ),
    "balance": Metric(
        "higher",
        "0 to 1",
        "Geometric mean of 1 − concept_rate, label_accuracy and class_accuracy: one number for the whole "
        "trade-off, 0 as soon as one side is lost. Where a whole label is forgotten, of unlearning_accuracy, "
        "overridden and class_accuracy.",
    ),
    "unlearning_accuracy": Metric(
        "higher",
        "share, 0 to 1",
        "UA: share of the forgotten label's samples that the classifier calls anything but that label; 1 for a wreck, "
        "too.",
    ),
    "overridden": Metric(
        "higher",
        "share, 0 to 1",
        "Share of the forgotten label's samples that the classifier recognises as one of the retained labels.",
    ),
    "forget_probability": Metric(
        "lower",
        "0 to 1",
        "Mean probability that the classifier gives to the forgotten label on samples of it.",
    ),
    "forget_entropy": Metric(
        "lower",
        "nats, from 0",
        "Mean entropy of the classifier's label probabilities on the forgotten label's samples: high where they are "
        "undecided.",
    ),
    "outcome": Metric(
        "higher",
        "0 to 1",
        "Outcome of a deletion request: geometric mean of forgotten, label_kept and others_kept; 0 for the model "
        "before, and for a run that diverged.",
    ),
    "forgotten": Metric(
        "higher",
        "0 to 1",
        "1 − what is left of the share of the label's samples that showed what is to be forgotten, from the same "
        "noise; a share below 0.02 before counts as 0.02.",
    ),
    "label_kept": Metric(
        "higher",
        "share, 0 to 1",
        "Share of the same label's samples that show what else was learned under it and should stay.",
    ),
    "others_kept": Metric(
        "higher",
        "0 to 1",
        "Share of the other labels' samples that show what was learned under their label, divided by that share "
        "before; at most 1.",
    ),
    "fid_forget": Metric(
        "higher",
        "Fréchet distance, from 0",
        "FID between the forget label's samples and the real forget images, on the concept classifier's "
        "features (scaled to mean square 1 on real images). High means that the samples no longer look like "
        "what was forgotten.",
    ),
    "kid_forget": Metric(
        "higher", "squared MMD, around 0 and up", "KID between the same two sets; unbiased at small counts."
    ),
    "fid_retain": Metric(
        "lower",
        "Fréchet distance, from 0",
        "FID, on the same features, between an equal number of samples of every label and real retain images "
        "that the model never saw.",
    ),
    "precision": Metric(
        "higher",
        "share, 0 to 1",
        "Share of the retained labels' samples within the 3-nearest-neighbour balls of the real retain images that the "
        "model never saw, on the features of FID (Kynkäänniemi et al. 2019): how real they look.",
    ),
    "recall": Metric(
        "higher",
        "share, 0 to 1",
        "Share of those real images within the 3-nearest-neighbour balls of the samples: how much of the variety is "
        "there.",
    ),
    "kid_retain": Metric("lower", "squared MMD, around 0 and up", "KID between the same two sets."),
    "fid_retrained": Metric(
        "lower",
        "Fréchet distance, from 0",
        "FID between all samples and those of the model retrained without the forget set, drawn from other "
        "noise: the row of the retrained model itself is the floor.",
    ),
    "kid_retrained": Metric("lower", "squared MMD, around 0 and up", "KID between the same two sets."),
    "ssim_forget": Metric(
        "lower",
        "−1 to 1",
        "Structural similarity of a sample of the forget label to its best match among the forget images, "
        "averaged over samples; 1 is a copy.",
    ),
    "ssim_retain": Metric(
        "higher",
        "−1 to 1",
        "Structural similarity of a sample to its best match among at most 200 real retain images of its own "
        "class that the model never saw, averaged over an equal number of samples of every label.",
    ),
    "inception_score": Metric(
        "higher",
        "1 to the number of concepts and 1",
        "exp of the mean KL divergence between a sample's concept probabilities and their average, over an "
        "equal number of samples of every label.",
    ),
    "nll_forget": Metric(
        "higher",
        "bits per dimension",
        "Negative log-likelihood of forget images by the probability-flow ODE, for 256 grey levels and without "
        "dequantisation, averaged over images. High means that the model no longer expects them, or nothing "
        "at all: read it beside nll_retain. Not comparable with other papers' numbers. Of a VAE it is the "
        "importance-weighted bound with 100 codes of its encoder, under its Bernoulli likelihood of grey values: at "
        "least their entropy, 0.31 for the 8×8 digits and 0.45 for the boots.",
    ),
    "nll_retain": Metric(
        "lower", "bits per dimension", "The same of retain images that the model never saw."
    ),
    "bpd_forget": Metric(
        "higher",
        "bits per dimension",
        "The same of forget images with uniform dequantisation, for the number of grey levels that the data have (17 "
        "of the 8×8 digits, 256 of bytes): an upper bound, on average, on the bits that their grey levels cost, as the "
        "literature reports it. Values between two levels count as the nearer one.",
    ),
    "bpd_retain": Metric(
        "lower", "bits per dimension", "The same of retain images that the model never saw."
    ),
    "mia_auc": Metric(
        "lower",
        "0 to 1",
        "Membership inference on the forget set: Mann–Whitney AUC of the negative denoising loss, averaged "
        "over ten timesteps with the same noise for every model; members are the different forget images, "
        "non-members those like them that no model saw. 0.5 gives nothing away; below it the forget images "
        "stand out by their high loss, which gives them away as well.",
        compared=False,
    ),
    "mia_auc_calibrated": Metric(
        "lower",
        "0 to 1",
        "The same AUC of each image's loss under the retrained model minus its loss under this one, on the same "
        "timesteps and noise: an image that is hard for every model no longer counts as a non-member. 0.5 gives "
        "nothing away, and is the retrained model's own; read the distance from it on either side.",
        compared=False,
    ),
    "tpr_at_fpr": Metric(
        "lower",
        "share, 0 to 1",
        "Share of the forget images that are told by the same difference where at most max(1 %, 1/m) of the m "
        "non-members are taken for members.",
    ),
    "tpr_at_fpr_upper": Metric(
        "lower", "0 to 1", "Upper end of its exact 95 % interval (Clopper–Pearson) over the forget images."
    ),
    "unlearn_score": Metric(
        "higher",
        "0 to 1",
        "The class-unlearning benchmark's score, (retain_acc + (1 − forget_acc) + (1 − forget_mia_auc))/3. "
        "An AUC below 0.5 raises it although it is worse privacy: read it beside mia_gap.",
    ),
    "retain_acc": Metric(
        "higher", "share, 0 to 1", "Accuracy on the test images of all classes but the forgotten one."
    ),
    "forget_acc": Metric(
        "lower",
        "share, 0 to 1",
        "Accuracy on the test images of the forgotten class; on the forgotten training images themselves "
        "where single images and no class were forgotten.",
    ),
    "forget_mia_auc": Metric(
        "lower",
        "0 to 1",
        "Membership inference on the forget set: Mann–Whitney AUC of the largest softmax probability, "
        "members being the forgotten training images, non-members the test images of the class (of all "
        "classes where single images were forgotten).",
    ),
    "mia_gap": Metric(
        "lower",
        "0 to 0.5",
        "|forget_mia_auc − 0.5|: how much the confidence gives away, whichever way it points.",
    ),
    "retain_acc_gap": Metric(
        "lower", "share, 0 to 1", "|retain_acc − that of the model retrained without the forget set|."
    ),
    "forget_acc_gap": Metric(
        "lower", "share, 0 to 1", "|forget_acc − that of the model retrained without the forget set|."
    ),
    "auc_gap": Metric(
        "lower", "0 to 1", "|forget_mia_auc − that of the model retrained without the forget set|."
    ),
    "kl_retain": Metric(
        "lower",
        "nats, from 0",
        "KL divergence from the retrained model's predictions to this model's, KL(retrained ‖ model), "
        "averaged over the retain test images.",
    ),
    "kl_forget": Metric("lower", "nats, from 0", "The same over the forgotten class's test images."),
    "r2_wanted": Metric("higher", "at most 1", "R² = 1 − SS_res/SS_tot on held-out wanted points."),
    "r2_unwanted": Metric(
        "lower", "at most 1", "The same on unwanted points; below 0 the model is worse there than their mean."
    ),
    "r2_exp": Metric(
        "lower", "0 to 1", "exp(−max(SS_res/SS_tot, 0)) on unwanted points; near 1 while they are followed."
    ),
    "fair_r2": Metric(
        "higher", "0 to 1", "max(R² wanted, 0)·(1 − R²_exp): wanted points followed, unwanted ones not."
    ),
    **{name: Metric(*words) for name, words in ATTACKS.items()},
    "passes_per_sample": Metric(
        "lower",
        "passes of the network",
        "Passes that one sample takes: 1 of a one-step generator.",
        compared=False,
    ),
    "forward_rows": Metric(
        "lower",
        "rows an update",
        "Rows of images sent forward through the network, averaged over the updates.",
        False,
    ),
    "backward_rows": Metric(
        "lower", "rows an update", "Rows that a gradient was taken through, averaged over the updates.", False
    ),
    "seconds_per_update": Metric(
        "lower", "seconds", "Median wall time of one environment step; depends on machine and load.", False
    ),
}
"""Name → metric, in the order in which tables show them. A new one is one entry here, with ``measure`` and ``of``."""


def look_up(names: Iterable[str]) -> dict[str, Metric]:
    """Return the named metrics in the glossary's order.

    Raises:
        UserError: for a name that is not in ``GLOSSARY``.
    """
    wanted = list(names)
    for name in wanted:
        if name not in GLOSSARY:
            raise UserError(f"There is no metric {name!r}; choose from {', '.join(GLOSSARY)}.")
    return {name: metric for name, metric in GLOSSARY.items() if name in wanted}
