"""The fixed harness of the class-unlearning benchmark: one update rule, one seed, one unlearning run."""

from __future__ import annotations

import contextlib
import copy
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from unlearn_gym.data.augment import augment
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.methods import Batch, read_loss
from unlearn_gym.models.mixed import FULL, passed
from unlearn_gym.processes.common.stream import Shuffled


@dataclass(frozen=True)
class Protocol:
    """What the benchmark fixes.

    An epoch is as many steps as it takes to see the retain set once, ⌈n_retain/batch_size⌉; the forget set is
    reshuffled and started again whenever it is used up. Every step has a full minibatch of both: of a set
    that is smaller, some images come twice.

    Attributes:
        epochs: number of epochs.
        batch_size: retain images a step, and forget images a step.
        learning_rate: Adam's, over all parameters.
        pad: largest random shift of the augmentation in pixels; 0 for none.
        mirror: whether images are mirrored at random.
        precision: of the passes, one of ``models.mixed.PRECISIONS``; the benchmark's is float32.
    """

    epochs: int = 20
    batch_size: int = 128
    learning_rate: float = 1e-3
    pad: int = 0
    mirror: bool = False
    precision: str = FULL

    def steps_per_epoch(self, data: UnlearningData) -> int:
        """Return the number of steps that see the retain set once."""
        return math.ceil(len(data.retain) / self.batch_size)

    def steps(self, data: UnlearningData) -> int:
        """Return the number of steps of a run."""
        return self.epochs * self.steps_per_epoch(data)


@dataclass
class RuleRun:
    """What a run of an update rule left.

    Attributes:
        model: the model after it.
        losses: what each step reported.
        seconds: wall time of each step.
    """

    model: nn.Module
    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def unlearn(
    method: Any,
    name: str,
    original: nn.Module,
    data: UnlearningData,
    protocol: Protocol,
    seed: int,
    device: torch.device,
) -> RuleRun:
    """Let an update rule change a copy of the original model.

    Minibatches and augmentation come from a generator of their own, so that all rules see the same at one
    seed. What the rule draws comes from the global generators, seeded for the run and then put back.

    Args:
        method: an update rule, fresh.
        name: what an error calls it.
        original: the model to start from; it stays as it is.
        data: the request.
        protocol: what is fixed.
        seed: of every draw.
        device: where to compute.

    Raises:
        UserError: when a step returns something else than the contract says.
    """
    network = copy.deepcopy(original).to(device)
    model = passed(network, protocol.precision).train()
    stream = Minibatches(data, protocol, seed, device)
    optimizer = torch.optim.Adam(model.parameters(), lr=protocol.learning_rate)
    run, steps_per_epoch = RuleRun(network), protocol.steps_per_epoch(data)
    with seeded_globals(seed):
        if hasattr(method, "prepare"):
            method.prepare(model, stream.all(stream.retain), stream.all(stream.forget))
        for step in range(protocol.steps(data)):
            retain_batch, forget_batch = stream.next()
            model.train()
            began = time.perf_counter()
            result = method.unlearn_step(
                model, retain_batch, forget_batch, optimizer, step, step // steps_per_epoch
            )
            run.seconds.append(time.perf_counter() - began)
            run.losses.append(read_loss(result, name))
    return run


class Minibatches:
    """The seeded minibatches of a run, on the device.

    Args:
        data: the request.
        protocol: their size and augmentation.
        seed: of their order and augmentation.
        device: where they are needed.
    """

    def __init__(self, data: UnlearningData, protocol: Protocol, seed: int, device: torch.device) -> None:
        self.retain, self.forget = _move(data.retain, device), _move(data.forget, device)
        self._protocol = protocol
        self._generator = Generator().manual_seed(seed)
        self._orders = [Shuffled(len(part), self._generator) for part in (self.retain, self.forget)]

    def next(self) -> tuple[Batch, Batch]:
        """Return the next retain and the next forget minibatch."""
        retain, forget = (
            self._take(part, order)
            for part, order in zip((self.retain, self.forget), self._orders, strict=True)
        )
        return retain, forget

    def all(self, part: LabelledSet) -> Iterator[Batch]:
        """Go once through a set, in its order and without augmentation."""
        size = self._protocol.batch_size
        return zip(part.inputs.split(size), part.labels.split(size), strict=True)

    def _take(self, part: LabelledSet, order: Shuffled) -> tuple[Tensor, Tensor]:
        rows = order.take(self._protocol.batch_size).to(part.inputs.device)
        images = augment(
            part.inputs[rows], self._generator, pad=self._protocol.pad, mirror=self._protocol.mirror
        )
        return images, part.labels[rows]


def _move(part: LabelledSet, device: torch.device) -> LabelledSet:
    return LabelledSet(part.inputs.to(device), part.labels.to(device))


@contextlib.contextmanager
def seeded_globals(seed: int) -> Iterator[None]:
    """Seed the global generators of Python, NumPy and PyTorch for the body, and put their states back."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
