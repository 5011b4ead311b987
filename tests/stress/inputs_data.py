"""Wrong images and labels: arrays in memory and files in folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from PIL import Image

from tests.envs.small import small_kwargs
from tests.stress.cases import Place, fail_unless
from tests.stress.mutations import BINARY, INF, NAN, Odd, Wrong, choose
from tests.stress.trials import Call, Trial, drive

RNG = np.random.default_rng(0)
GOOD = RNG.uniform(-1, 1, (20, 1, 8, 8)).astype(np.float32)
LABELS = RNG.integers(0, 3, 20)


def _with(value: float) -> np.ndarray:
    spoilt = GOOD.copy()
    spoilt[3, 0, 2, 1] = value
    return spoilt


IMAGES: dict[str, Wrong] = {
    "NaN": Wrong(_with(NAN)),
    "infinite": Wrong(_with(INF)),
    "huge": Wrong(_with(1e30)),
    "0 to 255 as floats": Wrong(np.abs(GOOD) * 255),
    "no image": Wrong(GOOD[:0]),
    "no pixels": Wrong(GOOD[:, :, :0]),
    "two channels": Wrong(np.repeat(GOOD, 2, 1)),
    "one dimension": Wrong(GOOD.ravel()),
    "five dimensions": Wrong(GOOD[None]),
    "a number": Wrong(np.float32(0.5)),
    "complex": Wrong(GOOD.astype(np.complex64)),
    "truth values": Wrong(GOOD > 0),
    "texts": Wrong(GOOD.astype(str)),
    "objects": Wrong(np.array([None, 1, "x"], dtype=object)),
    "int64": Wrong((GOOD * 127).astype(np.int64) - 500),
    "None in a list": Wrong([None]),
    "an empty list": Wrong([]),
    "a number in a list": Wrong([1, 2, 3]),
    "a dictionary": Wrong({"images": GOOD}),
    "a generator": Wrong(iter([GOOD])),
    "float64": Odd(GOOD.astype(np.float64)),
    "float16": Odd(GOOD.astype(np.float16)),
    "uint8": Odd(((GOOD + 1) * 127).astype(np.uint8)),
    "other size": Odd(np.repeat(np.repeat(GOOD, 2, 2), 3, 3)),
    "without channels": Odd(GOOD[:, 0]),
    "a gradient": Odd(torch.tensor(GOOD, requires_grad=True)),
    "not contiguous": Odd(GOOD[::2, :, ::-1]),
}
INPUTS = np.random.default_rng(1).standard_normal((20, 5)).astype(np.float32)
PAIRS: dict[str, Wrong] = {
    "labels out of range": Wrong((INPUTS, LABELS + 2)),
    "negative labels": Wrong((INPUTS, LABELS - 1)),
    "float labels": Wrong((INPUTS, LABELS + 0.5)),
    "NaN labels": Wrong((INPUTS, np.full(20, NAN))),
    "too few labels": Wrong((INPUTS, LABELS[:7])),
    "labels in two columns": Wrong((INPUTS, np.stack([LABELS, LABELS], 1))),
    "text labels": Odd((INPUTS, LABELS.astype(str))),  # names that are whole numbers are those numbers
    "NaN inputs": Wrong((np.where(INPUTS > 1, NAN, INPUTS), LABELS)),
    "infinite inputs": Wrong((np.where(INPUTS > 1, INF, INPUTS), LABELS)),
    "other width": Wrong((INPUTS[:, :4], LABELS)),
    "no examples": Wrong((INPUTS[:0], LABELS[:0])),
    "a pair of nothing": Wrong((None, None)),
    "three parts": Wrong((INPUTS, LABELS, LABELS)),
    "inputs alone": Wrong(INPUTS),
    "a text": Wrong("inputs"),
    "a number": Wrong(7),
    "complex inputs": Wrong((INPUTS.astype(np.complex64), LABELS)),
    "objects": Wrong((np.array([object()] * 20), LABELS)),
    "beyond float32": Wrong((INPUTS.astype(np.float64) * 1e300, LABELS)),
    "float64 inputs": Odd((INPUTS.astype(np.float64), LABELS)),
    "whole inputs": Odd(((INPUTS * 3).astype(np.int64), LABELS)),
    "labels as int8": Odd((INPUTS, LABELS.astype(np.int8))),
    "one example": Odd((INPUTS[:1], LABELS[:1])),
}


def array(rng: np.random.Generator) -> Trial:
    """Draw an array in the place of the retain or the forget set."""
    side = ("retain_data", "forget_data")[int(rng.integers(2))]
    env, pool = (("SISS-v0", IMAGES), ("EMSE-v0", PAIRS))[int(rng.integers(2))]
    name = list(pool)[int(rng.integers(len(pool)))]

    def prepare(place: Place) -> Call:
        kwargs = {**small_kwargs(f"unlearn_gym/{env}", place.folder), side: pool[name].value}
        return Call(lambda: drive(gym.make(f"unlearn_gym/{env}", **kwargs)))

    return Trial(f"{env}, {side}: {name}", prepare, pool[name].refused)


def folder(rng: np.random.Generator) -> Trial:
    """Draw damage to a folder of images or to an array file."""
    change = choose(FOLDERS, rng)

    def prepare(place: Place) -> Call:
        data = place.folder / "data"
        data.mkdir()
        for number, image in enumerate(GOOD[:4]):
            pixels = ((image[0] + 1) * 127).astype(np.uint8)
            Image.fromarray(pixels).save(data / f"{number}.png")
        source = change.value(data, place.rng)
        kwargs = {**small_kwargs("unlearn_gym/SISS-v0", place.folder), "retain_data": source}

        def body() -> None:
            env: Any = gym.make("unlearn_gym/SISS-v0", **kwargs)
            drive(env)
            if change.value is sixteen:
                check_sixteen(env.unwrapped.process.data.retain.inputs)

        return Call(body)

    return Trial(f"SISS-v0, folder of images: {change.value.__doc__}", prepare, change.refused)


def _damaged(name: str) -> Callable[[Path, np.random.Generator], Any]:
    def damage(data: Path, rng: np.random.Generator) -> Path:
        BINARY[name](data / "2.png", rng)
        return data

    damage.__doc__ = f"a PNG with {name}"
    return damage


def _array_file(name: str, suffix: str) -> Callable[[Path, np.random.Generator], Any]:
    def damage(data: Path, rng: np.random.Generator) -> Path:
        file = data / f"images{suffix}"
        (np.save if suffix == ".npy" else np.savez)(file, GOOD)
        BINARY[name](file, rng)
        return file

    damage.__doc__ = f"a {suffix} file with {name}"
    return damage


def nothing(data: Path, rng: np.random.Generator) -> Path:
    """no image"""
    for file in data.iterdir():
        file.unlink()
    return data


def beside(data: Path, rng: np.random.Generator) -> Path:
    """an image beside a class folder"""
    (data / "cats").mkdir()
    (data / "0.png").rename(data / "cats" / "0.png")
    return data


def text(data: Path, rng: np.random.Generator) -> Path:
    """a text that is called PNG"""
    (data / "9.png").write_text("not an image")
    return data


def pickled(data: Path, rng: np.random.Generator) -> Path:
    """pickled objects in a .npy file"""
    np.save(data / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return data / "x.npy"


def several(data: Path, rng: np.random.Generator) -> list[Any]:
    """a folder and a missing one, in a list"""
    return [data, data / "none"]


def sixteen(data: Path, rng: np.random.Generator) -> Path:
    """a 16-bit PNG, which is refused or read in its own range"""
    for file in data.iterdir():
        file.unlink()
    Image.fromarray(np.full((8, 8), 30000, np.uint16)).save(data / "deep.png")
    return data


FOLDERS = (
    *(Wrong(_damaged(name)) for name in BINARY if name in ("empty file", "noise")),
    *(Odd(_damaged(name)) for name in ("bit flip", "truncation")),  # it may be read, or seen over
    *(Wrong(_array_file(name, ".npy")) for name in BINARY if name != "bit flip"),
    *(Wrong(_array_file(name, ".npz")) for name in BINARY if name != "bit flip"),
    *map(Wrong, (nothing, beside, text, pickled, several)),
    *map(Odd, (_array_file("bit flip", ".npy"), _array_file("bit flip", ".npz"), sixteen)),
)


def check_sixteen(found: torch.Tensor) -> None:
    """Say whether deep pixels were read in their own range: 30000 of 65535 is a little below the middle."""
    fail_unless(abs(float(found.mean()) - (2 * 30000 / 65535 - 1)) < 0.02, "16-bit pixels read wrongly")
