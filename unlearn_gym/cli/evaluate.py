"""Run agents on an unlearning environment, measure what is left, and write a report.

unlearn-gym evaluate --env SISS-Digits-v0 --agents static:0.5 random runs/ppo --seeds 5 --output reports/digits
unlearn-gym evaluate --env EMSE-Digits-v0 --agents static:0.1 primal_dual --env-kwargs.horizon 100 --jobs 2
unlearn-gym evaluate --experiment siss_lambda --seeds 3    (the options of a file in the package; see study --list)

The output folder gets results.json, timings.json, report.md, PNGs, and runs/ with one record a run. A second call
makes only the runs that are not there yet. Class unlearning, and experiments by name, are commands of their own:
unlearn-gym benchmark, unlearn-gym study.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from jsonargparse.typing import NonNegativeInt, PositiveInt

from unlearn_gym.cli.online_runs import judged
from unlearn_gym.cli.rows import entry, trained
from unlearn_gym.envs.making import full_id
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import Entry, EvaluatorSettings, Experiment
from unlearn_gym.evaluation.benchmark.experiment import SEED, Scale, benchmark_experiment
from unlearn_gym.evaluation.benchmark.publish import publish_benchmark
from unlearn_gym.evaluation.certificates import Limits
from unlearn_gym.evaluation.report.publish import publish
from unlearn_gym.evaluation.studies import Pipeline, run_study
from unlearn_gym.methods import BASELINES
from unlearn_gym.metrics.glossary import look_up
from unlearn_gym.runtime import command_line
from unlearn_gym.storage.files import user_path
from unlearn_gym.storage.run_lock import alone_in

ELSEWHERE = ("benchmark", "study", "study_settings", "methods", "epochs", "pretrain_epochs", "fraction")
"""Options that are read here too, and shown in the help of ``unlearn-gym benchmark`` and ``study``."""


@dataclass
class Options:
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
        agents: names (``static:0.5``, ``random``, ``adaptive_vi``), run folders, ``file.py:Class``,
            zips of Stable-Baselines3 (``model.zip:vecnormalize.pkl``).
        rows: in the place of agents, name → keys of ``unlearn_gym.agents.training.comparison.Row``: each an agent
            in a setting of its own, trained first where it has to learn.
        baseline: an agent that all others are compared with, beside the best static one.
        output: folder of the report.
        seeds: number of runs of each agent.
        first_seed: seeds count from here; by default 1000, away from those of training (benchmark: 42).
        env_kwargs: keywords of the environment.
        samples: generated samples of the forget label.
        class_samples: generated samples of each other label.
        sampling_steps: DDIM steps a sample.
        likelihood: images on each side whose likelihood is computed (slow), 0 for none.
        probe: examples in each probe loss.
        relearn: fine-tune every model to see whether it relearns: on ``mixed``, ``retain`` or ``forget`` images.
        rounding: measure every model with its weights rounded to so many bits, 4 or 8.
        equal_retain: compare models where they keep this share of what the original recognises, such as 0.9.
        certify: limits, such as ``concept_rate=0.02 class_accuracy=0.9``: which rows meet them for sure.
        delta: probability with which a certified row may be wrong.
        bonferroni: certify rows whatever their order; otherwise in the order given, until the first that fails.
        metrics: columns of the report; all that the environment's evaluator measures if empty.
        jobs: processes.
        deterministic: whether learned policies act by their mode rather than by a draw.
    """

    env: str = "unlearn_gym/SISS-Digits-v0"
    benchmark: str | None = None
    study: str | None = None
    study_settings: dict[str, Any] = field(default_factory=dict)
    methods: list[str] = field(default_factory=lambda: list(BASELINES))
    epochs: PositiveInt = 20
    pretrain_epochs: PositiveInt | None = None
    fraction: float = 1.0
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
    certify: list[str] = field(default_factory=list)
    delta: float = 0.05
    bonferroni: bool = False
    metrics: list[str] = field(default_factory=list)
    jobs: PositiveInt = 1
    deterministic: bool = True


def lineup(options: Options) -> tuple[Entry, ...]:
    """Return the agents, or the rows, whose agents are trained first where they are not yet."""
    if not options.rows:
        return tuple(one for spec in options.agents for one in judged(entry(spec)))
    look_up(options.metrics)  # what would otherwise be noticed after hours of training
    if options.baseline and options.baseline not in options.rows:
        raise UserError(
            f"The baseline {options.baseline!r} is not among the agents {', '.join(options.rows)}."
        )
    return trained(
        full_id(options.env), options.env_kwargs, options.rows, output=Path(options.output), jobs=options.jobs
    )


def seeds(options: Options, first: int) -> tuple[int, ...]:
    """Return the seeds of all runs, from the first one that the user chose or from ``first``."""
    start = first if options.first_seed is None else options.first_seed
    return tuple(range(start, start + options.seeds))


def main(words: Sequence[str], program: Sequence[str]) -> None:
    """Parse, run, save, print."""
    options = command_line.parse(
        Options,
        command_line.with_experiment(words),
        description=__doc__ or "",
        program=shlex.join(program),
        hidden=ELSEWHERE,
    )
    start(options, repeated(program, words))


def start(options: Options, command: str) -> None:
    """Run what was asked for, alone in its output folder; ``command`` goes into the report."""
    options = replace(options, output=str(user_path(options.output)))
    with alone_in(Path(options.output)):
        run(options, command)


def repeated(program: Sequence[str], words: Sequence[str]) -> str:
    """Return the command line that a report names."""
    return shlex.join([*program, *without_jobs(words)])


def without_jobs(words: Sequence[str]) -> list[str]:
    """Leave ``--jobs`` out of a command line that goes into a report: it changes no number."""
    kept, rest = [], iter(words)
    for word in rest:
        if word == "--jobs":
            next(rest, None)
        elif not word.startswith("--jobs="):
            kept.append(word)
    return kept


def run(options: Options, command: str) -> None:
    """Run the study, the benchmark or the experiment that was asked for; ``command`` goes into its report."""
    if options.study is not None:
        output = Path(options.output)
        lineup_of = partial(trained, output=output, jobs=options.jobs)
        pipeline = Pipeline(output, options.jobs, lineup_of, command)
        for path in run_study(options.study, options.study_settings, pipeline):
            print(path)
        return
    if options.benchmark is not None:
        run_benchmark(options, options.benchmark, command)
        return
    settings, limits = settings_of(options), limits_of(options)
    experiment = Experiment(
        full_id(options.env),
        lineup(options),
        seeds(options, 1000),
        options.env_kwargs,
        settings,
        options.deterministic,
        tuple(options.metrics),
        options.baseline,
        limits=limits,
    )
    publish(experiment, Path(options.output), options.jobs, command)


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
    )


def limits_of(options: Options) -> Limits:
    """Return what rows are to be certified for."""
    return Limits.read(options.certify, options.delta, options.bonferroni)


def run_benchmark(options: Options, name: str, command: str) -> None:
    """Run a class-unlearning benchmark in the place of an environment's experiment."""
    experiment = benchmark_experiment(
        name,
        tuple(options.methods),
        tuple(entry(spec) for spec in options.agents),
        seeds(options, SEED),
        Scale(options.epochs, options.pretrain_epochs, options.fraction),
        options.env_kwargs,
        settings_of(options),
        limits_of(options),
    )
    publish_benchmark(experiment, Path(options.output), options.jobs, command)
