"""Run agents on an unlearning environment, measure what is left, and write a report.

unlearn-gym evaluate --env SISS-Digits-v0 --agents static:0.5 random runs/ppo --seeds 5 --output reports/digits
unlearn-gym evaluate --env EMSE-Digits-v0 --agents static:0.1 primal_dual --env-kwargs.horizon 100 --jobs 2
unlearn-gym evaluate --experiment siss_lambda --seeds 3    (the options of a file in the package; see study --list)

The output folder gets results.json, timings.json, report.md, PNGs, and runs/ with one record a run. A second call
makes only the runs that are not there yet. Class unlearning, and experiments by name, are commands of their own:
unlearn-gym benchmark, unlearn-gym study.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from jsonargparse.typing import NonNegativeInt, PositiveInt

from unlearn_gym import configs
from unlearn_gym.agents import load, make, resolve
from unlearn_gym.agents.common import saving
from unlearn_gym.agents.common.base import Learner
from unlearn_gym.agents.imports import sb3_models
from unlearn_gym.agents.training.comparison import Row, read_rows, train_all, training_of
from unlearn_gym.envs.making import full_id
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import Entry, EvaluatorSettings, Experiment
from unlearn_gym.evaluation.benchmark.experiment import SEED, Scale, benchmark_experiment
from unlearn_gym.evaluation.benchmark.publish import publish_benchmark
from unlearn_gym.evaluation.records import file_digest, slug
from unlearn_gym.evaluation.report.publish import publish
from unlearn_gym.evaluation.studies import run_study
from unlearn_gym.methods import METHODS
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
        metrics: columns of the report; all that the environment's evaluator measures if empty.
        jobs: processes.
        deterministic: whether learned policies act by their mode rather than by a draw.
    """

    env: str = "unlearn_gym/SISS-Digits-v0"
    benchmark: str | None = None
    study: str | None = None
    study_settings: dict[str, Any] = field(default_factory=dict)
    methods: list[str] = field(default_factory=lambda: list(METHODS))
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
    metrics: list[str] = field(default_factory=list)
    jobs: PositiveInt = 1
    deterministic: bool = True


def entry(spec: str) -> Entry:
    """Read one word of ``--agents``: what kind it is, and what its run is recognised by."""
    trained = saving.find(spec)
    zipped = sb3_models.files(spec)
    if zipped:
        fingerprint = "".join(file_digest(part) for part in zipped if part.exists())
        return Entry(spec, partial(resolve, spec), "learned", fingerprint)
    file = user_path(spec.partition(".py:")[0] + ".py")
    if trained is not None:
        folder = trained.parent if trained.name == saving.FILE else trained
        return Entry(spec.rstrip("/"), partial(resolve, spec), "learned", file_digest(trained), folder)
    if file.is_file():
        saved = [user_path(word) for word in spec.partition(".py:")[2].split(":")[1:]]
        fingerprint = "".join(file_digest(part) for part in (file, *saved) if part.exists())
        return Entry(spec, partial(resolve, spec), "learned" if saved else "other", fingerprint)
    settings = configs.table(spec.split(":")[0])
    fingerprint = json.dumps(settings, sort_keys=True) if settings else ""
    kind: Literal["static", "other"] = "static" if spec.startswith("static") else "other"
    return Entry(spec, partial(resolve, spec), kind, fingerprint)


def lineup(options: Options) -> tuple[Entry, ...]:
    """Return the agents, or the rows, whose agents are trained first where they are not yet."""
    if not options.rows:
        return tuple(entry(spec) for spec in options.agents)
    rows = read_rows(options.rows)
    folders = {name: Path(options.output) / "agents" / slug(name) for name in rows}
    check_before_training(options, folders)
    trainings = {
        name: training_of(row, full_id(options.env), options.env_kwargs, folders[name])
        for name, row in rows.items()
    }
    train_all([config for config in trainings.values() if config], options.jobs)
    return tuple(
        as_entry(name, row, str(folders[name]) if trainings[name] else row.agent)
        for name, row in rows.items()
    )


def check_before_training(options: Options, folders: Mapping[str, Path]) -> None:
    """Refuse what would otherwise be noticed after hours of training."""
    look_up(options.metrics)
    if options.baseline and options.baseline not in folders:
        raise UserError(f"The baseline {options.baseline!r} is not among the agents {', '.join(folders)}.")
    if len(set(folders.values())) < len(folders):
        raise UserError(
            f"Two of the rows {', '.join(folders)} have the same folder; name them more differently."
        )


def as_entry(name: str, row: Row, spec: str) -> Entry:
    """Return the entry of a row whose agent is ``spec``."""
    agent = entry(spec)
    return replace(
        agent,
        name=name,
        kind=row.kind or agent.kind,
        env_id=row.env,
        env_kwargs=row.env_kwargs,
        group=row.group,
        description=row.description or row.agent,
    )


def trained(name: str, env: Any, steps: int, folder: Path, hyperparameters: Mapping[str, Any]) -> Any:
    """Train the agent that a study asks for, or load it where that was done before."""
    if not folder.is_dir():
        agent = make(name, env, seed=0, **hyperparameters)
        if not isinstance(agent, Learner):
            raise UserError(f"The agent {name!r} has nothing to learn; name a learning agent, such as ppo.")
        agent.learn(steps, progress_bar=True)
        agent.save(folder)
    return load(folder, env)


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
        for path in run_study(options.study, options.study_settings, Path(options.output), trained, command):
            print(path)
        return
    if options.benchmark is not None:
        run_benchmark(options, options.benchmark, command)
        return
    experiment = Experiment(
        full_id(options.env),
        lineup(options),
        seeds(options, 1000),
        options.env_kwargs,
        EvaluatorSettings(
            options.samples, options.class_samples, options.sampling_steps, options.probe, options.likelihood
        ),
        options.deterministic,
        tuple(options.metrics),
        options.baseline,
    )
    publish(experiment, Path(options.output), options.jobs, command)


def run_benchmark(options: Options, name: str, command: str) -> None:
    """Run a class-unlearning benchmark in the place of an environment's experiment."""
    experiment = benchmark_experiment(
        name,
        tuple(options.methods),
        tuple(entry(spec) for spec in options.agents),
        seeds(options, SEED),
        Scale(options.epochs, options.pretrain_epochs, options.fraction),
        options.env_kwargs,
    )
    publish_benchmark(experiment, Path(options.output), options.jobs, command)
