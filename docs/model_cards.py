"""The cards of the checkpoints that come with the package, from their manifests and from the tasks that made them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import safe_open

from docs.data_cards import data_name
from unlearn_gym.cli.prepare import classifier_names
from unlearn_gym.models.diffusion.tasks import TASKS
from unlearn_gym.models.provenance import FILE as PROVENANCE
from unlearn_gym.models.store import SHIPPED
from unlearn_gym.models.supervised.poisoned import RECIPES as POISONED
from unlearn_gym.storage.checksums import MANIFEST
from unlearn_gym.storage.checksums import checksums as checksums_of

HEAD = """# Model cards

The checkpoints that come with the package, in `unlearn_gym/models/shipped/`: a card a folder. A folder is named by the
task, the model's part in it, and the SHA-256 of everything that determines it (recipe and fingerprint of the data), so
that a changed recipe is another model. Loading compares every file with the checksums of its `manifest.json`; weights
are safetensors in float32, and nothing is pickled.

They are made for research on unlearning, are small, and hold on purpose what is to be forgotten. The weights are under
the licence of the package (Apache 2.0); what they were trained on has licences of its own, in the
[data cards](data_cards.md). The same machine and versions give the same weights again; others may give others.

"""
ROLES = {
    "original": "the model to be unlearned, trained on what is to be kept and what is to be forgotten",
    "retrained": "the reference, trained by the same recipe without what is to be forgotten",
    "concepts": "the judge, which says what a sample shows",
    "": "the generator to be unlearned, and the fake score that follows it",
}


@dataclass(frozen=True)
class Kind:
    """What all checkpoints of one kind have in common.

    Attributes:
        model: what it is.
        use: what it is for.
        limits: what it is not for.
        quality: where its quality is measured; ``{task}`` stands for the task's name.
    """

    model: str
    use: str
    limits: str
    quality: str


DIFFUSION = Kind(
    "class-conditional DDPM, a `UNet2DModel` in a diffusers folder",
    "start and reference of unlearning studies; an example of a checkpoint for `unlearn-gym apply`",
    "small grey pictures: no generator for use; what was learned under a wrong label is there on purpose",
    "`unlearn-gym check {task}` measures it",
)
KINDS = {
    "photographs": Kind(
        "unconditional DDPM, a `UNet2DModel` in a diffusers folder",
        "start and reference of unlearning studies",
        "an hour of one core: far from what the literature draws, and no generator for use",
        "`unlearn-gym check {task}` says what its samples show",
    ),
    "DiffusionRecipe": DIFFUSION,
    "ConceptRecipe": Kind(
        "concept classifier, a small CNN, whose last output is “neither”",
        "judging samples of models of the same data, and features for FID and KID",
        "not calibrated, and known to be right only on images like those it was trained on; clothes of 8×8 pixels are "
        "mistaken for each other",
        "`unlearn-gym check {task}` measures it on held-out images",
    ),
    "VAERecipe": Kind(
        "class-conditional VAE, two perceptrons with a Bernoulli likelihood",
        "start and reference of unlearning studies",
        "blurred images of 8×8 grey pixels: no generator for use",
        "[VAEs](vae.md) has its samples and likelihoods",
    ),
    "classifier": Kind(
        "classifier, the network `{network}`",
        "start and reference of [class unlearning](class_unlearning.md)",
        "digits of 8×8 pixels: no reader of digits for use",
        "the rows *before* and *retrained* of the [report](results/benchmark_digits/report.md)",
    ),
    "published": Kind(
        "classifier, the network `{network}`",
        "start and reference of [class unlearning](class_unlearning.md) at the published scale",
        "trained for a comparison of unlearning rules: others classify these photographs better",
        "the rows *before* and *retrained* of the [report](results/benchmark_cifar10/report.md)",
    ),
    "poisoned": Kind(
        "classifier, the network `{network}`",
        "start of [requests](requests.md) to classifiers",
        "wrong on purpose: a part of each digit was learned under another label",
        "[requests](requests.md) says what is asked of it and how an outcome is measured",
    ),
    "generator": Kind(
        "one-step generator, distilled from the digits' DDPM, with its fake score",
        "start of score forgetting distillation",
        "it shows what its teacher shows, boots among the ones too",
        "[one-step generators](one_step.md) has the share of its samples that are recognised",
    ),
}


@dataclass(frozen=True)
class Checkpoint:
    """One folder of ``models/shipped``."""

    folder: Path

    @cached_property
    def spec(self) -> dict[str, Any]:
        """What determined it, from its manifest."""
        return json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))["spec"]

    @property
    def family(self) -> str:
        """Name of its kind in ``KINDS``."""
        if "teacher" in self.spec:
            return "generator"
        if self.task in POISONED:
            return "poisoned"
        if self.spec["recipe"].get("kind") == "DiffusionRecipe" and not self.spec["classes"]:
            return "photographs"
        own = "classifier" if self.task in TASKS else "published"
        return self.spec["recipe"].get("kind", own)

    @property
    def task(self) -> str:
        """Name of the task that it belongs to."""
        return self.folder.name.rsplit("-", 2 if self.role else 1)[0]

    @property
    def role(self) -> str:
        """Its part in the task, of ``ROLES``."""
        word = self.folder.name.rsplit("-", 2)[1]
        return word if word in ROLES else ""

    @property
    def command(self) -> str:
        """What makes it again where it is not there."""
        if self.task in POISONED:
            return f'gym.make("unlearn_gym/EMSE-Requests-v0", requests="{self.task}").reset()'
        names = {own: given for given, own in classifier_names().items()}
        precision = f" --precision {self.made['precision']}" if self.family == "published" else ""
        return (
            f"unlearn-gym prepare {names[self.task] if self.family == 'classifier' else self.task}{precision}"
        )

    @cached_property
    def made(self) -> dict[str, Any]:
        """Where and how it was made, from its provenance."""
        return json.loads((self.folder / PROVENANCE).read_text(encoding="utf-8"))

    @property
    def weights(self) -> dict[str, int]:
        """Each file of weights, and the numbers that it holds."""
        return {file.relative_to(self.folder).as_posix(): _numbers(file) for file in self._files()}

    def _files(self) -> list[Path]:
        return sorted(self.folder.rglob("*.safetensors"))

    def card(self) -> str:
        """Return its card."""
        kind, recipe = KINDS[self.family], dict(self.spec["recipe"])
        recipe.pop("kind", None)
        sums = checksums_of(self.folder)
        files = "; ".join(
            f"`{name}`: {count:,} numbers, {(self.folder / name).stat().st_size / 1000:,.0f} kB, SHA-256 `{sums[name]}`"
            for name, count in self.weights.items()
        )
        name = data_name(self.task, self.family)
        rows = {
            "what it is": f"{kind.model.format(**recipe)}: {ROLES[self.role]}",
            "intended use": kind.use,
            "limits": kind.limits,
            "data": f"[{name}](data_cards.md#{name}), fingerprint `{self.spec['data'][:16]}`, "
            f"{self.spec['classes']} labels",
            "recipe": _listed(recipe),
            "weights": files,
            "quality": kind.quality.format(task=self.task),
            "made on": _listed(self.made),
            "made again by": f"`{self.command}`, where this folder is not in the package",
        }
        if "teacher" in self.spec:
            rows["recipe"] += f"; of the teacher: {_listed(self.spec['teacher'])}"
        table = "".join(f"| **{key}** | {text} |\n" for key, text in rows.items())
        return f"## {self.folder.name}\n\n| | |\n|---|---|\n{table}"


def checkpoints() -> list[Checkpoint]:
    """Return all that come with the package."""
    return [Checkpoint(folder) for folder in sorted(SHIPPED.iterdir()) if folder.is_dir()]


def page() -> str:
    """Return the page of all cards."""
    return HEAD + "\n".join(each.card() for each in checkpoints())


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in values.items())


def _numbers(file: Path) -> int:
    """Return how many numbers a file of weights holds, from its header."""
    with safe_open(file, framework="numpy") as tensors:
        return sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
