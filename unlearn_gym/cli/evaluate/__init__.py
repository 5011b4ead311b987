"""Run agents on an unlearning environment, measure what is left, and write a report.

unlearn-gym evaluate --env SISS-Digits-v0 --agents static:0.5 random runs/ppo --seeds 5 --output reports/digits
unlearn-gym evaluate --env EMSE-Digits-v0 --agents static:0.1 primal_dual --env-kwargs.horizon 100 --jobs 2
unlearn-gym evaluate --experiment siss_lambda --seeds 3    (the options of a file in the package; see study --list)
unlearn-gym evaluate --env SISS-Digits-v0 --agents random --log-trajectories digits/random    (a Minari data set)

The output folder gets results.json, timings.json, report.md, PNGs, and runs/ with one record a run. A second call
makes only the runs that are not there yet. Class unlearning, and experiments by name, are commands of their own:
unlearn-gym benchmark, unlearn-gym study.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from unlearn_gym.agents.common import specs
from unlearn_gym.agents.training.comparison import Row, read_rows, train_all, training_of
from unlearn_gym.cli.evaluate.online_runs import entries_of
from unlearn_gym.cli.evaluate.options import ELSEWHERE, Options, limits_of, settings_of
from unlearn_gym.envs.making import full_id
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import Entry, Experiment, Results, trajectories
from unlearn_gym.evaluation.benchmark.experiment import SEED, Scale, benchmark_experiment
from unlearn_gym.evaluation.benchmark.publish import publish_benchmark
from unlearn_gym.evaluation.records import file_digest, slug
from unlearn_gym.evaluation.report.publish import publish
from unlearn_gym.evaluation.sources import note_code
from unlearn_gym.evaluation.studies import Pipeline, run_study
from unlearn_gym.methods.closed_form import CLOSED_FORMS, make_closed_form
from unlearn_gym.metrics.glossary import look_up
from unlearn_gym.runtime import command_line
from unlearn_gym.runtime.engines import NAMES, Engine, make_engine
from unlearn_gym.storage.files import user_path
from unlearn_gym.storage.run_lock import alone_in


def entry(text: str) -> Entry:
    """Read one word of ``--agents``: what kind it is, and what its run is recognised by."""
    if text in CLOSED_FORMS:
        return Entry(text, partial(make_closed_form, text))
    spec = specs.parse(text)
    fingerprint = json.dumps(spec.settings, sort_keys=True) if spec.settings else ""
    fingerprint += "".join(file_digest(file) for file in spec.files if file.exists())
    return Entry(text.rstrip("/"), spec.make, spec.kind, fingerprint, spec.run_folder, files=spec.files)


def lineup(options: Options, engine: Engine) -> tuple[Entry, ...]:
    """Return the agents, or the rows, whose agents are trained first where they are not yet."""
    if not options.rows:
        return tuple(one for spec in options.agents for one in entries_of(entry(spec)))
    look_up(options.metrics)  # what would otherwise be noticed after hours of training
    if options.baseline and options.baseline not in options.rows:
        raise UserError(
            f"The baseline {options.baseline!r} is not among the agents {', '.join(options.rows)}."
        )
    return trained(
        full_id(options.env), options.env_kwargs, options.rows, output=Path(options.output), jobs=engine
    )


def trained(
    env_id: str,
    env_kwargs: Mapping[str, Any],
    rows: Mapping[str, Mapping[str, Any]],
    part: str = "",
    *,
    output: Path,
    jobs: int | Engine,
) -> tuple[Entry, ...]:
    """Return the agents of rows; those that learn are trained first where they are not yet.

    Args:
        env_id: id of the environment of rows that name none.
        env_kwargs: its keywords.
        rows: name → keys of ``unlearn_gym.agents.training.comparison.Row``.
        part: of a study with several, whose agents are kept in a folder of its name.
        output: folder of the report; agents are kept in ``agents`` below it.
        jobs: processes, or an engine.
    """
    checked = read_rows(rows)
    folder = output / "agents" / slug(part) if part else output / "agents"
    folders = {name: folder / slug(name) for name in checked}
    if len(set(folders.values())) < len(folders):
        raise UserError(
            f"Two of the rows {', '.join(folders)} have the same folder; name them more differently."
        )
    trainings = {name: training_of(row, env_id, env_kwargs, folders[name]) for name, row in checked.items()}
    ready = {name: entry(row.agent) for name, row in checked.items() if trainings[name] is None}
    note_code(folders[name] for name, config in trainings.items() if config)
    train_all([config for config in trainings.values() if config], jobs)
    return tuple(
        one
        for name, row in checked.items()
        for one in entries_of(as_entry(name, row, ready.get(name) or entry(str(folders[name]))))
    )


def as_entry(name: str, row: Row, agent: Entry) -> Entry:
    """Return the entry of a row with its agent."""
    return replace(
        agent,
        name=name,
        kind=row.kind or agent.kind,
        env_id=row.env,
        env_kwargs=row.env_kwargs,
        group=row.group,
        description=row.description or row.agent,
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
    return shlex.join([*program, *without_engine(words)])


def without_engine(words: Sequence[str]) -> list[str]:
    """Leave out of a command line that goes into a report where it was run, and on how many: it changes no number."""
    flags = [f"--{name}" for name in NAMES]
    kept, rest = [], iter(words)
    for word in rest:
        if word in flags:
            next(rest, None)
        elif not word.startswith(tuple(f"{flag}=" for flag in flags)):
            kept.append(word)
    return kept


def run(options: Options, command: str) -> None:
    """Run the study, the benchmark or the experiment that was asked for; ``command`` goes into its report."""
    engine = make_engine(options.engine, options.jobs, options.address, options.gpus)
    if options.study is not None:
        output = Path(options.output)
        lineup_of = partial(trained, output=output, jobs=engine)
        pipeline = Pipeline(output, engine, lineup_of, command, options.log_trajectories)
        for path in run_study(options.study, options.study_settings, pipeline):
            print(path)
        return
    if options.benchmark is not None:
        run_benchmark(options, options.benchmark, command, engine)
        return
    settings, limits = settings_of(options), limits_of(options)
    experiment = Experiment(
        full_id(options.env),
        lineup(options, engine),
        seeds(options, 1000),
        options.env_kwargs,
        settings,
        options.deterministic,
        tuple(options.metrics),
        options.baseline,
        limits=limits,
    )
    _log(options, experiment, partial(publish, experiment, Path(options.output), engine, command))


def _log(options: Options, experiment: Experiment, make: Callable[[], Results]) -> None:
    """Make results, and log the runs where that was asked for; what cannot be logged is refused before them."""
    if options.log_trajectories:
        trajectories.check(experiment, options.log_trajectories)
    results = make()
    if options.log_trajectories:
        for path in trajectories.write(results, options.log_trajectories):
            print(path)


def run_benchmark(options: Options, name: str, command: str, engine: Engine) -> None:
    """Run a class-unlearning benchmark in the place of an environment's experiment."""
    experiment = benchmark_experiment(
        name,
        tuple(options.methods),
        tuple(entry(spec) for spec in options.agents),
        seeds(options, SEED),
        Scale(options.epochs, options.pretrain_epochs, options.fraction, options.precision),
        options.env_kwargs,
        settings_of(options),
        limits_of(options),
    )
    make = partial(publish_benchmark, experiment, Path(options.output), engine, command)
    _log(options, experiment, make)
