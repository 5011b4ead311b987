"""Where runs and trainings are done: in processes of this machine, or on a cluster. The numbers are the same."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearn_gym.errors import UserError
from unlearn_gym.runtime import workers
from unlearn_gym.runtime.checks import one_of

Prepare = Callable[[], Callable[..., Any]]
"""Called once in each process that does tasks; returns what is called with each task. It can be pickled."""


class Engine(ABC):
    """Does tasks elsewhere and brings their results back.

    Attributes:
        alone: whether there is nothing to gain from asking it: whoever has tasks may as well do them here.
        remote: whether tasks may be done on machines that do not see this one's files.
    """

    alone = False
    remote = False

    @abstractmethod
    def run(
        self,
        prepare: Prepare,
        tasks: Iterable[tuple[Any, ...]],
        most: int,
        *,
        files: Collection[Path] = (),
        cpus: int = 1,
    ) -> Generator[Any, None, None]:
        """Do tasks and yield the results as they come; close the generator to stop at once.

        ``tasks`` may be a generator that skips what has become pointless: it is asked late, and not before the last
        result was dealt with.

        Args:
            prepare: see ``Prepare``.
            tasks: arguments of what ``prepare`` returns.
            most: how many tasks there can be at once.
            files: what the tasks read by its path, files and folders; on other machines it is put there first.
            cpus: processes that a task computes in, one thread each.

        Raises:
            UserError: naming the process, or the machine, that was lost.
            Exception: what a task raised.
        """


@dataclass(frozen=True)
class Local(Engine):
    """Spawned processes on this machine.

    Args:
        jobs: how many.
    """

    jobs: int = 1

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise UserError(f"jobs={self.jobs} was given; give at least 1.")

    @property
    def alone(self) -> bool:  # type: ignore[override]
        """One process is no more than this one."""
        return self.jobs == 1

    def run(
        self,
        prepare: Prepare,
        tasks: Iterable[tuple[Any, ...]],
        most: int,
        *,
        files: Collection[Path] = (),
        cpus: int = 1,
    ) -> Generator[Any, None, None]:
        """See ``Engine.run``."""
        return workers.run(prepare, tasks, min(self.jobs, most))


def _local(jobs: int | None, address: str, gpus: float) -> Engine:
    if address or gpus:
        raise UserError("--address and --gpus belong to --engine ray; give that too, or leave them out.")
    return Local(1 if jobs is None else jobs)


def _ray(jobs: int | None, address: str, gpus: float) -> Engine:
    return importlib.import_module("unlearn_gym.runtime.on_ray").OnRay(jobs, address, gpus)


ENGINES: dict[str, Callable[[int | None, str, float], Engine]] = {"local": _local, "ray": _ray}
"""Name → function of jobs, address and share of a GPU; a library that one needs is imported when it is asked for."""


@dataclass(frozen=True)
class EngineOptions:
    """The options of every command that can use several machines.

    Args:
        engine: where runs and trainings are done: ``local``, in processes, or ``ray`` (extra: ray).
        address: ray: of a cluster, ``auto`` for the one that this machine belongs to; empty to use this machine alone.
        gpus: ray: GPUs of each task, such as 0.25; its settings say ``device: cuda`` themselves.
    """

    engine: str = "local"
    address: str = ""
    gpus: float = 0.0


ENGINE = tuple(EngineOptions.__dataclass_fields__)
NAMES = ("jobs", *ENGINE)
"""Options that change no number: reports leave them out of the command that repeats them."""


def make_engine(name: str, jobs: int | None = None, address: str = "", gpus: float = 0.0) -> Engine:
    """Return the engine of a command line.

    Args:
        name: one of ``ENGINES``.
        jobs: tasks at once; None for one on this machine, or for what a cluster has room for.
        address: see ``EngineOptions``.
        gpus: see ``EngineOptions``.

    Raises:
        UserError: for an unknown name, a library that is missing, or an option that the engine does not have.
    """
    one_of("engine", name, tuple(ENGINES))
    return ENGINES[name](jobs, address, gpus)


def as_engine(jobs: int | Engine) -> Engine:
    """Return an engine; a number stands for so many processes on this machine."""
    return jobs if isinstance(jobs, Engine) else Local(jobs)
