"""A classifier in five minutes: forget a class, and compare with the model that was retrained without it. 15 seconds.

    python examples/own/classifier.py --forget 3 --output out

Yours are the two functions ``build`` and ``images`` (here a small CNN and scikit-learn's digits) and the weights in
safetensors. What is written to the folder: weights, the unlearned ones, a report. The same on the command line:

    unlearn-gym apply --model net.safetensors --factory model.py:build --retain keep --forget forget --output out
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_digits
from torch import Tensor, nn

import unlearn_gym


def build() -> nn.Module:
    """Return the network without its weights; it takes pixels from −1 to 1."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 4 * 4, 10),
    )  # fmt: skip


def images() -> tuple[Tensor, Tensor]:
    """Return images, (n, 1, 8, 8) in [−1, 1], and labels, (n,)."""
    digits = load_digits()
    return torch.tensor(digits.images, dtype=torch.float32)[:, None] / 8 - 1, torch.tensor(digits.target)


def train(inputs: Tensor, labels: Tensor, updates: int) -> nn.Module:
    """Train a network from the start."""
    torch.manual_seed(0)
    network = build()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(updates):
        rows = torch.randint(len(inputs), (128,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs[rows]), labels[rows]).backward()
        optimizer.step()
    return network


def main() -> None:
    """Train, unlearn, retrain, compare on images that no training saw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--forget", type=int, default=3, help="the class")
    parser.add_argument("--training", type=int, default=500, help="updates of the two trainings")
    parser.add_argument("--updates", type=int, default=200, help="updates of unlearning")
    parser.add_argument("--output", type=Path, default=Path("out"))
    chosen = parser.parse_args()

    inputs, labels = images()
    test = torch.arange(len(inputs)) % 5 == 0
    forget = ~test & (labels == chosen.forget)
    keep = ~test & (labels != chosen.forget)

    # 1. The model that knows too much, as it lies on your disk.
    chosen.output.mkdir(parents=True, exist_ok=True)
    weights = chosen.output / "net.safetensors"
    if not weights.exists():
        save_file(train(inputs[~test], labels[~test], chosen.training).state_dict(), weights)

    # 2. Unlearn: reads the weights, never writes to them; called again it is done at once.
    applied = unlearn_gym.apply(
        weights,
        (inputs[keep], labels[keep]),
        (inputs[forget], labels[forget]),
        chosen.output / "unlearned",
        factory=build,
        image_shape=(1, 8, 8),
        steps=chosen.updates,
    )

    # 3. What it should be like: the model that was trained without the class. On large models nobody has it.
    retrained = train(inputs[keep], labels[keep], chosen.training)

    print(f"{'':12}other classes right   class {chosen.forget} named   same answer as retrained")
    with torch.no_grad():
        reference = retrained(inputs[test]).argmax(1)
        for name, file in {"before": weights, "unlearned": applied.model, "retrained": None}.items():
            network = retrained
            if file is not None:
                network = build()
                network.load_state_dict(load_file(file))
            answers, truth = network(inputs[test]).argmax(1), labels[test]
            others = truth != chosen.forget
            right, named = (
                (answers == truth)[others].float().mean(),
                (answers == truth)[~others].float().mean(),
            )
            same = (answers == reference).float().mean()
            print(f"{name:12}{right:19.1%}   {named:13.1%}   {same:24.1%}")
    print(f"Report: {applied.report}")


if __name__ == "__main__":
    main()
