"""U-LiRA on a classifier: whether anybody can still tell which images it was trained on, after unlearning.

    python examples/u_lira.py linear:0.05 linear:0.2 demote:0.5

A small CNN learned digits by heart, part of them under wrong labels. A random half of a pool of its rightly labelled
images is to be forgotten, the other half it never met; the same is done with 2 × ``--pairs`` shadow models, each with a
half of its own. They are kept in the cache: a script that was killed trains only those that are missing.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

import unlearn_gym  # noqa: F401 (registers the environments)
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.statistics import summarize
from unlearn_gym.metrics.attacks.shadows import halves, log_odds, u_lira
from unlearn_gym.metrics.classification import accuracy
from unlearn_gym.metrics.privacy import mann_whitney_auc, max_confidence, tpr_at_fpr
from unlearn_gym.models.supervised.poisoned import MEMORISED, poisoned_task
from unlearn_gym.models.supervised.tasks import SupervisedTask
from unlearn_gym.objectives import SUPERVISED_OBJECTIVES

BEFORE, RETRAINED = "before", "retrained"
ROWS = ("linear:0", "linear:0.05", "linear:0.2", "demote:0.5")
FIRST_SEED = 100


def shadow(number: int, pool: LabelledSet, chosen: np.ndarray, rest: LabelledSet) -> SupervisedTask:
    """Return the task of forgetting the chosen half of the pool; its models have a seed of their own."""
    family, like = poisoned_task(MEMORISED)
    rows = torch.from_numpy(chosen)
    data = UnlearningData(
        name=f"half {number} of the pool",
        retain=rest,
        forget=LabelledSet(pool.inputs[rows], pool.labels[rows]),
        retain_holdout=family.holdout,
        forget_holdout=LabelledSet(pool.inputs[~rows], pool.labels[~rows]),
        num_classes=family.num_classes,
    )
    return SupervisedTask("u-lira", data, replace(like.recipe, seed=FIRST_SEED + number))


def unlearned(task: SupervisedTask, row: str, number: int, args: argparse.Namespace) -> nn.Module:
    """Return the model of a row: one of the two references, or what an objective at a constant λ leaves."""
    if row in (BEFORE, RETRAINED):
        return task.original() if row == BEFORE else task.retrained()
    objective, lam = row.rsplit(":", 1)
    env = gymnasium.make(
        "unlearn_gym/EMSE-v0",
        model=task.original(),
        retain_data=(task.data.retain.inputs, task.data.retain.labels),
        forget_data=(task.data.forget.inputs, task.data.forget.labels),
        num_classes=task.data.num_classes,
        objective=objective,
        horizon=args.updates,
        learning_rate=args.learning_rate,
        state="lagged",
        grad_norms=False,
        reward="loss",
    ).unwrapped
    env.reset(seed=FIRST_SEED + number)
    ended = False
    while not ended:
        *_, ended, _, info = env.step([float(lam)])
    if info["diverged"]:
        raise SystemExit(f"{row} diverged; give a smaller λ or --learning-rate.")
    return env.process.model


def row_of(word: str) -> str:
    """Read one row of the command line."""
    objective, _, lam = word.rpartition(":")
    try:
        known = objective in SUPERVISED_OBJECTIVES and 0 <= float(lam) <= 1
    except ValueError:
        known = False
    if not known:
        raise argparse.ArgumentTypeError(
            f"{word!r} is no objective:λ; give one of {', '.join(SUPERVISED_OBJECTIVES)} and a λ from 0 to 1, such as "
            "demote:0.5"
        )
    return word


def told(scores: np.ndarray, members: np.ndarray) -> tuple[str, str]:
    """Return AUC by shadow, as mean and 95 % interval, and TPR at 1 % FPR of all scores, in words."""
    pairs = zip(scores, members, strict=True)
    each = [mann_whitney_auc(score[member], score[~member]) for score, member in pairs]
    auc = summarize(each, bounds=(0.0, 1.0))
    low, high = auc.ci95 or (float("nan"),) * 2
    return f"{auc.mean:.3f} ({low:.3f}–{high:.3f})", f"{tpr_at_fpr(scores[members], scores[~members]):.3f}"


@torch.no_grad()
def answers(model: nn.Module, images: Tensor) -> Tensor:
    """Return the logits of a model in eval mode."""
    return model.eval()(images)


def main() -> None:
    """Print a Markdown table: how well each row's forgotten images are told from images that it never met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", type=row_of, default=list(ROWS), metavar="objective:λ")
    parser.add_argument("--pairs", type=int, default=16, help="of shadow models, at least 2")
    parser.add_argument(
        "--pool", type=int, default=100, help="images that half of each pair's models unlearn"
    )
    parser.add_argument("--updates", type=int, default=48)
    parser.add_argument("--learning-rate", type=float, default=4e-4)
    args = parser.parse_args()

    # The pool is drawn from what was learned under its right label; all else is kept by every model.
    family, _ = poisoned_task(MEMORISED)
    right = (family.shows < family.num_classes).nonzero().squeeze(1)
    if not 2 <= args.pool <= len(right) or args.updates < 1:
        parser.error(
            f"give a --pool of 2 to {len(right)} images, which are rightly labelled, and at least 1 update"
        )
    drawn = right[torch.randperm(len(right), generator=torch.Generator().manual_seed(0))[: args.pool]]
    others = torch.ones(len(family.shows), dtype=torch.bool).index_fill(0, drawn, False)
    pool, rest = (
        LabelledSet(family.examples.inputs[rows], family.examples.labels[rows]) for rows in (drawn, others)
    )

    # Every shadow is trained, unlearns its half under each row, and is asked about the whole pool.
    try:
        members = halves(len(pool), args.pairs, seed=0)
    except UserError as error:
        parser.error(str(error))
    rows = (BEFORE, *dict.fromkeys(args.rows), RETRAINED)
    logits: dict[str, list[Tensor]] = {row: [] for row in rows}
    held_out: dict[str, list[float]] = {row: [] for row in rows}
    for number, chosen in enumerate(tqdm(members, desc="shadows")):
        task = shadow(number, pool, chosen, rest)
        for row in rows:
            model = unlearned(task, row, number, args)
            logits[row].append(answers(model, pool.inputs))
            held_out[row].append(accuracy(answers(model, family.holdout.inputs), family.holdout.labels))

    # Each is attacked by what the others say, and by its confidence alone.
    print("| row | U-LiRA: AUC | TPR at 1 % FPR | confidence alone: AUC | held-out accuracy |")
    print("|---" * 5 + "|")
    for row in rows:
        phi = np.stack([log_odds(each, pool.labels) for each in logits[row]])
        auc, tpr = told(u_lira(phi, members), members)
        plain, _ = told(np.stack([max_confidence(each) for each in logits[row]]), members)
        print(f"| {row} | {auc} | {tpr} | {plain} | {np.mean(held_out[row]):.3f} |")


if __name__ == "__main__":
    main()
