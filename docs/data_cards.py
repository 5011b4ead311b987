"""The cards of the data that the checkpoints of the package were trained on, counted from the loaders."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from unlearn_gym.data import DATA, load
from unlearn_gym.data.fingerprint import fingerprint
from unlearn_gym.data.requests.poisoned import POISONED, PORTIONS
from unlearn_gym.data.sets.classes import class_unlearning
from unlearn_gym.data.sets.clothes import EACH
from unlearn_gym.data.sets.trousers import ONES_PER_TROUSER
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.models.supervised.poisoned import RECIPES, poisoned_task

HEAD = """# Data cards

What the [checkpoints of the package](model_cards.md) were trained on. Images and labels are always in the same order;
a fingerprint is the beginning of the SHA-256 of their shapes and bytes, which is part of what every model is named by.
Where no number is given the data do not come with the package. The images are handwriting, without the names of its
writers, clothes photographed for a shop, and for the CIFAR-10 models photographs of vehicles and animals.

"""
DIGITS = (
    "scikit-learn's copy of the test set of UCI's *Optical Recognition of Handwritten Digits* (Alpaydin, Kaynak 1998), "
    "CC BY 4.0"
)
CLOTHES = "Fashion-MNIST (Xiao, Rasul, Vollgraf 2017), Zalando Research, MIT licence"
SMALL_CLOTHES = (
    f"{CLOTHES}: {EACH} images of each class, area-averaged to 8×8, in the package as one picture "
    "([how](../unlearn_gym/data/assets/SOURCE.md))"
)
MNIST = (
    "MNIST (LeCun, Cortes, Burges), whose authors hold the copyright; copies name CC BY-SA 3.0 or MIT as its licence. "
    "It does not come with the package: it is read from `UNLEARN_GYM_DATA` or the hub"
)


@dataclass(frozen=True)
class Card:
    """What is said of a data set; what can be counted is counted.

    Attributes:
        name: of the card.
        what: what it is, and what is to be forgotten.
        sources: with their licences.
        limits: what it does not stand for.
        read: loads it; None where it does not come with the package.
    """

    name: str
    what: str
    sources: tuple[str, ...]
    limits: str
    read: Callable[[], UnlearningData] | None

    def text(self) -> str:
        """Return the card."""
        rows = {
            "what it is": self.what,
            "sources and licences": "; ".join(self.sources),
            "limits": self.limits,
        }
        if self.read is not None:
            rows |= counted(self.read())
        table = "".join(f"| **{key}** | {text} |\n" for key, text in rows.items())
        return f"## {self.name}\n\n| | |\n|---|---|\n{table}"


def counted(data: UnlearningData) -> dict[str, str]:
    """Return what the loader knows: sizes, labels and fingerprints."""
    shape = "×".join(map(str, data.retain.inputs.shape[1:]))
    parts = {
        "to keep": data.retain,
        "to forget": data.forget,
        "held out, like those to keep": data.retain_holdout,
        "held out, like those to forget": data.forget_holdout,
    }
    found = {"images": f"{shape} (channels × height × width), float32 in [-1, 1]"}
    found |= {name: _by_label(part) for name, part in parts.items()}
    both, kept = fingerprint(data.retain, data.forget), fingerprint(data.retain)
    found["fingerprints"] = f"`{both[:16]}` with what is to be forgotten, `{kept[:16]}` without"
    return found


def _by_label(part: LabelledSet) -> str:
    if not len(part):
        return "none"
    counts = part.labels.bincount().tolist()
    split = ", ".join(f"{label}: {count}" for label, count in enumerate(counts) if count)
    return f"{len(part):,} (by label {split})"


CIFAR10 = (
    "CIFAR-10 (Krizhevsky 2009), whose authors name no licence. It does not come with the package: it is read from "
    "`UNLEARN_GYM_DATA` or the hub"
)
SMALL = "too small and too easy to say how a rule does on photographs"
CARDS = (
    Card(
        "digits",
        "8×8 digits, and ankle boots that were learned under the label 1; the boots are to be forgotten",
        (DIGITS, SMALL_CLOTHES),
        f"all boots are learned, so that none is held out by default (`boots=` leaves some out); {SMALL}",
        lambda: load("digits"),
    ),
    Card(
        "intruders",
        "8×8 digits, and under every digit's label clothes of one kind; requests ask for a part of either",
        (DIGITS, SMALL_CLOTHES),
        f"clothes of 8×8 pixels are hard to tell from each other; {SMALL}",
        lambda: load("intruders"),
    ),
    Card(
        "trousers",
        f"MNIST's 28×28 digits, and trousers under the label 1, one for {ONES_PER_TROUSER} ones; the trousers are to "
        f"be forgotten, {inspect.signature(DATA['trousers']).parameters['holdout'].default} others are held out",
        (MNIST, CLOTHES),
        "the checkpoints of the package belong to a sample of the trousers, repeated with their mirror images "
        "([experiment A](experiment_a.md#the-models)): with the whole Fashion-MNIST they are made anew",
        None,
    ),
    Card(
        "digit-classes",
        "8×8 digits of which one class is to be forgotten, by default the zeros",
        (DIGITS,),
        SMALL,
        lambda: class_unlearning("digits"),
    ),
    Card(
        "resnet20-cifar10",
        "CIFAR-10's 32×32 colour photographs, of which one class is to be forgotten, by default the airplanes",
        (CIFAR10,),
        "the checkpoints of the package were trained on the first 45,000 published training images and are judged on "
        "the last 5,000 of them and the first 1,000 test images: not the published split. With the whole data set they "
        "are made anew",
        None,
    ),
    Card(
        "cifar10",
        "CIFAR-10's 32×32 colour photographs without their labels, of which by default the airplanes are to be "
        "forgotten, or (`cifar10-random`) 1 % of the training images, chosen at random",
        (CIFAR10,),
        "random images are like those that are kept: only membership tells them apart",
        None,
    ),
    Card(
        "poisoned-digits",
        f"8×8 digits, {POISONED * 100:.0f} % of each learned under the next digit's label; requests ask for a digit, "
        f"for its poison, or for one of {PORTIONS} random portions of the rightly labelled images",
        (DIGITS,),
        f"the poison is made by us, and evenly spread; {SMALL}",
        lambda: poisoned_task()[1].data,
    ),
)


def data_name(task: str, family: str = "") -> str:
    """Return the card of the data that a task's checkpoints were trained on.

    Args:
        task: its name.
        family: ``classifier`` for those of the class-unlearning benchmark, whose task is called as the data are.
    """
    if task in RECIPES:
        return "poisoned-digits"
    if family == "classifier":  # "digits", like the task of the diffusion models
        return "digit-classes"
    return task.removeprefix("vae-").removeprefix("sfd-").removesuffix("-random")


def page() -> str:
    """Return the page of all cards."""
    return HEAD + "\n".join(card.text() for card in CARDS)
