"""How soon objectives forget, and how soon what they forgot is learned again.

    python examples/forgetting_curves.py --output reports/curves posterior:0.5 siss:0.5 weighted:0.1

A run per objective:λ and seed; its samples are looked at after 5 to 100 updates, and then again while somebody
fine-tunes the unlearned model on ten of the forgotten images beside images to keep. Runs of the same seed have the same
minibatches and the same noise. What was measured is kept in ``curves.json``: a script that was killed goes on.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import matplotlib

matplotlib.use("Agg")
import numpy as np
import torch
from matplotlib import pyplot as plt
from tqdm import tqdm

import unlearn_gym  # noqa: F401 (registers the environments)
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.statistics import summarize
from unlearn_gym.metrics.attacks.relearning import denoising, relearn
from unlearn_gym.models.diffusion.sampling import sample
from unlearn_gym.storage.files import atomic_write, write_json

UPDATES = (5, 10, 25, 50, 100)
SHARES = ("concept_rate", "label_accuracy", "neither_rate", "class_accuracy")
"""Of the forget label's samples: the forgotten concept, the label, neither; of the other labels': recognised."""
FIRST_SEED = 1000

Shares = dict[str, float]


def make_env(objective: str, task: str) -> Any:
    """Return the environment of an objective, without a state that nobody looks at."""
    return gymnasium.make(
        f"unlearn_gym/Weighted-{task.capitalize()}-v0",
        objective=objective,
        horizon=UPDATES[-1],
        lambda_range=(0.0, 1.0),
        state="lagged",
        grad_norms=False,
    ).unwrapped


def shares(unet: torch.nn.Module, env: Any, seed: int, args: argparse.Namespace) -> Shares:
    """Return ``SHARES`` of a network's samples, from the noise of the seed."""
    data, classifier = env.process.data, env.task.concepts()
    others = torch.tensor([k for k in range(data.num_classes) if k != data.forget_label])
    labels = torch.cat([torch.full((args.samples,), data.forget_label), others.repeat(args.class_samples)])
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((len(labels), *data.retain.inputs.shape[1:]), generator=generator)
    with torch.no_grad():
        images = sample(unet, env.process.scheduler, labels, noise, args.sampling_steps)
        called = torch.cat([classifier(part) for part in images.split(500)]).argmax(1)
    of_label, rest = called[: args.samples], called[args.samples :]
    return {
        "concept_rate": float((of_label == data.num_classes).float().mean()),
        "label_accuracy": float((of_label == data.forget_label).float().mean()),
        "neither_rate": float((of_label == data.num_classes + 1).float().mean()),
        "class_accuracy": float((rest == labels[args.samples :]).float().mean()),
    }


def relearned(unet: Any, env: Any, seed: int, args: argparse.Namespace) -> dict[str, Shares]:
    """Return updates of fine-tuning → shares then."""
    data, generator = env.process.data, torch.Generator().manual_seed(seed)
    loss = denoising(env.process.scheduler, conditional=True)
    steps = relearn(unet, loss, data.retain, data.forget, "mixed", generator)
    return {str(n): shares(copied, env, seed, args) for n, copied in steps if n in (10, 20, 50)}


def measure(name: str, seed: int, args: argparse.Namespace) -> dict[str, dict[str, Shares]]:
    """Return what one run shows: ``before``, ``retrained``, or an objective at a constant λ."""
    objective, _, lam = name.partition(":")
    env = make_env(objective if lam else "weighted", args.task)
    env.reset(seed=seed)
    if not lam:
        model = env.process.model if name == "before" else env.task.retrained().unet.eval()
        return {
            "updates": {"0": shares(model, env, seed, args)},
            "relearned": relearned(model, env, seed, args),
        }
    found = {}
    for update in range(1, UPDATES[-1] + 1):
        env.step(np.array([float(lam)], dtype=np.float32))
        if update in UPDATES:
            found[str(update)] = shares(env.process.model, env, seed, args)
    return {"updates": found, "relearned": relearned(env.process.model, env, seed, args)}


def table(found: dict[str, Any], names: list[str], part: str, drawn: dict[str, int]) -> Iterator[str]:
    """Yield the rows of a Markdown table of ``SHARES``, of ``drawn`` samples a seed: means and 95 % intervals."""
    columns = sorted({int(n) for name in names for run in found[name].values() for n in run[part]})
    yield "| | " + " | ".join(map(str, columns)) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for name in names:
        cells = []
        for n in columns:
            runs = [run[part][str(n)] for run in found[name].values() if str(n) in run[part]]
            cells.append(
                " / ".join(_cell([run[share] for run in runs], drawn[share]) for share in SHARES if runs)
            )
        yield f"| {name} | " + " | ".join(cells) + " |"


def _cell(values: list[float], drawn: int) -> str:
    summary = summarize(values, (0.0, 1.0), drawn)
    ends = "" if summary.ci95 is None else " ({:.3f}–{:.3f})".format(*summary.ci95)
    return f"{summary.mean:.3f}{ends}"


def draw(found: dict[str, Any], names: list[str], path: Path) -> None:
    """Draw the concept rate and the label's accuracy over updates, and the concept rate while it is relearned."""
    panels = (
        ("updates", "concept_rate", "updates of unlearning"),
        ("updates", "label_accuracy", "updates of unlearning"),
        ("relearned", "concept_rate", "updates of fine-tuning on forgotten images"),
    )
    colours = {name: f"C{number}" for number, name in enumerate(n for n in names if ":" in n)}
    styles = {"before": "--", "retrained": ":"}
    figure, axes = plt.subplots(1, 3, figsize=(13, 4), constrained_layout=True)
    for axis, (part, share, label) in zip(axes, panels, strict=True):
        axis.set_xscale("log")
        for name in names:
            runs = list(found[name].values())
            places = [int(n) for n in runs[0][part]]
            values = [[run[part][str(n)][share] for run in runs if str(n) in run[part]] for n in places]
            means = [float(np.mean(each)) for each in values]
            look = {"color": colours.get(name, "grey"), "linestyle": styles.get(name, "-"), "label": name}
            if places == [0]:
                axis.axhline(means[0], **look)
            else:
                axis.plot(places, means, marker="o", **look)
                axis.set_xticks(places, places)
                axis.minorticks_off()
        axis.set(xlabel=label, ylabel=share.replace("_", " "), ylim=(-0.02, 1.02))
    axes[0].legend(fontsize=8)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


def main() -> None:
    """Measure what is missing, then write the table and the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", metavar="objective:λ")
    parser.add_argument("--task", default="digits", choices=("digits", "trousers"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--samples", type=int, default=200, help="of the forget label")
    parser.add_argument("--class-samples", type=int, default=20, help="of each other label")
    parser.add_argument("--sampling-steps", type=int, default=25)
    parser.add_argument("--output", type=Path, default=Path("reports/curves"))
    args = parser.parse_args()
    for name in args.names:
        if not 0 <= _number(name.partition(":")[2]) <= 1:
            parser.error(f"{name!r} is no objective:λ; give a λ from 0 to 1, such as posterior:0.5")
    args.output.mkdir(parents=True, exist_ok=True)
    kept = args.output / "curves.json"
    settings = {key: getattr(args, key) for key in ("task", "samples", "class_samples", "sampling_steps")}
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    if found.pop("settings", settings) != settings:
        raise SystemExit(f"{kept} was made with other settings; give another --output.")
    names = ["before", *args.names, "retrained"]
    runs = [(name, FIRST_SEED + k) for k in range(args.seeds) for name in names]
    for name, seed in tqdm(runs, unit="run"):
        if str(seed) not in found.setdefault(name, {}):
            found[name][str(seed)] = measure(name, seed, args)
            write_json(kept, {"settings": settings, **found})
    asked = {str(FIRST_SEED + k) for k in range(args.seeds)}
    found = {name: {seed: run for seed, run in found[name].items() if seed in asked} for name in names}
    classes = make_env("weighted", args.task).process.data.num_classes
    drawn = dict.fromkeys(SHARES, args.samples) | {"class_accuracy": args.class_samples * (classes - 1)}
    command = shlex.join(["python", "examples/forgetting_curves.py", *sys.argv[1:]])
    lines = [f"# Forgetting curves: {args.task}", "", f"`{command}`", ""]
    lines += [f"{args.seeds} seeds, mean and 95 % interval of {' / '.join(SHARES)}; columns are updates.", ""]
    lines += [
        *table(found, names, "updates", drawn),
        "",
        "Fine-tuned on ten forgotten images beside images to keep:",
        "",
    ]
    lines += table(found, names, "relearned", drawn)
    with atomic_write(args.output / "curves.md") as temporary:
        Path(temporary).write_text("\n".join(lines) + "\n", encoding="utf-8")
    draw(found, names, args.output / "curves.png")
    print("\n".join(lines))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:  # a wrong word on the command line
        raise SystemExit(f"error: {error}") from None
