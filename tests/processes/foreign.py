"""Networks as people bring them: everything that PyTorch permits and that an accelerator may trip over."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

CLASSES = 3


class Net(nn.Module):
    """A convolutional classifier of 1x8x8 images; the cases below change it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.GroupNorm(2, 4)
        self.body = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.stem(x)).tanh()
        return self.head((x + self.body(x)).mean((2, 3)))


class Changed(nn.Module):
    """A network whose ``forward`` is a function of itself and the input."""

    def __init__(self, run: Callable[..., object], **parts: nn.Module) -> None:
        super().__init__()
        self.net, self.parts, self.run = Net(), nn.ModuleDict(parts), run

    def forward(self, x: Tensor) -> object:
        return self.run(self.net, self.parts, x)


class Scaled(nn.Conv2d):
    """A subclass that computes something else."""

    def forward(self, x: Tensor) -> Tensor:
        return 2.0 * super().forward(x)


def _with(part: str, change: Callable[[nn.Module], object]) -> nn.Module:
    """Return the network after ``change`` of one part."""
    net = Net()
    change(getattr(net, part))
    return net


def _sequence(*layers: nn.Module, head: int) -> nn.Module:
    """Return layers from images to features, and a linear head."""
    return nn.Sequential(*layers, nn.Linear(head, CLASSES))


def _in_place(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    x = net.stem(x).relu_()
    y = net.body(net.norm(x))
    y += x
    return net.head(y.relu_().mean((2, 3)))


def _residual(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    x = F.relu(parts["first"](net.stem(x)), inplace=True)
    x = x + parts["second"](net.body(x))
    return net.head(F.relu(x, inplace=True).mean((2, 3)))


def _tied(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    return F.linear(net(x) @ net.head.weight, net.head.weight)


def _twice(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    x = net.stem(x).tanh()
    return net.head(net.norm(net.body(net.norm(net.body(x)).tanh())).mean((2, 3)))


def _channels_last(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    x = net.norm(net.stem(x).to(memory_format=torch.channels_last)).tanh()
    return net.head(net.norm(net.body(x.transpose(2, 3))).mean((2, 3)))


def _some_rows(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    """The rows that the body takes depend on the images."""
    x = net.norm(net.stem(x)).tanh()
    taken = x.mean((1, 2, 3)) > x.new_tensor(-0.02)
    x = x.index_put((taken,), net.body(x[taken]))
    return net.head(x.mean((2, 3)))


def _frozen_backbone(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    with torch.no_grad():
        x = net.norm(net.stem(x))
    return net.head(net.body(x).mean((2, 3)))


def _energy(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    """Logits from the gradient of an energy: a backward pass within the forward pass."""
    with torch.enable_grad():
        hidden = net.norm(net.stem(x)).mean((2, 3)).requires_grad_()
        energy = net.head(hidden.tanh()).square().sum()
        (slope,) = torch.autograd.grad(energy, hidden, create_graph=True)
    return net.head(slope)


def _zero_head(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    """All gradients before the last layer are 0 at first, and the stem's weight is used outside of its layer."""
    extra = F.conv2d(x, net.stem.weight, stride=2, padding=1)
    return parts["zero"](net(x) + extra.mean((2, 3))[:, :CLASSES])


def _unused(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    parts["aside"](x.flatten(1))
    return net(x)


def _functional(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    return F.linear(F.relu(net(x)), parts["square"].weight, parts["square"].bias)


def _attention(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    tokens = net.norm(net.stem(x)).flatten(2).transpose(1, 2)
    return net.head(parts["attention"](tokens, tokens, tokens, need_weights=False)[0].mean(1))


def _recurrent(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    return net.head(parts["cell"](x.squeeze(1))[0][:, -1])


def _halves(layer: nn.Module, into: object, out: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
    return tuple(None if g is None else 0.5 * g for g in into)  # type: ignore[attr-defined]


def _zeroed(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    return layer


def _tied_embedding() -> nn.Module:
    net = nn.Sequential(
        nn.Embedding(5, 4, padding_idx=0), nn.Flatten(), nn.Linear(24, 4), nn.Tanh(), nn.Linear(4, 5)
    )
    net[4].weight = net[0].weight
    return nn.Sequential(net, nn.Linear(5, CLASSES))


def _part_frozen() -> nn.Module:
    net = Net()
    for parameter in (net.stem.weight, net.norm.bias, net.body.bias):
        parameter.requires_grad_(False)
    return net


IMAGES: dict[str, Callable[[], nn.Module]] = {
    "plain": Net,
    "linear": lambda: _sequence(nn.Flatten(), head=64),
    "in place": lambda: Changed(_in_place),
    "resnet": lambda: Changed(_residual, first=nn.BatchNorm2d(4), second=nn.BatchNorm2d(4)),
    "instance norm": lambda: Changed(
        _residual, first=nn.InstanceNorm2d(4, affine=True), second=nn.InstanceNorm2d(4)
    ),
    "BatchNorm1d": lambda: _sequence(
        nn.Flatten(), nn.Linear(64, 6), nn.BatchNorm1d(6), nn.ReLU(True), head=6
    ),
    "BatchNorm without statistics": lambda: _sequence(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False), nn.Flatten(), head=72
    ),
    "LayerNorm": lambda: _sequence(nn.Linear(8, 6), nn.LayerNorm(6), nn.Flatten(), nn.LayerNorm(48), head=48),
    "LayerNorm of images": lambda: _sequence(nn.LayerNorm([1, 8, 8]), nn.Flatten(), head=64),
    "transformer": lambda: _sequence(
        nn.Flatten(1, 2), nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), nn.Flatten(), head=64
    ),
    "attention": lambda: Changed(_attention, attention=nn.MultiheadAttention(4, 2, batch_first=True)),
    "Conv1d": lambda: _sequence(nn.Flatten(1, 2), nn.Conv1d(8, 4, 3), nn.GELU(), nn.Flatten(), head=24),
    "ConvTranspose2d": lambda: _sequence(
        nn.Conv2d(1, 2, 3, 2), nn.ConvTranspose2d(2, 2, 3), nn.PReLU(), nn.Flatten(), head=50
    ),
    "padding": lambda: _sequence(
        nn.Conv2d(1, 2, 3, padding="same", padding_mode="reflect"),
        nn.Conv2d(2, 2, 3, groups=2),
        nn.Flatten(),
        head=72,
    ),
    "GRU": lambda: Changed(_recurrent, cell=nn.GRU(8, 4, batch_first=True)),
    "LSTM": lambda: Changed(_recurrent, cell=nn.LSTM(8, 4, num_layers=2, batch_first=True)),
    "dropout": lambda: _sequence(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 5), nn.Dropout(0.5), head=5),
    "channels last": lambda: Changed(_channels_last),
    "channels last weights": lambda: Net().to(memory_format=torch.channels_last),
    "tied": lambda: Changed(_tied),
    "twice": lambda: Changed(_twice),
    "functional": lambda: Changed(_functional, square=nn.Linear(CLASSES, CLASSES)),
    "zero head": lambda: Changed(_zero_head, zero=_zeroed(nn.Linear(CLASSES, CLASSES))),
    "unused": lambda: Changed(_unused, aside=nn.Linear(64, 2)),
    "some rows": lambda: Changed(_some_rows),
    "energy": lambda: Changed(_energy),
    "frozen backbone": lambda: Changed(_frozen_backbone),
    "part frozen": _part_frozen,
    "subclass": lambda: _sequence(Scaled(1, 2, 3), nn.Flatten(), head=72),
    "weight_norm": lambda: _with("body", parametrizations.weight_norm),
    "old weight_norm": lambda: _with("body", nn.utils.weight_norm),
    "spectral_norm": lambda: _with("head", parametrizations.spectral_norm),
    "old spectral_norm": lambda: _with("head", nn.utils.spectral_norm),
    "pruned": lambda: _with("head", lambda layer: prune.l1_unstructured(layer, "weight", 0.3)),
    "forward hook": lambda: _with(
        "body", lambda layer: layer.register_forward_hook(lambda module, inputs, out: 3.0 * out)
    ),
    "forward pre-hook": lambda: _with(
        "body", lambda layer: layer.register_forward_pre_hook(lambda module, inputs: (3.0 * inputs[0],))
    ),
    "backward hook": lambda: _with("body", lambda layer: layer.register_full_backward_hook(_halves)),
    "parameter hook": lambda: _with("head", lambda layer: layer.weight.register_hook(lambda g: 0.1 * g)),
    "checkpointed": lambda: Changed(lambda net, parts, x: checkpoint(net, x, use_reentrant=False)),
    "compiled": lambda: Changed(
        lambda net, parts, x: parts["own"](x), own=torch.compile(Net(), backend="eager")
    ),
    "compiled whole": lambda: torch.compile(Net(), backend="eager"),  # type: ignore[dict-item]
    "logits": lambda: Changed(lambda net, parts, x: SimpleNamespace(logits=net(x))),
}
"""Name → classifier of 1x8x8 images into three classes."""

TOKENS: dict[str, Callable[[], nn.Module]] = {
    "embedding": lambda: _sequence(nn.Embedding(5, 4), nn.Flatten(), head=24),
    "padding index": lambda: _sequence(nn.Embedding(5, 4, padding_idx=0), nn.Flatten(), head=24),
    "sparse": lambda: _sequence(nn.Embedding(5, 4, sparse=True), nn.Flatten(), head=24),
    "sparse beside others": lambda: _sequence(
        nn.Embedding(5, 4, sparse=True), nn.Conv1d(6, 2, 1), nn.Flatten(), head=8
    ),
    "tied embedding": _tied_embedding,
}
"""Name → classifier of six tokens out of five."""


def _leaky_dropout(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    return net(F.dropout(x, 0.5))


def _raises(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    raise KeyError("left")


def _overwrites(net: Net, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    x = net.stem(x).sigmoid()
    y = net.body(x)
    x += 1.0
    return net.head(y.mean((2, 3)))


def _all_frozen() -> nn.Module:
    return Net().requires_grad_(False)


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "dropout that is always on": (lambda: Changed(_leaky_dropout), "depends on chance"),
    "batch mean": (lambda: Changed(lambda net, parts, x: net(x - x.mean(0))), "rest of its minibatch"),
    "attention over the batch": (
        lambda: Changed(lambda net, parts, x: net(F.softmax(x.mean((1, 2, 3)), 0).view(-1, 1, 1, 1) * x)),
        "rest of its minibatch",
    ),
    "raises": (lambda: Changed(_raises), r"Changed fails on a minibatch of shape .*KeyError: 'left'"),
    "overwrites": (lambda: Changed(_overwrites), "has no gradient .*modified by an inplace operation"),
    "detached": (lambda: Changed(lambda net, parts, x: net(x).detach()), "has no gradient"),
    "checkpointed, reentrant": (
        lambda: Changed(
            lambda net, parts, x: net.head(checkpoint(net.body, net.stem(x), use_reentrant=True).mean((2, 3)))
        ),
        "has no gradient .*use_reentrant",
    ),
    "a tuple": (lambda: Changed(lambda net, parts, x: (net(x), x)), "returns a tuple; wrap it"),
    "too few classes": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 2)),
        r"\(\d+, 2\); logits of shape \(\d+, 3\)",
    ),
    "all frozen": (_all_frozen, "no trainable weights"),
    "lazy": (lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(CLASSES)), "were never passed"),
    "renormalised embedding": (
        lambda: nn.Sequential(nn.Embedding(5, 4, max_norm=1.0), nn.Flatten(), nn.Linear(256, CLASSES)),
        "Embedding 0 has max_norm=1, so that measuring it would move its weights",
    ),
}
"""Name → network that no loss can be computed of, and a part of the sentence that says so."""
