"""The state of an unfinished training in one safetensors file, so that a killed training goes on exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Generator, Tensor, nn
from tqdm import tqdm

from unlearn_gym.storage.files import atomic_write


@dataclass(frozen=True)
class TrainingFile:
    """Everything that changes while a network is trained, and where it is kept.

    Attributes:
        path: a .safetensors file; the caller removes it when the trained model is safe.
        modules: name → network (the trained one, its moving average).
        optimizer: of the trained network.
        generator: of the batches and the noise, on the CPU.
    """

    path: Path
    modules: Mapping[str, nn.Module]
    optimizer: torch.optim.Optimizer
    generator: Generator

    def steps(self, count: int, save_every: int, title: str, position: int = 0) -> Iterator[int]:
        """Go on where ``path`` says, and yield the steps that are left of ``count``; the state is saved on the way.

        Args:
            count: steps of the whole training.
            save_every: steps between two saved states.
            title: of what is trained, before the progress bar on stderr.
            position: line of the bar, where several processes show one each.
        """
        first = self.resume()
        bar = tqdm(
            range(first, count),
            total=count,
            initial=first,
            desc=f"training the {title}",
            position=position,
            unit="step",
            mininterval=0.5,
        )
        for step in bar:
            if step > first and step % save_every == 0:
                self.save(step)
            yield step

    def save(self, done: int) -> None:
        """Write the state after ``done`` steps or epochs, whole or not at all."""
        tensors = {
            f"{name}.{key}": value
            for name, net in self.modules.items()
            for key, value in net.state_dict().items()
        }
        for number, parameter in enumerate(self._parameters()):
            state = self.optimizer.state[parameter]
            tensors |= {f"optimizer.{number}.{key}": value for key, value in state.items()}
        tensors["generator"] = self.generator.get_state()
        with atomic_write(self.path) as temporary:
            written = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
            metadata = {"done": str(done), "sha256": _checksum(written, done)}
            save_file(written, temporary, metadata=metadata)

    def resume(self) -> int:
        """Put back what ``save`` wrote and return ``done``; 0, and nothing changed, without a whole file."""
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = file.metadata()
                done = int(metadata["done"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if metadata["sha256"] != _checksum(tensors, done):
                return 0
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return 0
        for name, network in self.modules.items():
            network.load_state_dict(_under(f"{name}.", tensors))
        states = {n: _under(f"optimizer.{n}.", tensors) for n, _ in enumerate(self._parameters())}
        groups = self.optimizer.state_dict()["param_groups"]
        # load_state_dict knows which numbers live on the device (all of a fused Adam's) and which on the CPU
        self.optimizer.load_state_dict({"state": states, "param_groups": groups})
        self.generator.set_state(tensors["generator"])
        return done

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]


def _checksum(tensors: Mapping[str, Tensor], done: int) -> str:
    """Return the SHA-256 of all names, types, shapes and bytes; the tensors are contiguous, on the CPU."""
    found = hashlib.sha256(str(done).encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
