"""Peak memory of a step, and whether memory grows over many steps."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.problems import DIGITS, NETWORKS, make
from benchmarks.rows import Row, Settings, below

MB = 2**20


class PeakBytes(TorchDispatchMode):
    """Follows the bytes of all tensors that operations in the body make, and their largest sum.

    Attributes:
        peak: the largest sum.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        """Run the operation and follow the storage of what it returns."""
        import weakref

        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                key = storage._cdata
                if key not in self._alive:
                    self._alive.add(key)
                    self._now += storage.nbytes()
                    weakref.finalize(storage, self._gone, key, storage.nbytes())
        self.peak = max(self.peak, self._now)
        return result

    def _gone(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self._now -= size


def resident() -> float:
    """Return this process's memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def activations(network: str, device: str, **kwargs: Any) -> tuple[float, float]:
    """Return MiB of the weights, and of what autograd keeps for one forward pass of the 2B latents."""
    process = make(network, device=device, state="lagged", **kwargs).process
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    process.draw_batch()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        errors = process.errors(torch.arange(2 * process.pairs, device=process.device))
    del errors
    weights = sum(p.numel() * p.element_size() for p in process.model.parameters())
    return weights / MB, sum(kept.values()) / MB


def growth(steps: int, device: str) -> float:
    """Return by how many MiB the process grew from the first half of the steps to the second."""
    env, sizes = make(DIGITS, device=device, horizon=10**6), []
    for _ in range(steps):
        env.step(np.array([0.5], dtype=np.float32))
        sizes.append(resident())
    half = len(sizes) // 2
    return float(np.median(sizes[half:]) - np.median(sizes[half // 2 : half]))


def run(settings: Settings) -> list[Row]:
    """Measure the peak on both networks and the growth on the small one."""
    rows = []
    for network in NETWORKS:
        weights, kept = activations(network, settings.device)
        peak = step_peak(network, settings.device)
        text = f"{peak:.0f} MiB: weights {weights:.1f}, activations {kept:.0f}"
        limit = round(4 * weights + kept)
        rows.append(below("peak memory of an environment, fresh", network, peak, limit, text, "MiB"))
        gc.collect()
    grown = growth(settings.long, settings.device)
    rows.append(below(f"growth over {settings.long} steps", DIGITS, grown, 8, f"{grown:.1f} MiB", "MiB"))
    return rows


def step_peak(network: str, device: str, **kwargs: Any) -> float:
    """Return MiB at the peak of a step: what the environment holds and what the step adds."""
    env = make(network, device=device, **kwargs)
    env.step(np.array([0.5], dtype=np.float32))
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        env.step(np.array([0.4], dtype=np.float32))
        return torch.cuda.max_memory_allocated() / MB
    process = env.process
    gc.collect()
    held = sum(t.numel() * t.element_size() for t in [*process._tensors, *process.original, process._last])
    held += sum(
        t.numel() * t.element_size()
        for state in process._optimizer.state.values()
        for t in state.values()
        if isinstance(t, torch.Tensor)
    )
    process._side_gradients = None  # measured again inside, so that the record is counted
    with PeakBytes() as followed:
        env.step(np.array([0.4], dtype=np.float32))
    return (held + followed.peak) / MB
