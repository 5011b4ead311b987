"""What a run costs in passes: rows that went forward through a network, and rows that came back."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from unlearn_gym.models.supervised.foreign import plain


class PassCounter:
    """Counts the rows of the passes of one or several networks inside a ``with`` block.

    A row is one example of a batch. Backward rows are those of every batch whose output a backward pass
    reached, counted once for each such pass: of two gradients through one graph each counts.

    Args:
        *modules: the networks; the first tensor argument of each and its output (a tensor, an object with ``sample``,
            or what ``models.foreign.plain`` reads, such as one with ``logits``) have the rows first.

    Attributes:
        forward_rows: rows sent forward, with or without a graph.
        backward_rows: rows that gradients were taken through.
    """

    def __init__(self, *modules: nn.Module) -> None:
        self._modules = modules
        self._handles: list[RemovableHandle] = []
        self.forward_rows = self.backward_rows = 0

    def __enter__(self) -> PassCounter:
        for module in self._modules:
            before = module.register_forward_pre_hook(self._before, with_kwargs=True)
            self._handles += [before, module.register_forward_hook(self._after)]
        return self

    def __exit__(self, *_: object) -> None:
        while self._handles:
            self._handles.pop().remove()

    def _before(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        first = next(value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
        self.forward_rows += len(first)

    def _after(self, _: nn.Module, __: tuple[Any, ...], output: Any) -> None:
        found = output.sample if isinstance(getattr(output, "sample", None), Tensor) else plain(output)
        if found.requires_grad:
            found.register_hook(self._count_back)

    def _count_back(self, gradient: Tensor) -> None:
        self.backward_rows += len(gradient)
