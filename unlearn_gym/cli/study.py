"""Run an experiment that comes with the package, by name, and write its report.

unlearn-gym study --list
unlearn-gym study mnist_trousers_quick --jobs 2
unlearn-gym study siss_lambda --seeds 3 --output reports/siss --settings.samples 100

A second call makes only the runs that are not there yet.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jsonargparse.typing import PositiveInt

from unlearn_gym import configs
from unlearn_gym.cli import evaluate
from unlearn_gym.errors import UserError
from unlearn_gym.runtime import command_line
from unlearn_gym.runtime.engines import NAMES, EngineOptions
from unlearn_gym.runtime.words import merged

KEYS = ("output", "seeds", "first_seed", "log_trajectories")
"""Options that are those of ``evaluate``."""


@dataclass(frozen=True)
class Options(EngineOptions):
    """Which experiment, and what differs from its file.

    Args:
        name: of the experiment.
        list: print the names and leave.
        output: folder of the report.
        seeds: number of runs of each agent.
        first_seed: seeds count from here.
        jobs: processes; under ``ray`` tasks at once, by default as many as the cluster has room for.
        log_trajectories: name of the Minari data sets that all runs are logged in (extra: offline).
        settings: any other key of its file, such as ``--settings.samples 100``.
    """

    name: str = ""
    list: bool = False
    output: str | None = None
    seeds: PositiveInt | None = None
    first_seed: command_line.Seed | None = None  # type: ignore[valid-type]
    jobs: PositiveInt | None = None
    log_trajectories: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def main(words: Sequence[str], program: Sequence[str]) -> None:
    """Print the names of the experiments, or run one."""
    options = command_line.parse(
        Options, words, description=__doc__ or "", program=shlex.join(program), leading="name"
    )
    if options.list or not options.name:
        found = sorted(configs.experiments().items())
        width = max(len(name) for name, _ in found) + 2
        for name, file in found:
            print(f"{name:<{width}}{configs.title(file)}")
        return
    values = merged(configs.read_file(configs.experiment(options.name)), options.settings)
    if options.engine != "local":
        values.pop("jobs", None)  # the file's number is of one machine
    own = {key: getattr(options, key) for key in (*KEYS, *NAMES)}
    values |= {key: value for key, value in own.items() if value is not None}
    if "study" in values and not options.seeds is options.first_seed is None:
        raise UserError(
            f"{options.name!r} takes no seeds; change its settings with --settings.study_settings.KEY VALUE."
        )
    experiment = command_line.check(evaluate.Options, values, f"The experiment {options.name!r}")
    evaluate.start(experiment, evaluate.repeated(program, words))
