"""The evaluator of classifiers: accuracy, membership inference, and the distance to the retrained model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.evaluation.benchmark.protocol import Protocol
from unlearn_gym.evaluation.evaluators.attacks import Attacks, AttackTarget
from unlearn_gym.evaluation.evaluators.base import Evaluator, EvaluatorSettings, Scores
from unlearn_gym.metrics.attacks.relearning import Loss, classification
from unlearn_gym.metrics.classification import accuracy, mean_kl, unlearn_score
from unlearn_gym.metrics.privacy import mann_whitney_auc, max_confidence
from unlearn_gym.metrics.subject import Subject
from unlearn_gym.models.modes import eval_mode
from unlearn_gym.processes.common.originals import frozen_original

ACCURACIES = ("retain_acc", "forget_acc")
PRIVACY = ("unlearn_score", "forget_mia_auc", "mia_gap")
DISTANCES = ("retain_acc_gap", "forget_acc_gap", "auc_gap", "kl_retain", "kl_forget")
CHUNK = 512


@dataclass(frozen=True)
class Predictions:
    """Logits of one model on the CPU, float32 of shape (n, classes).

    Attributes:
        retain: of the images that ``retain_acc`` is measured on.
        forget: of the images that ``forget_acc`` is measured on.
        members: of the forgotten training images.
        non_members: of images like them that were not trained on; none where there are no test images.
    """

    retain: Tensor
    forget: Tensor
    members: Tensor
    non_members: Tensor


class SupervisedEvaluator(Evaluator, AttackTarget):
    """Asks the classifier for its predictions on test data and on the forgotten training images.

    The images are taken as they are, without augmentation, the model in eval mode. Where single images and
    no class were forgotten there are no test images like them: then ``forget_acc`` is measured on the
    forgotten images themselves, and all test images are the non-members. Without any test images (the user's
    own data) ``retain_acc`` is measured on the retain set, and membership inference is left out.
    """

    key_metrics: tuple[str, ...] = ("unlearn_score", "retain_acc", "forget_acc", "forget_mia_auc", "mia_gap")
    trade_off = ("forget_acc", "retain_acc")
    rounded = ("forget_acc", "retain_acc")
    at_retain: tuple[str, ...] = ("forget_acc", "forget_mia_auc")
    relearning_rate = Protocol().learning_rate

    def __init__(self, env: UnlearningEnv, settings: EvaluatorSettings) -> None:
        super().__init__(env, settings)
        process: Any = env.process
        self._process = process
        data: UnlearningData = process.data
        self._data = data
        self._tested = len(data.retain_holdout) > 0
        self._retain = data.retain_holdout if self._tested else data.retain
        self._forget = data.forget_holdout if len(data.forget_holdout) else data.forget
        self._task: Any = getattr(env, "task", None)
        if not self._tested:
            self.key_metrics, self.at_retain = ACCURACIES, ("forget_acc",)
        if self._task is not None:
            self.key_metrics = (*self.key_metrics, "kl_retain", "kl_forget")

    def metrics(self) -> tuple[str, ...]:
        """The benchmark's scores, and the distances where there is a retrained model."""
        scores = ACCURACIES + PRIVACY if self._tested else ACCURACIES
        distances = DISTANCES if self._task is not None else ()
        return scores + distances + self._attacks.metrics()

    def shares(self) -> tuple[str, ...]:
        """The accuracies."""
        return ACCURACIES

    def unattackable(self, attack: str) -> str:
        """See ``Evaluator.unattackable``; labels are all that is needed, and they are no input of a classifier."""
        return "a classifier is told no labels; leave it out" if attack == "attack" else ""

    def notes(self) -> tuple[str, ...]:
        """What the data lacks."""
        notes = []
        if self._task is None:
            notes.append("The user's own model comes without one retrained without the forget set.")
        if not self._tested:
            notes.append("Without test images accuracies are measured on the training images.")
        elif not len(self._data.forget_holdout):
            notes.append("No test images are like the forgotten ones; see forget_acc and forget_mia_auc.")
        return tuple(notes)

    def retrained(self) -> nn.Module | None:
        """Return the task's retrained classifier."""
        return self._retrained

    @cached_property
    def _retrained(self) -> nn.Module | None:
        if self._task is None:
            return None
        return self._task.retrained(self._process.device).to(self._process.device, self._process.dtype).eval()

    @cached_property
    def _reference(self) -> Predictions | None:
        return None if self._retrained is None else self._predict(self._retrained)

    def measure(self, subject: Subject) -> Scores:
        """Predict and compare; nothing is drawn, so that the seed is not used."""
        found = self._predict(subject.model)
        values = self._scores(found)
        if self._reference is not None:
            values |= self._distances(found, values, self._reference)
        attacked = self._attacks.measure(subject.model, subject.seed)
        trials = {"retain_acc": len(self._retain), "forget_acc": len(self._forget)}
        return Scores(values | attacked.values, trials=trials, details=attacked.details)

    @cached_property
    def _attacks(self) -> Attacks:
        return Attacks(self, self.settings)

    def original(self) -> nn.Module:
        """Return the classifier before unlearning."""
        return self._original

    @cached_property
    def _original(self) -> nn.Module:
        return frozen_original(self._process.model, self._process.original)

    def training_sets(self) -> tuple[LabelledSet, LabelledSet]:
        """See ``AttackTarget.training_sets``."""
        return self._data.retain, self._data.forget

    def training_loss(self) -> Loss:
        """See ``AttackTarget.training_loss``."""
        return classification

    def forgotten(self, model: nn.Module, seed: int) -> float:
        """Return ``forget_acc``."""
        return accuracy(self._logits(model, self._forget), self._forget.labels.cpu())

    def kept(self, model: nn.Module, seed: int) -> float:
        """Return ``retain_acc``."""
        return accuracy(self._logits(model, self._retain), self._retain.labels.cpu())

    def measured(self, model: nn.Module, seed: int) -> dict[str, float]:
        """Return the evaluator's own scores."""
        return self._scores(self._predict(model))

    def _predict(self, model: nn.Module) -> Predictions:
        retain, forget = (self._logits(model, part) for part in (self._retain, self._forget))
        like_forgotten = len(self._data.forget_holdout) > 0
        return Predictions(
            retain,
            forget,
            members=self._logits(model, self._data.forget) if like_forgotten else forget,
            non_members=forget if like_forgotten else retain[: len(self._data.retain_holdout)],
        )

    @torch.no_grad()
    def _logits(self, model: nn.Module, part: LabelledSet) -> Tensor:
        where = self._process.device, self._process.dtype
        with eval_mode(model):
            return torch.cat([model(chunk.to(*where)).float().cpu() for chunk in part.inputs.split(CHUNK)])

    def _scores(self, found: Predictions) -> dict[str, float]:
        retain_acc = accuracy(found.retain, self._retain.labels.cpu())
        forget_acc = accuracy(found.forget, self._forget.labels.cpu())
        scores = {"retain_acc": retain_acc, "forget_acc": forget_acc}
        if self._tested:
            auc = mann_whitney_auc(max_confidence(found.members), max_confidence(found.non_members))
            scores["forget_mia_auc"] = auc
            scores["mia_gap"] = abs(auc - 0.5)
            scores["unlearn_score"] = unlearn_score(retain_acc, forget_acc, auc)
        return scores

    def _distances(
        self, found: Predictions, values: dict[str, float], reference: Predictions
    ) -> dict[str, float]:
        other = self._scores(reference)
        return {
            "retain_acc_gap": abs(values["retain_acc"] - other["retain_acc"]),
            "forget_acc_gap": abs(values["forget_acc"] - other["forget_acc"]),
            "auc_gap": abs(values["forget_mia_auc"] - other["forget_mia_auc"]),
            "kl_retain": mean_kl(reference.retain, found.retain),
            "kl_forget": mean_kl(reference.forget, found.forget),
        }
