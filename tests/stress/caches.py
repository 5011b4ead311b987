"""Cache races: several processes want one entry at once, some are killed, and what is there at last is whole."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from tests.stress.cases import Case, Place, fail_unless, generator, scaled, shown
from tests.stress.children import Child, start
from tests.stress.disk import Wire, die, forbidden, full, snapshot
from tests.stress.mutations import BINARY
from tests.stress.runs import wired
from unlearn_gym.data.readers import decoded
from unlearn_gym.data.readers.pixels import PixelFormat
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError
from unlearn_gym.models import store
from unlearn_gym.models.diffusion import training as diffusion_training
from unlearn_gym.models.diffusion.tasks import Task
from unlearn_gym.models.diffusion.training import DiffusionRecipe
from unlearn_gym.storage.cache import CACHE_VARIABLE

COUNT = 30
SPEC = {"a": 1}
FORM = PixelFormat(1, 4, 4)
PIXELS = torch.arange(20 * 16, dtype=torch.int64).reshape(20, 1, 4, 4).remainder(251).to(torch.uint8)


def _make(folder: Path) -> None:
    """Write an entry slowly, in two files."""
    (folder / "sub").mkdir()
    for name in ("one.bin", "sub/two.bin"):
        time.sleep(0.02)
        (folder / name).write_bytes(name.encode() * 5000)


def ask_store() -> None:
    """Ask for an entry of the store."""
    store.ensure("stress", SPEC, _make)


def ask_pixels() -> None:
    """Ask for decoded images, and check what is returned."""
    decoded.WORTH = 2
    file = Path(os.environ[CACHE_VARIABLE]).parent / "images"
    found = decoded.kept_pixels(file, torch.arange(20), FORM, lambda: (PIXELS.clone(), False))
    assert torch.equal(found, PIXELS), "other pixels came back"


def ask_model() -> None:
    """Ask for a model of a few training steps, of which every second is saved."""
    diffusion_training.SAVE_EVERY = 2
    tiny_task().original()


def tiny_task() -> Task:
    """Return a task whose model takes a second."""
    images = torch.randn(20, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    part, nothing = LabelledSet(images, torch.arange(20) % 3), LabelledSet(images[:0], torch.arange(0))
    data = UnlearningData("stress", part, replace(part, inputs=-images), nothing, nothing, 3)
    return Task("stress", data, DiffusionRecipe(widths=(8, 8), norm_groups=4, steps=12, batch_size=4))


ASKED: dict[str, Callable[[], None]] = {"store": ask_store, "pixels": ask_pixels, "model": ask_model}
CLOCKED = ("provenance.json", "manifest.json")
"""Files of an entry that may say when and where it was made."""


def cases(seed: int, scale: float) -> list[Case]:
    """Return races, damaged entries and caches that cannot be written."""
    found: list[Case] = []
    for number in range(scaled(COUNT, scale)):
        rng = generator(seed, "choice of caches", number)
        what = ("store", "pixels", "model")[number % 3]
        kind = ("race", "race", "damage", "disk")[int(rng.integers(4))]
        damage = list(BINARY)[int(rng.integers(len(BINARY)))]
        check, title = {
            "race": (race, f"race for {what}"),
            "damage": (partial(damaged, damage), f"{what} with {damage}"),
            "disk": (disk, f"{what} in a cache that cannot be written"),
        }[kind]
        found.append(Case("caches", number, kind, title, partial(check, what)))
    return found


def race(what: str, place: Place) -> str:
    """Let processes ask at once, kill some at a file operation, ask once more, and compare."""
    expected, operations = _expected(what, place)
    cache = _empty_cache(place, "cache")
    children: list[Child] = []
    for _ in range(int(place.rng.integers(2, 6))):
        at = int(place.rng.integers(1, operations + 1)) if place.rng.random() < 0.5 else 0
        children.append(_ask(what, cache, Wire(cache, at, die)))
        time.sleep(float(place.rng.uniform(0, 0.1)))
    ends = [child.finish() for child in children]
    for ended in ends:
        fail_unless(ended.status in (0, -9), f"a racer failed ({ended.status}): {shown(ended.errors)}")
    _whole(what, cache, expected)
    return f"raced: {sum(ended.status != 0 for ended in ends)} of {len(ends)} killed"


def damaged(damage: str, what: str, place: Place) -> str:
    """Damage one file of an entry: it is noticed, and what comes back is right."""
    expected, _ = _expected(what, place)
    cache = _empty_cache(place, "cache")
    fail_unless(_ask(what, cache).finish().status == 0, "the entry could not be made")
    files = [path for path in sorted(cache.rglob("*")) if path.is_file() and path.suffix != ".lock"]
    BINARY[damage](files[int(place.rng.integers(len(files)))], place.rng)
    _whole(what, cache, expected)
    return "noticed"


def disk(what: str, place: Place) -> str:
    """Let the disk be full or forbidden from some operation on: one sentence, or done without a cache."""
    expected, operations = _expected(what, place)
    cache = _empty_cache(place, "cache")
    at = int(place.rng.integers(1, operations + 1))
    child = _ask(what, cache, Wire(cache, at, (full, forbidden)[int(place.rng.integers(2))]))
    ended = child.finish()
    refused = "refused: " in ended.errors and "Traceback" not in ended.errors
    fail_unless(ended.status == 0 or refused, f"no sentence ({ended.status}): {shown(ended.errors)}")
    _whole(what, cache, expected)
    return "refused" if refused else "done without"


def _empty_cache(place: Place, name: str) -> Path:
    (place.folder / "images").write_bytes(b"content")
    return place.folder / name


def _ask(what: str, cache: Path, wire: Wire | None = None) -> Child:
    def body() -> None:
        os.environ[CACHE_VARIABLE] = str(cache)
        try:
            ASKED[what]()
        except (UserError, OSError) as error:  # command lines print both in one line
            raise SystemExit(f"refused: {error}") from None

    return start(wired(wire, body) if wire else body, cache.parent)


def _expected(what: str, place: Place) -> tuple[dict[str, str], int]:
    """Return the entries of an undisturbed cache, and how many file operations they took."""
    kept = place.shared / f"cache-{what}.json"
    if not kept.is_file():
        cache = _empty_cache(place, "undisturbed")
        wire = Wire(cache)
        ended = _ask(what, cache, wire).finish()
        fail_unless(ended.status == 0, f"the undisturbed entry cannot be made: {shown(ended.errors)}")
        unfinished = kept.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps([_entries(cache), wire.count]))
        unfinished.replace(kept)
    entries, operations = json.loads(kept.read_text())
    return entries, operations


def _entries(cache: Path) -> dict[str, str]:
    """Return name and content of everything in a cache that counts."""
    return {
        name: digest
        for name, digest in snapshot(cache).items()
        if digest != "folder" and not name.endswith((".lock", *CLOCKED)) and ".damaged-" not in name
    }


def _whole(what: str, cache: Path, expected: dict[str, str]) -> None:
    """Ask once more: the entry is whole, equal, and nothing temporary lies beside it."""
    ended = _ask(what, cache).finish()
    fail_unless(ended.status == 0, f"asked once more, it fails ({ended.status}): {shown(ended.errors)}")
    found = _entries(cache)
    odd = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    fail_unless(not odd, f"not the entry of an undisturbed cache: {', '.join(odd[:5])}")
