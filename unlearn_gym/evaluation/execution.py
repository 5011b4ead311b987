"""Every agent on every seed from the same original weights, in one or several processes, resumable."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from unlearn_gym.data.fingerprint import Contents
from unlearn_gym.data.split import UnlearningData
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.experiment import Experiment
from unlearn_gym.evaluation.records import Record, is_kept, load_record, record_path, save_record
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.runner import Runner
from unlearn_gym.metrics.glossary import GLOSSARY
from unlearn_gym.models.threads import one_thread
from unlearn_gym.runtime.engines import Engine, as_engine
from unlearn_gym.runtime.memory import settled_objects
from unlearn_gym.runtime.user_code import blamed

MakeRunner = Callable[[Any], Runner]
"""From an experiment to the runner of its kind; module-level, as it is sent to other processes."""


def evaluate(
    experiment: Experiment,
    output: Path,
    jobs: int | Engine = 1,
    progress: bool = True,
    make_runner: MakeRunner = Runner,
) -> Results:
    """Measure what is not yet measured, and return everything.

    Every finished run is written to ``output/runs`` at once; a run found there, with the same settings and
    code, is not made again, unless it is damaged. Every process computes on one thread: the
    numbers do not depend on ``jobs``. Records are written here, also where runs are made on other machines.

    Args:
        experiment: what to measure.
        output: the report's folder.
        jobs: processes; more than one are spawned, so the calling script needs a ``__main__`` guard. Or an engine.
        progress: whether to show a progress bar.
        make_runner: what the experiment is measured on.

    Raises:
        UserError: for bad input, before anything is run; naming the row, when all other rows were run, for a run that
            could not be made; naming the worker that died.
    """
    engine = as_engine(jobs)
    with one_thread():
        runner = make_runner(experiment)
        experiment.limits.check(runner.evaluator.shares())
        metrics, rows, runs = runner.metrics(), runner.rows(), output / "runs"
        content = Contents()
        paths = {
            (row, seed): record_path(runs, row, seed, experiment.key(row, seed, content))
            for seed in experiment.seeds
            for row in rows
        }
        todo = [place for place, path in paths.items() if not is_kept(path)]
        runner.check()
        runs.mkdir(parents=True, exist_ok=True)  # a folder that cannot be written is noticed before any run
        failed: dict[str, UserError] = {}
        tasks = (place for place in todo if place[0] not in failed)  # looked at as late as a worker is free
        prepare = partial(_measuring, make_runner, experiment, metrics)
        finished = (
            (_attempt(runner, *place) for place in tasks)
            if engine.alone
            else engine.run(prepare, tasks, len(todo), files=experiment.files() if engine.remote else ())
        )
        bar = tqdm(total=len(paths), initial=len(paths) - len(todo), desc="runs", disable=not progress)
        with bar, contextlib.closing(finished), settled_objects():
            for found in finished:
                if isinstance(found, FailedRun):
                    failed.setdefault(found.name, found.error)
                    continue
                save_record(found, paths[found.name, found.seed])
                bar.set_postfix_str(f"{found.name}, seed {found.seed}", refresh=False)
                bar.update()
    if failed:
        others = f" {len(failed) - 1} more rows failed." if len(failed) > 1 else ""
        raise UserError(f"{next(iter(failed.values()))}{others} All other runs are kept: run again to go on.")
    runner.close()
    return Results(
        experiment,
        records=tuple(load_record(path) for path in paths.values()),
        metrics=metrics,
        key_metrics=tuple(name for name in runner.evaluator.key_metrics if name in metrics),
        trade_off=runner.evaluator.trade_off,
        **_names(runner.evaluator.data()),
        notes=runner.evaluator.notes(),
        paths=paths,
        examples=runner.evaluator.examples(),
        class_names=getattr(runner.env.unwrapped, "class_names", {}),
        samples=runner.evaluator.samples_of(),
    )


@dataclass(frozen=True)
class FailedRun:
    """A run of a row that cannot be made; the row's other seeds are left out, other rows go on."""

    name: str
    error: UserError


def _attempt(runner: Runner, name: str, seed: int) -> Record | FailedRun:
    """Make a run; what the user's code raises, or what it made the environment refuse, fails its row only."""
    what = f"The run of {name!r} with seed {seed}"
    try:
        with blamed(what):
            return runner.measure(name, seed)
    except UserError as error:
        sentence = str(error)
        return FailedRun(
            name, UserError(sentence if sentence.startswith(what) else f"{what} failed: {sentence}")
        )


def _names(data: UnlearningData | None) -> dict[str, Any]:
    """Return ``forgotten`` and ``label`` of ``Results``, as far as the request names them."""
    if data is None or data.forget_label is None:
        return {}
    label = data.class_names.get(data.forget_label, "")
    own = data.concepts[data.num_classes :]  # a concept that is no class of its own
    return {"forgotten": own[0] if own else label, "label": label}


def _measuring(
    make_runner: MakeRunner, experiment: Experiment, metrics: tuple[str, ...]
) -> Callable[[str, int], Record | FailedRun]:
    """Return what a worker process does with a row and a seed.

    Raises:
        UserError: for a metric that this process does not know.
    """
    torch.set_num_threads(1)
    runner = make_runner(experiment)
    for name in set(metrics) - set(GLOSSARY):
        raise UserError(
            f"The metric {name!r} is not known in other processes; register it in a module and give the environment "
            "as module:id, or give jobs=1."
        )
    return partial(_attempt, runner)
