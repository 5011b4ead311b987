"""Torch on one thread, and with repeatable kernels, for a while: results do not depend on the number of cores."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run the body with one intra-op thread and restore the number of threads after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def repeatable() -> Iterator[None]:
    """Run the body on one thread and with cuDNN's deterministic kernels.

    ``torch.backends.cudnn.flags`` switches cuDNN off unless it is told otherwise.
    """
    with one_thread(), torch.backends.cudnn.flags(enabled=True, deterministic=True, benchmark=False):
        yield


@contextlib.contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Draw the initial CPU weights of the modules built in the body from ``seed``.

    PyTorch's initialisers read the global CPU generator; its state is put back afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
