"""Compare methods of class unlearning, and agents, from the same classifier; write a report.

unlearn-gym benchmark digits --methods scrub ssd:2 emse --agents static:0.1 runs/ppo --seeds 5
unlearn-gym benchmark resnet20-cifar10 --fraction 0.1 --epochs 3 --pretrain-epochs 15 --output reports/cifar10
unlearn-gym benchmark digits --methods scrub path/to/my_method.py

A second call makes only the runs that are not there yet.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from jsonargparse.typing import PositiveInt

from unlearn_gym.cli import evaluate
from unlearn_gym.methods import BASELINES
from unlearn_gym.runtime import command_line
from unlearn_gym.runtime.engines import EngineOptions


@dataclass(frozen=True)
class Options(EngineOptions):
    """What to compare.

    Args:
        benchmark: its name: digits, resnet20-cifar10, vgg16bn-cifar100 or mobilenetv2-fmnist.
        methods: by name (``scrub``, ``emse:0.2``) or as ``path/to/file.py``.
        agents: agents that choose λ, as ``evaluate`` takes them.
        epochs: epochs of unlearning.
        pretrain_epochs: epochs of the original and the retrained model, if not the task's own.
        fraction: share of the images that is used.
        output: folder of the report.
        seeds: number of runs of each method and agent.
        first_seed: seeds count from here, by default 42.
        precision: of the passes of methods and agents; bfloat16 is mixed, and faster where the machine knows it.
        env_kwargs: keywords of the agents' environment.
        relearn: fine-tune every model to see whether it relearns: on ``mixed``, ``retain`` or ``forget`` images.
        rounding: measure every model with its weights rounded to so many bits, 4 or 8.
        equal_retain: compare models where they keep this share of the original's ``retain_acc``, such as 0.9.
        certify: limits, such as ``forget_acc=0.02 retain_acc=0.9``: which rows meet them for sure.
        delta: probability with which a certified row may be wrong.
        bonferroni: certify rows whatever their order; otherwise in the order given, until the first that fails.
        jobs: processes, 1 by default; under ``ray`` tasks at once, by default as many as the cluster has room for.
        log_trajectories: name of a Minari data set that all runs of agents are logged in (extra: offline).
    """

    benchmark: str = "digits"
    methods: list[str] = field(default_factory=lambda: list(BASELINES))
    agents: list[str] = field(default_factory=lambda: ["static:0.1", "static:0.5", "adaptive_vi", "random"])
    epochs: PositiveInt = 20
    pretrain_epochs: PositiveInt | None = None
    fraction: float = 1.0
    output: str = "reports/benchmark"
    seeds: PositiveInt = 5
    first_seed: command_line.Seed | None = None  # type: ignore[valid-type]
    precision: Literal["float32", "bfloat16"] = "float32"
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    relearn: list[str] = field(default_factory=list)
    rounding: list[int] = field(default_factory=list)
    equal_retain: float = 0.0
    certify: list[str] = field(default_factory=list)
    delta: float = 0.05
    bonferroni: bool = False
    jobs: PositiveInt | None = None
    log_trajectories: str = ""


def main(words: Sequence[str], program: Sequence[str]) -> None:
    """Parse, run, save, print."""
    options = command_line.parse(
        Options, words, description=__doc__ or "", program=shlex.join(program), leading="benchmark"
    )
    evaluate.start(evaluate.Options(**vars(options)), evaluate.repeated(program, words))
