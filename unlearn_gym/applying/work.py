"""From a request to the finished output folder."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym

from unlearn_gym.applying import folder as folders
from unlearn_gym.applying.cases.base import Case, Measured
from unlearn_gym.applying.cases.classifier import ClassifierCase
from unlearn_gym.applying.cases.diffusion import DiffusionCase
from unlearn_gym.applying.cases.range_test import harmless_rate
from unlearn_gym.applying.policy import Chosen, chosen_policy
from unlearn_gym.applying.report import Told, save_report
from unlearn_gym.applying.results import numbers_of
from unlearn_gym.applying.running import DivergedError, unlearn
from unlearn_gym.applying.settings import AUTO, Settings, Sources, kind_of
from unlearn_gym.applying.watch import Watch
from unlearn_gym.envs.making import make_env
from unlearn_gym.envs.options import as_device
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.records import file_digest
from unlearn_gym.evaluation.report.results_file import versions
from unlearn_gym.runtime.user_code import blamed
from unlearn_gym.storage.files import atomic_directory, settle, write_json, write_text
from unlearn_gym.storage.run_lock import alone_in

OWN = (
    "model",
    "scheduler",
    "retain_data",
    "forget_data",
    "num_classes",
    "horizon",
    "learning_rate",
    "objective",
    "device",
)
"""Keywords of the environment that have options of their own here."""
CASES: dict[str, type[DiffusionCase] | type[ClassifierCase]] = {
    "diffusion": DiffusionCase,
    "classifier": ClassifierCase,
}
LOG = "log.csv"


@dataclass(frozen=True)
class Job:
    """A checked request, ready to run.

    Attributes:
        case: the model and its images.
        chosen: objective and policy.
        settings: how it is done.
        sources: where things were.
        command: what made it.
    """

    case: Case
    chosen: Chosen
    settings: Settings
    sources: Sources
    command: str

    def request(self) -> dict[str, Any]:
        """Return what tells this request from another, as JSON has it."""
        policy = "".join(file_digest(file) for file in self.chosen.spec.files if file.exists())
        rate = self.settings.rate() or AUTO  # a number however it was written
        return {
            **asdict(self.settings),
            **json.loads(json.dumps(self.chosen.record())),  # as it is read again: lists for tuples
            "learning_rate": rate,
            "policy_files": policy,
            **self.case.identity(),
        }

    def env(self, rate: float | str, steps: int) -> gym.Env:
        """Return the environment, at the original weights."""
        keywords = {
            **self.case.env_kwargs(self.settings),
            "objective": self.chosen.objective,
            "learning_rate": rate,
            "horizon": steps,
            "device": self.settings.device,
            **self.chosen.keywords,
            **self.settings.env_kwargs,
        }
        return make_env(self.case.env_id, keywords)


def prepare(sources: Sources, settings: Settings, command: str) -> Job:
    """Check everything that was given, before any work.

    Raises:
        UserError: one sentence on what is wrong.
    """
    settings.rate()
    as_device(settings.device)
    kind = kind_of(sources.model)
    chosen = chosen_policy(settings, kind, CASES[kind].env_id)
    own = sorted(set(OWN) & set(settings.env_kwargs))
    if own:
        raise UserError(f"env_kwargs has {own[0]!r}, which apply sets itself; use its own options instead.")
    return Job(CASES[kind](sources, settings), chosen, settings, sources, command)


def carry_out(
    sources: Sources, settings: Settings, output: Path, command: str, say: Callable[[str], None]
) -> None:
    """Unlearn, measure and write the output folder, unless it is there already.

    Args:
        sources: what is read.
        settings: how it is done.
        output: the folder that is made.
        command: what repeats it, for the report.
        say: hears in a sentence what is going on.

    Raises:
        UserError: for bad input, before any work; for a run that diverges.
    """
    folders.check_apart(output, sources.paths())
    job = prepare(sources, settings, command)
    request = job.request()
    unfinished = folders.beside(output)
    with alone_in(unfinished):
        if output.is_dir():
            settle(output)
        if folders.is_finished(output, request):
            say(f"{output} is there already.")
        else:
            folders.check_unfinished(unfinished, request)
            with blamed("Unlearning"):  # a policy or a module of the user's
                _work(job, request, unfinished, output, say)
        folders.drop(unfinished)
    with contextlib.suppress(OSError):  # not empty: it is another's by now
        unfinished.rmdir()


def _work(
    job: Job, request: dict[str, Any], unfinished: Path, output: Path, say: Callable[[str], None]
) -> None:
    case, settings = job.case, job.settings
    rate = case.chosen_rate(settings)
    if rate == AUTO and isinstance(case, ClassifierCase):
        rate = harmless_rate(case, job.env, settings.seed)
    env = job.env(rate, settings.steps)
    inner: Any = env.unwrapped
    agent = job.chosen.spec.make(env)  # before samples are drawn: it may not fit
    env.reset(seed=settings.seed, options={"restore": True})
    model = inner.process.model
    before = case.measure(model)
    data = case.data
    say(
        f"{len(data.retain)} images to keep, {len(data.retain_holdout)} more held out, {len(data.forget)} to forget; "
        f"{job.chosen.told()}, learning rate {inner.settings.learning_rate:.3g}."
    )
    unmet = job.chosen.unmet(settings.steps, float(inner.settings.learning_rate))
    if unmet:
        warnings.warn(unmet, stacklevel=2)
    folders.claim(unfinished, request)
    watch = Watch(case.name, case.alarm, settings.steps)
    try:
        trail = unlearn(case, env, agent, seed=settings.seed, watch=watch, folder=unfinished)
    except DivergedError:
        folders.drop(unfinished)  # to go on would end here again
        raise
    if unmet:
        watch.warnings["policy"] = unmet
    after = case.measure(model)
    told = Told(
        case,
        request,
        before,
        after,
        watch,
        trail,
        float(inner.settings.learning_rate),
        tuple(inner.observer.logged),
        job.chosen.origin,
        job.sources,
        output,
        job.command,
    )
    with atomic_directory(output) as temporary:
        case.save(inner, temporary)
        write_text(temporary / LOG, _log(told))
        write_json(temporary / folders.RESULTS, _results(told, before, after))
        save_report(told, temporary)


def _results(told: Told, before: Measured, after: Measured) -> dict[str, Any]:
    return {
        "request": told.request,
        "kind": told.case.kind,
        "model": told.case.saved,
        "numbers": numbers_of(before, after),
        "learning_rate": told.learning_rate,
        "warnings": list(told.watch.warnings.values()),
        "command": told.command,
        "versions": versions(),
    }


def _log(told: Told) -> str:
    """Return the updates as CSV, with the looks at the fixed examples beside those after which they were taken."""
    looks = {look.step: look for look in told.watch.looks}
    text = io.StringIO(newline="")
    writer: Any = None
    for row in told.trail.rows(told.seen):
        look = looks.get(int(row["update"]))
        full: dict[str, Any] = {
            **row,
            "held_out_retain_loss": look.retain_loss if look else "",
            "fixed_forget_loss": look.forget_loss if look else "",
        }
        if writer is None:
            writer = csv.DictWriter(text, list(full))
            writer.writeheader()
        writer.writerow(full)
    return text.getvalue()
