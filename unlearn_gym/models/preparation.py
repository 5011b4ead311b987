"""Train the models of a task in processes of their own, side by side."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from unlearn_gym.errors import UserError
from unlearn_gym.runtime.failures import logged
from unlearn_gym.storage.cache import cache_dir

ROLES = ("original", "retrained")
"""The model to be unlearned, and the reference that never saw the forget set."""
CPU = torch.device("cpu")


def train_missing(
    name: str,
    found: Callable[[str], Path | None],
    train: Callable[[str, torch.device, int], object],
    device: torch.device,
) -> list[Path]:
    """Train the models of a task that are not there yet, side by side; see ``train_in_processes``.

    Args:
        name: of the task.
        found: from a role to the folder of its model, or None.
        train: called with a role, the device and the line of its progress bar; can be pickled.
        device: where to train.

    Returns:
        The folders of the models, with the package or in the cache.
    """
    written = pickle.dumps(train)  # as bytes through the pipe: shared memory may be too small for the images
    missing = [role for role in ROLES if found(role) is None]
    train_in_processes(partial(_train, written, device), missing, name)
    return [folder for role in ROLES if (folder := found(role))]


def _train(written: bytes, device: torch.device, role: str, position: int) -> None:
    pickle.loads(written)(role, device, position)


def train_in_processes(train: Callable[[str, int], None], roles: Sequence[str], name: str) -> None:
    """Call ``train(role, line of the progress bar)`` for each role, in spawned processes, and wait for them.

    The processes end when this one does, however it ends; a training that was cut off is finished by the next
    call, because each keeps its own state in a file.

    Args:
        train: can be pickled; puts the model of a role into the cache.
        roles: whose models are to be trained.
        name: what an error message calls the task.

    Raises:
        UserError: when a training fails, with its own sentence, or with the path of the file that has its traceback.
    """
    context = multiprocessing.get_context("spawn")
    lock = context.RLock()
    said = context.SimpleQueue()
    workers = [
        context.Process(target=_work, args=(train, name, role, n, lock, said)) for n, role in enumerate(roles)
    ]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            if worker.is_alive():
                worker.terminate()
    if workers:
        print("\n" * (len(workers) - 1), file=sys.stderr)  # step below the bars
    failed = [role for role, worker in zip(roles, workers, strict=True) if worker.exitcode != 0]
    if failed:
        reason = (
            "its process was killed (out of memory?); run again to go on." if said.empty() else said.get()
        )
        raise UserError(f"Training the {' and the '.join(failed)} model of {name!r} failed: {reason}")


def _work(
    train: Callable[[str, int], None], name: str, role: str, position: int, lock: Any, said: Any
) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    tqdm.set_lock(lock)
    try:
        train(role, position)
    except (UserError, OSError) as error:  # OSError: a full disk, where nobody has put it into words
        said.put(str(error))
        sys.exit(2)
    except Exception as error:
        log = cache_dir() / "training" / f"{name}-{role}.log"
        said.put(str(logged(error, f"The {role} one", log)))
        sys.exit(1)
    except KeyboardInterrupt:  # the parent has heard it too, and says what there is to say
        sys.exit(130)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
