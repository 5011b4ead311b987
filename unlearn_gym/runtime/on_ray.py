"""Tasks on a Ray cluster, or on this machine by Ray: what they read goes ahead of them, what they find comes back.

A task holds one CPU, or more, and a share of a GPU. One whose machine or process dies is done again elsewhere; one that
raises is not: its exception is an answer like any other, raised here. No file system is shared.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import platform
import signal
import sys
import uuid
from collections.abc import Callable, Collection, Generator, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from unlearn_gym.errors import UserError
from unlearn_gym.runtime.engines import Engine, Prepare
from unlearn_gym.runtime.memory import keep_freed_memory
from unlearn_gym.runtime.workers import Failure
from unlearn_gym.storage import bundles
from unlearn_gym.storage.cache import MODELS, cache_dir, models_in_use
from unlearn_gym.storage.files import user_path

RETRIES = 3
"""How often a task is done again because its machine or process died."""
AHEAD = 2
"""Tasks that a cluster knows of for each one that it has room for: it need not wait for this process."""


class OnRay(Engine):
    """Ray tasks.

    Args:
        jobs: tasks at once; None for what there is room for.
        address: of a cluster; empty to start Ray on this machine.
        gpus: GPUs of a task.

    Raises:
        UserError: when Ray is not installed, or a number is none that it takes.
    """

    remote = True

    def __init__(self, jobs: int | None = None, address: str = "", gpus: float = 0.0) -> None:
        if find_spec("ray") is None:
            raise UserError("--engine ray needs Ray; install it with pip install 'unlearn-gym[ray]'.")
        if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
            raise UserError(f"gpus={gpus} was given; give a share below 1, or a whole number.")
        self._jobs, self._address, self._gpus = jobs, address, gpus
        self._sent: dict[str, Any] = {}  # key of a content → where Ray has it

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
        ray = self._connected()
        cpus, room = self._room(ray, cpus)
        remote = ray.remote(_do).options(
            num_cpus=cpus, num_gpus=self._gpus, max_retries=RETRIES, retry_exceptions=False
        )
        key = uuid.uuid4().hex
        job = ray.put(
            Job(
                key,
                installed(),
                os.getcwd(),
                tuple(self._sending(ray, path) for path in files),
                tuple(self._model(ray, folder) for folder in sorted(models_in_use) if folder.is_dir()),
                ray.cloudpickle.dumps(prepare),
            )
        )
        pending, done = iter(tasks), SimpleQueue[Any]()
        flying: set[Any] = set()

        def launch() -> None:
            task = next(pending, None)
            if task is None:
                return
            reference = remote.remote([job], key, task)
            flying.add(reference)
            # This thread waits in Python and not in Ray, where a signal would lose its name.
            reference.future().add_done_callback(lambda future: done.put((reference, future)))

        try:
            for _ in range(min(self._jobs or AHEAD * room, most)):
                launch()
            while flying:
                reference, future = done.get()
                flying.discard(reference)
                yield _answer(ray, future)
                launch()
        finally:
            for reference in flying:
                ray.cancel(reference, force=True)

    def _connected(self) -> Any:
        """Return Ray, connected; the dashboard's link is printed where there is one."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        if ray.is_initialized():
            return ray
        before = signal.getsignal(signal.SIGTERM)
        try:
            context = ray.init(
                self._address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
            )
        except Exception as error:  # Ray's and gRPC's, in many ways
            where = (
                f"the cluster at {self._address!r} cannot be reached" if self._address else "Ray cannot start"
            )
            said = " ".join(str(error).split())
            raise UserError(f"{where[0].upper()}{where[1:]} ({said:.200}); see docs/cluster.md.") from error
        finally:
            if signal.getsignal(signal.SIGTERM) is not before:
                signal.signal(signal.SIGTERM, before)
        if context.dashboard_url:
            print(f"Ray's dashboard: http://{context.dashboard_url}", file=sys.stderr)
        return ray

    def _room(self, ray: Any, cpus: int) -> tuple[int, int]:
        """Return the CPUs that a task asks for, no more than a machine has, and how many tasks have room now."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if self._gpus and not self._address and not any(node.get("GPU") for node in nodes):
            raise UserError(f"gpus={self._gpus} was given, and Ray finds no GPU here; leave it out.")
        cpus = min(cpus, int(max(node.get("CPU", 0) for node in nodes))) or cpus
        rooms = [node.get("CPU", 0) // cpus for node in nodes]
        if self._gpus:
            limits = (node.get("GPU", 0) // self._gpus for node in nodes)
            rooms = [min(pair) for pair in zip(rooms, limits, strict=True)]
        return cpus, max(1, int(sum(rooms)))

    def _sending(self, ray: Any, path: Path) -> Sent:
        """Put what a path names into Ray's store, unless it is there."""
        contents = bundles.pack(user_path(path))
        key = bundles.key_of(contents)
        if key not in self._sent:
            self._sent[key] = ray.put(contents)
        inside = not path.is_absolute() and ".." not in path.parts
        return Sent(str(path if inside else user_path(path).absolute()), path.is_file(), key, self._sent[key])

    def _model(self, ray: Any, folder: Path) -> tuple[str, Any]:
        """Put a model of the cache into Ray's store, unless it is there; its name says what it is."""
        if folder.name not in self._sent:
            self._sent[folder.name] = ray.put(bundles.pack(folder))
        return folder.name, self._sent[folder.name]


@dataclass(frozen=True)
class Sent:
    """A file or folder in Ray's store.

    Attributes:
        path: how tasks call it; one that is not absolute is in the folder where they work.
        single: whether it is a file.
        key: of its contents.
        contents: Ray's reference to them.
    """

    path: str
    single: bool
    key: str
    contents: Any


@dataclass(frozen=True)
class Job:
    """What a worker needs once, before the first of many tasks.

    Attributes:
        key: unlike that of any other.
        installed: what the sender runs; see ``installed``.
        folder: where it works.
        files: what tasks read by its path.
        models: name of an entry of the cache, reference to its files.
        prepare: pickled.
    """

    key: str
    installed: str
    folder: str
    files: tuple[Sent, ...]
    models: tuple[tuple[str, Any], ...]
    prepare: bytes


_ready: tuple[str, Callable[..., Any]] = ("", print)
"""Key of the job that this worker is prepared for, and what it does with a task."""


def _do(job: list[Any], key: str, task: tuple[Any, ...]) -> Any:
    """Do a task in a worker; whatever it raises is its answer, so that Ray does not try again."""
    global _ready
    try:
        if _ready[0] != key:
            _ready = key, _prepared(job[0])
        return _ready[1](*task)
    except BaseException as error:
        return Failure.of(error)


def _prepared(reference: Any) -> Callable[..., Any]:
    """Make this worker ready for a job: the same code, the same files, the same models.

    Raises:
        UserError: when this machine has other code, or no room for the files.
    """
    import ray

    job: Job = ray.get(reference)
    if job.installed != installed():
        raise UserError(
            f"{platform.node()} has another version of unlearn-gym, Python or torch than the machine that started "
            "this; install the same on every machine of the cluster."
        )
    for name, contents in job.models:
        place = cache_dir() / MODELS / name
        if not place.exists():
            bundles.unpack_once(ray.get(contents), place)
    known = "-".join(sorted(sent.key[:8] for sent in job.files))[:64]
    own = (
        cache_dir()
        / bundles.HANDED
        / f"work-{hashlib.sha256(f'{job.folder} {known}'.encode()).hexdigest()[:16]}"
    )
    folder = Path(job.folder) if Path(job.folder).is_dir() else own
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    for sent in job.files:
        place = Path(sent.path)
        if not place.exists() or bundles.key_of(bundles.pack(place)) != sent.key:
            bundles.show(ray.get(sent.contents), sent.key, place, single=sent.single)
    keep_freed_memory()
    return ray.cloudpickle.loads(job.prepare)()


def _answer(ray: Any, future: Any) -> Any:
    """Return a task's answer.

    Raises:
        UserError: when its machine died too often, or could not do it at all.
        BaseException: what the task raised.
    """
    try:
        answer = future.result()
        if isinstance(answer, Failure):
            answer.reraise()
    except ray.exceptions.RayError as error:
        said = " ".join(str(error).split())
        raise UserError(
            f"Ray could not do a task, tried {RETRIES + 1} times where its machine died ({type(error).__name__}: "
            f"{said:.200}); what was finished is kept: run again to go on."
        ) from error
    return answer


@functools.cache
def installed() -> str:
    """Return a digest of what numbers depend on: the package's source, and the versions of Python and torch."""
    found = hashlib.sha256(f"{platform.python_version()} {version('torch')}".encode())
    top = Path(__file__).parents[1]
    files = {
        Path(folder, name).relative_to(top).as_posix(): Path(folder, name)
        for folder, _, names in os.walk(top, followlinks=True)
        for name in names
        if name.endswith(".py")
    }
    for name, file in sorted(files.items()):
        found.update(f"{name}\0".encode() + file.read_bytes())
    return found.hexdigest()
