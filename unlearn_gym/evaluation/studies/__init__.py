"""Studies: several experiments, one report, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import trajectories
from unlearn_gym.evaluation.execution import evaluate
from unlearn_gym.evaluation.experiment import Entry, Experiment
from unlearn_gym.evaluation.results import Results
from unlearn_gym.runtime.engines import Engine

Rows = Mapping[str, Mapping[str, Any]]
"""Name → keys of a row of a comparison, as a configuration file has them."""
Lineup = Callable[[str, Mapping[str, Any], Rows, str], tuple[Entry, ...]]
"""Environment, its keywords, rows, part of the study → the rows' agents, those that learn trained first where they
are not yet; rows of different parts may have the same names."""

STUDIES: dict[str, str] = {
    "emse_polynomial": "unlearn_gym.evaluation.studies.regression_report:publish",
    "offline": "unlearn_gym.evaluation.studies.offline:publish",
    "requests": "unlearn_gym.evaluation.studies.requests.report:publish",
}
"""Name → function; a string, so that only the one in use is imported."""


@dataclass(frozen=True)
class Pipeline:
    """How a study's experiments are made: as every other, each finished run and agent kept at once.

    Attributes:
        output: folder of the report.
        jobs: processes, or an engine.
        lineup: turns rows into agents.
        command: the command line that repeats the study.
        log: name of the Minari data sets that the runs are logged in; none if empty.
    """

    output: Path
    jobs: int | Engine
    lineup: Lineup
    command: str
    log: str = ""

    def results(self, env_id: str, env_kwargs: dict[str, Any], rows: Rows, **more: Any) -> Results:
        """Measure rows in an environment; ``more`` are further fields of ``Experiment``."""
        return self.measure(env_id, env_kwargs, self.lineup(env_id, env_kwargs, rows, ""), **more)

    def measure(
        self, env_id: str, env_kwargs: dict[str, Any], entries: tuple[Entry, ...], **more: Any
    ) -> Results:
        """Measure agents in an environment, which need not be the one that they were trained in."""
        experiment = Experiment(env_id, entries, env_kwargs=env_kwargs, **more)
        if self.log:
            trajectories.check(experiment, self.log, apart=True)
        results = evaluate(experiment, self.output, self.jobs)
        for folder in trajectories.write(results, self.log, apart=True) if self.log else ():
            print(folder)
        return results


def run_study(name: str, settings: Mapping[str, Any], pipeline: Pipeline) -> list[Path]:
    """Run a study, or what is missing of it, and return the files of its report.

    Args:
        name: one of ``STUDIES``.
        settings: fields of its dataclass ``Settings``.
        pipeline: how its experiments are made.

    Raises:
        UserError: for an unknown name or setting.
    """
    if name not in STUDIES:
        raise UserError(f"There is no study {name!r}; choose one of {', '.join(sorted(STUDIES))}.")
    module, _, function = STUDIES[name].partition(":")
    return getattr(importlib.import_module(module), function)(settings, pipeline)
