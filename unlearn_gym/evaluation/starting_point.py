"""Is a task's starting point good enough to unlearn from? Its evaluator on held-out images, its models on samples."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from unlearn_gym.evaluation.report.tables import Grid
from unlearn_gym.metrics.concepts import share_called
from unlearn_gym.models.diffusion.concepts import Judge
from unlearn_gym.models.diffusion.sampling import sample
from unlearn_gym.models.diffusion.tasks import Task
from unlearn_gym.models.grid import image_grid
from unlearn_gym.models.preparation import ROLES
from unlearn_gym.storage.files import atomic_write

CHUNK = 500
SHOWN = 20
SEED = 7


def check(task: Task, samples: int, picture: Path | None = None) -> list[str]:
    """Measure a task's concept classifier and both models.

    Args:
        task: whose models are made first where they are not there.
        samples: generated images of every label, at least 1.
        picture: where to write 20 samples of every label of the original model, as a PNG; nowhere if None.

    Returns:
        Sentences and a Markdown table: shares of the samples of each label that are recognised as that label,
        and of the forget label's that show the forgotten concept; of a model without labels the shares of all
        samples that show each concept, and last those that show none.
    """
    data, classifier = task.data, task.concepts()
    logits = _logits(classifier, data.retain_holdout.inputs)
    right = float((logits.argmax(1) == data.retain_holdout.labels).float().mean())
    said = [f"The concept classifier recognises {right:.2%} of {len(logits)} held-out images to keep."]
    if len(data.forget_holdout) and data.forgotten_concepts:
        found = share_called(_logits(classifier, data.forget_holdout.inputs), *data.forgotten_concepts)
        said.append(f"It recognises {found:.2%} of {len(data.forget_holdout)} held-out images to forget.")
    rows = []
    for role in ROLES:
        labels = torch.arange(max(data.num_classes, 1)).repeat(samples)
        images = _draw(task, role, labels)
        if role == ROLES[0] and picture is not None:
            _show(images, labels, picture)
        shares = _shares if data.num_classes else _of_mixture
        rows.append((role, *shares(task, _logits(classifier, images), labels)))
    if not data.num_classes:
        columns = ("model", *data.concepts, "neither")
        return [*said, f"Of {samples} samples show:", "", Grid(columns, tuple(rows)).markdown()]
    forgotten = [data.concepts[number] for number in data.forgotten_concepts]
    title = forgotten[0] if len(forgotten) == 1 else "to forget"
    columns = ("model", *data.concepts[: data.num_classes], "other labels", title)
    return [
        *said,
        f"Of {samples} samples of every label are recognised:",
        "",
        Grid(columns, tuple(rows)).markdown(),
    ]


def _draw(task: Task, role: str, labels: Tensor) -> Tensor:
    model = task.diffusion_model(role)
    shape = (len(labels), *task.data.retain.inputs.shape[1:])
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(SEED))
    return sample(model.unet, model.scheduler, labels if task.data.num_classes else None, noise)


def _of_mixture(task: Task, logits: Tensor, labels: Tensor) -> list[str]:
    """Return the share of each concept, and of none."""
    return [f"{share_called(logits, number):.3f}" for number in range(logits.shape[1])]


def _shares(task: Task, logits: Tensor, labels: Tensor) -> list[str]:
    """Return each label's share, their mean without the forget label's, and the forgotten concept's share."""
    forget = task.data.forget_label
    shares = [share_called(logits[labels == label], label) for label in range(task.data.num_classes)]
    kept = [share for label, share in enumerate(shares) if label != forget]
    of_label = logits if forget is None else logits[labels == forget]
    found = [*shares, sum(kept) / len(kept), share_called(of_label, *task.data.forgotten_concepts)]
    return [f"{share:.3f}" for share in found]


@torch.no_grad()
def _logits(classifier: Judge, images: Tensor) -> Tensor:
    return torch.cat([classifier(part) for part in images.split(CHUNK)])


def _show(images: Tensor, labels: Tensor, picture: Path) -> None:
    rows = [(labels == label).nonzero().squeeze(1)[:SHOWN] for label in labels.unique()]
    with atomic_write(picture) as temporary:
        Image.fromarray(image_grid(images[torch.cat(rows)], len(rows[0]))).save(temporary)
