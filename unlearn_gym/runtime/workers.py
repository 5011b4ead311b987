"""Worker processes that end with the process that started them, and that are named when they die."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn

from unlearn_gym.errors import UserError
from unlearn_gym.runtime.memory import keep_freed_memory, settled_objects

PATIENCE = 5.0
"""Seconds that a worker has to end by itself."""


class WorkerTraceback(Exception):
    """Where an exception came from in the worker; the cause of the one raised here."""


@dataclass
class Failure:
    """What a worker sends in the place of an answer: an exception, and its traceback as text."""

    error: BaseException
    text: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Describe ``error``; one that cannot be sent becomes a ``RuntimeError`` that says the same."""
        text = "".join(traceback.format_exception(error))
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            error = RuntimeError(f"{type(error).__name__}: {error}")
        return cls(error, text)

    def reraise(self) -> NoReturn:
        """Raise the exception here; its cause shows where it came from, unless it is a sentence for the user."""
        raise self.error from None if isinstance(self.error, UserError) else WorkerTraceback(self.text)


@dataclass
class Worker:
    """A started process and the line to it.

    Attributes:
        name: what an error calls it.
        process: the process.
        connection: this end of the line.
    """

    name: str
    process: Any
    connection: Connection

    def send(self, message: Any) -> None:
        """Send a message.

        Raises:
            UserError: if the worker is dead.
        """
        try:
            self.connection.send(message)
        except OSError as error:
            raise UserError(self._obituary()) from error

    def recv(self) -> Any:
        """Wait for an answer.

        Raises:
            UserError: if the worker died.
            BaseException: what the worker raised.
        """
        try:
            answer = self.connection.recv()
        except (EOFError, OSError) as error:
            raise UserError(self._obituary()) from error
        if isinstance(answer, Failure):
            answer.reraise()
        return answer

    def close(self) -> None:
        """Close the line, which ends a worker that is waiting."""
        self.connection.close()

    def _obituary(self) -> str:
        self.process.join(PATIENCE)
        code = self.process.exitcode
        how = f"ended with status {code}" if code is None or code >= 0 else f"was killed by signal {-code}"
        guess = " (out of memory?)" if code == -getattr(signal, "SIGKILL", 9) else ""
        return f"{self.name} (pid {self.process.pid}) {how}{guess}; what was finished is kept: run again to go on."


def start(number: int, target: Callable[..., None], *arguments: Any, daemon: bool = False) -> Worker:
    """Spawn a process that runs ``target(connection, *arguments)``; SIGINT does not reach it.

    Args:
        number: of the worker, from 1.
        target: module-level; it calls ``settle`` first.
        arguments: can be pickled.
        daemon: whether it ends at this process's exit; such a worker has no workers of its own.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=target, args=(there, *arguments), daemon=daemon)
    with _sigint_blocked():
        process.start()
    there.close()  # so that this end notices when the worker's is gone
    return Worker(f"worker {number}", process, here)


def settle() -> None:
    """Make this process a worker: it leaves ^C to its parent, ends when the parent does, and keeps its memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    keep_freed_memory()


@functools.cache
def end_with_parent() -> None:
    """End this process at once when the one that started it ends, even by SIGKILL."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="watch of the parent", daemon=True).start()


def end(workers: Sequence[Worker], *, at_once: bool) -> None:
    """End the workers: by closing their lines, or ``at_once`` by a signal; the deaf ones are killed."""
    for worker in workers:
        with contextlib.suppress(OSError):
            worker.close()
        if at_once:
            worker.process.terminate()
    for worker in workers:
        worker.process.join(PATIENCE)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def run(
    prepare: Callable[[], Callable[..., Any]], tasks: Iterable[tuple[Any, ...]], jobs: int
) -> Generator[Any, None, None]:
    """Do tasks in spawned processes and yield the results as they come.

    The next task is only taken when a worker is free and the last result was dealt with, so that ``tasks`` may be
    a generator that skips what has become pointless. Close the generator to end the workers at once.

    Args:
        prepare: called once in each worker; returns what is called with each task.
        tasks: arguments of those calls.
        jobs: number of workers.

    Raises:
        UserError: naming the worker that died.
        Exception: what a task raised.
    """
    pending = iter(tasks)
    crew: list[Worker] = []
    busy: dict[Connection, Worker] = {}

    def give(worker: Worker) -> None:
        task = next(pending, None)
        if task is not None:
            worker.send(task)
            busy[worker.connection] = worker

    try:
        for number in range(1, jobs + 1):
            crew.append(start(number, _work, prepare))
            give(crew[-1])
        while busy:
            for connection in wait(list(busy)):
                worker = busy.pop(connection)  # type: ignore[call-overload]
                yield worker.recv()
                give(worker)
    except BaseException:
        end(crew, at_once=True)
        raise
    end(crew, at_once=False)


def _work(connection: Connection, prepare: Callable[[], Callable[..., Any]]) -> None:
    settle()
    try:
        function = prepare()
        with settled_objects():
            while True:
                connection.send(function(*connection.recv()))
    except (EOFError, BrokenPipeError):  # the line was closed: nothing is left to do
        return
    except BaseException as error:
        with contextlib.suppress(OSError):
            connection.send(Failure.of(error))


@contextlib.contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Hold SIGINT back; a process that is started meanwhile inherits that, before it can ignore ^C itself."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # starting it, which the process would do, lets SIGINT through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
