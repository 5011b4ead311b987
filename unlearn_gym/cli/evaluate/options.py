"""The options of ``unlearn-gym evaluate``, and what they say about measuring."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jsonargparse.typing import NonNegativeInt, PositiveInt

from unlearn_gym.evaluation import EvaluatorSettings
from unlearn_gym.evaluation.risk_tests import Limits
from unlearn_gym.methods import BASELINES
from unlearn_gym.runtime import command_line
from unlearn_gym.runtime.engines import EngineOptions

ELSEWHERE = (
    "benchmark",
    "study",
    "study_settings",
    "methods",
    "epochs",
    "pretrain_epochs",
    "fraction",
    "precision",
)
"""Options that ``evaluate`` reads too, and that are shown in the help of ``unlearn-gym benchmark`` and ``study``."""


@dataclass(frozen=True)
class Options(EngineOptions):
    """What to evaluate.

    Args:
        env: id of the environment; the prefix ``unlearn_gym/`` may be left out.
        benchmark: a class-unlearning benchmark, such as ``digits``, in the place of an environment.
        study: a study in the place of an environment, such as ``emse_polynomial``.
        study_settings: its settings.
        methods: benchmark: update rules, by name (``scrub``, ``emse:0.2``) or as ``path/to/file.py``.
        epochs: benchmark: epochs of unlearning.
        pretrain_epochs: benchmark: epochs of the original and the retrained model, if not the task's own.
        fraction: benchmark: share of the images that is used.
        precision: benchmark: of the passes of methods and agents, ``float32`` or ``bfloat16``.
        agents: names (``static:0.5``, ``random``, ``adaptive_vi``), run folders, ``file.py:Class``,
            zips of Stable-Baselines3 (``model.zip:vecnormalize.pkl``), or ``newton``, exact for polynomial fits.
        rows: in the place of agents, name → keys of ``unlearn_gym.agents.training.comparison.Row``: each an agent
            in a setting of its own, trained first where it has to learn.
        baseline: an agent that all others are compared with, beside the best static one.
        output: folder of the report.
        seeds: number of runs of each agent.
        first_seed: seeds count from here; by default 1000, away from those of training (benchmark: 42).
        env_kwargs: keywords of the environment.
        samples: generated samples of the forget label.
        class_samples: generated samples of each other label.
        sampling_steps: DDIM steps a sample; for other samplers, evaluations of the network.
        likelihood: images on each side whose likelihood is computed (slow), 0 for none.
        probe: examples in each probe loss.
        relearn: fine-tune every model to see whether it relearns: on ``mixed``, ``retain`` or ``forget`` images.
        rounding: measure every model with its weights rounded to so many bits, 4 or 8.
        equal_retain: compare models where they keep this share of what the original recognises, such as 0.9.
        attack: sample under a ``condition`` found to bring back what was forgotten, or half-way to other labels
            (``overlap``).
        certify: limits, such as ``concept_rate=0.02 class_accuracy=0.9``: which rows meet them for sure.
        delta: probability with which a certified row may be wrong.
        bonferroni: certify rows whatever their order; otherwise in the order given, until the first that fails.
        metrics: columns of the report; all that the environment's evaluator measures if empty.
        jobs: processes, 1 by default; under ``ray`` tasks at once, by default as many as the cluster has room for.
        deterministic: whether learned policies act by their mode rather than by a draw.
        log_trajectories: name of a Minari data set that all runs are logged in (extra: offline).
    """

    env: str = "unlearn_gym/SISS-Digits-v0"
    benchmark: str | None = None
    study: str | None = None
    study_settings: dict[str, Any] = field(default_factory=dict)
    methods: list[str] = field(default_factory=lambda: list(BASELINES))
    epochs: PositiveInt = 20
    pretrain_epochs: PositiveInt | None = None
    fraction: float = 1.0
    precision: str = "float32"
    agents: list[str] = field(default_factory=lambda: ["static:0.1", "static:0.5", "adaptive_vi", "random"])
    rows: dict[str, Any] = field(default_factory=dict)
    baseline: str = ""
    output: str = "reports/evaluation"
    seeds: PositiveInt = 5
    first_seed: command_line.Seed | None = None  # type: ignore[valid-type]
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    samples: PositiveInt = 500
    class_samples: PositiveInt = 50
    sampling_steps: PositiveInt = 25
    likelihood: NonNegativeInt = 0
    probe: PositiveInt = 512
    relearn: list[str] = field(default_factory=list)
    rounding: list[int] = field(default_factory=list)
    equal_retain: float = 0.0
    attack: list[str] = field(default_factory=list)
    certify: list[str] = field(default_factory=list)
    delta: float = 0.05
    bonferroni: bool = False
    metrics: list[str] = field(default_factory=list)
    jobs: PositiveInt | None = None
    deterministic: bool = True
    log_trajectories: str = ""


def settings_of(options: Options) -> EvaluatorSettings:
    """Return how much is measured."""
    return EvaluatorSettings(
        options.samples,
        options.class_samples,
        options.sampling_steps,
        options.probe,
        options.likelihood,
        tuple(options.relearn),
        tuple(options.rounding),
        options.equal_retain,
        tuple(options.attack),
    )


def limits_of(options: Options) -> Limits:
    """Return what rows are to be certified for."""
    return Limits.read(options.certify, options.delta, options.bonferroni)
