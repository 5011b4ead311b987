"""Unlearning a classifier or a regression under EMSE."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import one_hot

from unlearn_gym.data.augment import augment
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError
from unlearn_gym.models.mixed import FULL, PRECISIONS, passed
from unlearn_gym.objectives.base import Draw
from unlearn_gym.processes.base import Quality
from unlearn_gym.processes.common.passes import forward
from unlearn_gym.processes.common.statistics import RunningStatistics, has_batch_norm, normalise_by_batch
from unlearn_gym.processes.common.stream import Shuffled
from unlearn_gym.processes.gradient import GradientProcess
from unlearn_gym.processes.gradients.base import SideGradients
from unlearn_gym.runtime.checks import one_of

PROBE_SIZE = 128
PROBE_SEED = 0


def brier_error(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the squared error of the softmax to the one-hot label, summed over classes: (n,), in [0, 2]."""
    chances = logits.softmax(1)
    return (chances - one_hot(labels, chances.shape[1]).to(chances.dtype)).square().sum(1)


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error over outputs, shape (n,)."""
    return (outputs - targets).square().flatten(1).mean(1)


def outputs_of(returned: object, labels: Tensor, num_classes: int) -> Tensor:
    """Return the outputs of a network: what it returned, or its ``logits``.

    Args:
        returned: by the network.
        labels: classes (n,), or targets (n, …).
        num_classes: 0 for a regression.

    Raises:
        UserError: if they have not the shape of logits, or of the targets: broadcast, they would give a number.
    """
    outputs = getattr(returned, "logits", returned)
    if not isinstance(outputs, Tensor):
        raise UserError(
            f"The network returns a {type(returned).__name__}; wrap it in a module that returns the tensor of "
            "outputs."
        )
    wanted = (len(labels), num_classes) if num_classes else tuple(labels.shape)
    if tuple(outputs.shape) != wanted:
        kind = "logits" if num_classes else "outputs, as its targets have,"
        raise UserError(
            f"The network returns shape {tuple(outputs.shape)}; {kind} of shape {wanted} are needed."
        )
    return outputs


class SupervisedProcess(GradientProcess):
    """θ, the squared errors of B retain and B forget examples, and one of the forms of EMSE.

    The error is the Brier score for a classifier (``data.num_classes > 0``), else the mean squared error
    over the outputs. In networks with BatchNorm the two sides never share a forward pass, and the rows of one
    side are never split: each side is normalised by its own batch, as in the benchmark's training steps.
    Dropout is off. Integer inputs stay integers for a network with an embedding, whose indices they are.

    BatchNorm's running statistics belong to the state. Each update moves them twice, once by its retain
    batch and then once by its forget batch: by the forward passes whose gradients it used. Observing moves
    nothing, and ``undo`` takes them back with the weights.

    Args:
        model: images to logits (n, num_classes), or inputs to outputs of the shape of the targets.
        data: the request.
        pad: largest random shift of the images of a minibatch in pixels; 0 for none.
        mirror: whether the images of a minibatch are mirrored at random.
        precision: of the passes that updates and states are made of, one of ``models.mixed.PRECISIONS``; in bfloat16
            gradients are taken directly.
        settings: the keywords of ``GradientProcess``.

    Attributes:
        model: the network as it is now.
        data: the request.
        sets: what is kept and what is to be forgotten, and ``probe`` the examples of ``quality``.
        batch: the current minibatch of both sides.
        precision: see above.
    """

    def __init__(
        self,
        model: nn.Module,
        data: UnlearningData,
        *,
        pad: int = 0,
        mirror: bool = False,
        precision: str = FULL,
        **settings: Any,
    ) -> None:
        one_of("precision", precision, PRECISIONS)
        super().__init__(model, **settings if precision == FULL else {**settings, "gradients": "direct"})
        self.precision, self._passed = precision, passed(self.model, precision)
        self.pad, self.mirror = pad, mirror
        self.coupled = has_batch_norm(self.model)
        if self.pairs < 2 and self.coupled:
            raise UserError(
                "BatchNorm has no statistics of a single example; give a batch_size of at least 4."
            )
        self.statistics = RunningStatistics(self.model)
        self.error_of = brier_error if data.num_classes else squared_error
        self._looks_up = any(isinstance(module, nn.Embedding) for module in self.model.modules())
        nothing = torch.zeros(self.pairs, device=self.device, dtype=self.dtype)
        self._draw = Draw(nothing, nothing, nothing)
        self.batch: tuple[LabelledSet, ...] | None = None
        self._before: Tensor | None = None
        if self.objective.needs_classes and not data.num_classes:
            raise UserError(
                f"{type(self.objective).__name__} is an objective of classifiers; choose linear or likelihood for a "
                "regression."
            )
        self.use(data)

    def use(self, data: UnlearningData) -> None:
        """Go over to another request; the weights stay."""
        self.data = data
        self.sets = (self._move(data.retain), self._move(data.forget))
        self._orders = tuple(Shuffled(len(part), self.generator) for part in self.sets)
        self.probe = tuple(_probe(part) for part in self.sets)
        vars(self).pop("mask", None)  # of the request before

    def _move(self, part: LabelledSet) -> LabelledSet:
        labels = part.labels.to(self.device)
        if not self.data.num_classes:
            labels = labels.to(self.dtype)
        inputs = part.inputs.to(self.device)
        whole = not inputs.is_floating_point() and self._looks_up
        return LabelledSet(inputs if whole else inputs.to(self.dtype), labels)

    def reset_stream(self) -> None:
        """See ``GradientProcess.reset_stream``."""
        self.statistics.mark()
        for order in self._orders:
            order.reset()

    def draw_batch(self) -> None:
        """See ``GradientProcess.draw_batch``."""
        self.statistics.discard()
        self.use_batch(
            tuple(self._pick(part, order) for part, order in zip(self.sets, self._orders, strict=True))
        )

    def forget_losses(self) -> Iterator[Tensor]:
        """See ``GradientProcess.forget_losses``; in eval mode, without augmentation."""
        self.model.eval()
        forget = self.sets[1]
        for rows in torch.arange(len(forget), device=self.device).split(self.pairs):
            yield self.errors_of(forget.inputs[rows], forget.labels[rows]).mean()

    def use_batch(self, batch: tuple[LabelledSet, ...] | None) -> None:
        """Go over to another minibatch, and ask the original network about its forget side if the objective does."""
        self.batch, self._before = batch, None
        if batch is not None and self.objective.needs_original:
            answers = self.ask_original(batch[1].inputs, batch[1].labels)
            self._before = torch.cat([torch.zeros_like(answers), answers])

    @torch.no_grad()
    def ask_original(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the outputs of the network before unlearning, in eval mode."""
        return outputs_of(forward(self._original_model, inputs), labels, self.data.num_classes)

    def _pick(self, part: LabelledSet, order: Shuffled) -> LabelledSet:
        rows = order.take(self.pairs).to(self.device)
        inputs = part.inputs[rows]
        if self.pad or self.mirror:
            inputs = augment(inputs, self.generator, pad=self.pad, mirror=self.mirror)
        return LabelledSet(inputs, part.labels[rows])

    def _open_gradients(self) -> SideGradients:
        self.set_modes()
        return super()._open_gradients()

    def set_modes(self) -> None:
        """Undo what others did to the modes of the layers since the last pass."""
        if self.coupled:
            normalise_by_batch(self.model)
        elif self.model.training:
            self.model.eval()

    @property
    def draw(self) -> Draw:
        """See ``GradientProcess.draw``."""
        return self._draw

    def errors(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return each row's own error twice; a row's error towards the other side's target is never used."""
        assert self.batch is not None
        self.set_modes()
        if not self.coupled:
            inputs, labels = (torch.cat(parts)[rows] for parts in zip(*map(_pair, self.batch), strict=True))
            return self._objective_errors(inputs, labels, rows)
        is_forget = rows >= self.pairs
        found = torch.zeros(2, len(rows), device=self.device, dtype=self.dtype)
        for part, first, mask in zip(self.batch, (0, self.pairs), (~is_forget, is_forget), strict=True):
            if bool(mask.any()):
                numbers = rows[mask] - first
                with self.statistics.measuring():
                    errors = self._objective_errors(part.inputs[numbers], part.labels[numbers], rows[mask])
                found = found.masked_scatter(mask, torch.stack(errors))
        return found[0], found[1]

    def _objective_errors(self, inputs: Tensor, labels: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the errors of examples that are the given rows of the minibatch, each (r,)."""
        outputs = outputs_of(forward(self._passed, inputs), labels, self.data.num_classes)
        return self.answer_errors(outputs, labels, None if self._before is None else self._before[rows])

    def answer_errors(
        self, outputs: Tensor, labels: Tensor, original: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the errors of outputs (n, …) as the objective has them, each (n,)."""
        before = torch.zeros_like(outputs) if original is None else original
        own = self.objective.answer_errors(outputs, labels, before)
        if own is not None:
            return own
        error = self.error_of(outputs, labels)
        return error, self.objective.forget_error(error)

    def errors_of(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the squared error of each example, (n,)."""
        returned = forward(self.model, inputs)
        return self.error_of(outputs_of(returned, labels, self.data.num_classes), labels)

    @torch.no_grad()
    def _descend(self, direction: Tensor) -> bool:
        """Step, and let the running statistics follow if the step was good."""
        self.statistics.mark()
        good = super()._descend(direction)
        if good:
            self.statistics.adopt()
        return good

    def undo(self) -> None:
        """See ``Process.undo``."""
        super().undo()
        self.statistics.undo()

    @torch.no_grad()
    def quality(self) -> Quality:
        """Return the mean squared errors of up to 128 retain and forget examples each, in eval mode."""
        self.model.eval()
        inputs, labels = (torch.cat(parts) for parts in zip(*map(_pair, self.probe), strict=True))
        errors = self.errors_of(inputs, labels).split([len(probe) for probe in self.probe])
        return Quality(*torch.stack([side.mean() for side in errors]).tolist())

    def state_dict(self) -> dict[str, Any]:
        """See ``Process.state_dict``."""
        return {
            **super().state_dict(),
            "statistics": self.statistics.state_dict(),
            "orders": [order.state_dict() for order in self._orders],
            "batch": None if self.batch is None else [[part.inputs, part.labels] for part in self.batch],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See ``Process.load_state_dict``."""
        super().load_state_dict(state)
        self.statistics.load_state_dict(state["statistics"])
        for order, left in zip(self._orders, state["orders"], strict=True):
            order.load_state_dict(left)
        batch = state["batch"]
        self.use_batch(batch and tuple(self._move(LabelledSet(*tensors)) for tensors in batch))


def _pair(part: LabelledSet) -> tuple[Tensor, Tensor]:
    return part.inputs, part.labels


def _probe(part: LabelledSet) -> LabelledSet:
    """Return a fixed random choice of examples."""
    rows = torch.randperm(len(part), generator=Generator().manual_seed(PROBE_SEED))[:PROBE_SIZE]
    rows = rows.to(part.inputs.device)
    return LabelledSet(part.inputs[rows], part.labels[rows])
