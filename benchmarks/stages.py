"""Print where the minutes of a study go: ``python -m benchmarks.stages mnist_trousers_quick [--seeds 1]``.

The study runs in this process alone, into a folder that is thrown away, with clocks around its stages. What no clock
sees is in the last row: reading words, data and models, checks, the report.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from unlearn_gym import cli

STAGES: dict[str, tuple[str, ...]] = {
    "training policies": ("cli.evaluate:train_all",),
    "updates of the runs": ("evaluation.runner:Runner._unlearn",),
    "samples": ("evaluation.evaluators.drawn.base:DrawnEvaluator._draw",),
    "what samples show (classifier, FID, KID, SSIM)": (
        "evaluation.evaluators.drawn.samples:SampleScores.see",
        "evaluation.evaluators.drawn.samples:SampleScores.pooled",
        "evaluation.evaluators.drawn.samples:SampleScores.by_class",
        "evaluation.evaluators.drawn.samples:SampleScores.ssim_retain",
        "evaluation.evaluators.drawn.base:best_match_ssim",
    ),
    "samples of requests and their classifier": ("evaluation.evaluators.requests:RequestsEvaluator.measure",),
    "losses on held-out images": ("evaluation.evaluators.drawn.diffusion:DiffusionEvaluator._losses",),
    "likelihoods": ("evaluation.evaluators.drawn.diffusion:DiffusionEvaluator._likelihoods",),
    "membership": ("evaluation.evaluators.drawn.membership:Membership.measure",),
    "attacks": ("evaluation.evaluators.attacks:Attacks.measure",),
}
"""Stage → module and name of what is clocked; no two of them within each other."""


def clocked(stage: str, function: Callable[..., Any], seconds: Counter[str]) -> Callable[..., Any]:
    """Return the function with a clock that counts for a stage."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            seconds[stage] += time.perf_counter() - start

    return call


def set_clocks(seconds: Counter[str]) -> None:
    """Put a clock around every stage."""
    for stage, names in STAGES.items():
        for name in names:
            module, _, path = name.partition(":")
            owner: Any = importlib.import_module(f"unlearn_gym.{module}")
            *classes, last = path.split(".")
            for each in classes:
                owner = getattr(owner, each)
            setattr(owner, last, clocked(stage, getattr(owner, last), seconds))


def main() -> None:
    """Run a study and print stage, seconds and share."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("study", help="a name of unlearn-gym study --list")
    parser.add_argument("--seeds", type=int, help="runs of each row")
    chosen = parser.parse_args()
    seconds: Counter[str] = Counter()
    set_clocks(seconds)
    with tempfile.TemporaryDirectory() as folder:
        words = ["study", chosen.study, "--jobs", "1", "--output", folder]
        words += ["--seeds", str(chosen.seeds)] if chosen.seeds else []
        start = time.perf_counter()
        if cli.main(words):
            raise SystemExit(1)
        whole = time.perf_counter() - start
    seconds["everything else"] = whole - seconds.total()
    print("| stage | seconds | share |\n|---|---|---|")
    for stage, spent in seconds.items():
        if spent > 0:
            print(f"| {stage} | {spent:.1f} | {spent / whole:.0%} |")


if __name__ == "__main__":
    main()
