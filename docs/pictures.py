"""Draw an episode of each family of environments, as a picture and an animation: python docs/pictures.py [family …]."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
from PIL import Image

import unlearn_gym  # noqa: F401  registers the ids

FOLDER = Path(__file__).parent / "environments" / "pictures"
FRAMES = 8
"""Pictures of an animation, the first of them before any update."""
PAUSE, HOLD = 400, 2000
"""Milliseconds that a frame, and the last one, is shown."""
STILL, MOVING = (720, 48), (400, 12)
"""Width in pixels, and colours, of a picture and of an animation."""
LARGEST = 100_000
"""Bytes of a file."""


@dataclass(frozen=True)
class Episode:
    """What is shown of a family: the id, a constant λ, and the keywords of ``make``."""

    name: str
    lam: float
    kwargs: dict[str, Any]


EPISODES = {
    "quadratic": Episode("Quadratic-v0", 0.7, {"horizon": 21}),
    "diffusion": Episode("Posterior-Digits-v0", 0.5, {"horizon": 56}),
    "diffusion_requests": Episode("Weighted-Requests-v0", 0.3, {"horizon": 35}),
    "vae": Episode("Redirect-VAE-Digits-v0", 0.5, {"horizon": 56}),
    "sfd": Episode("SFD-Digits-v0", 1.0, {"horizon": 112, "override": "fixed"}),
    "supervised": Episode("EMSE-Digits-v0", 0.1, {"horizon": 56}),
    "supervised_requests": Episode("EMSE-Requests-v0", 0.3, {"horizon": 21}),
    "polynomial": Episode("EMSE-Polynomial-v0", 0.5, {"horizon": 98}),
}


def frames(episode: Episode) -> Iterator[Image.Image]:
    """Yield ``FRAMES`` pictures of an episode, evenly apart."""
    env = gym.make(f"unlearn_gym/{episode.name}", render_mode="rgb_array", **episode.kwargs)
    env.reset(seed=0)
    yield Image.fromarray(env.render())
    horizon = episode.kwargs["horizon"]
    for step in range(1, horizon + 1):
        env.step([episode.lam])
        if step % (horizon // (FRAMES - 1)) == 0:
            yield Image.fromarray(env.render())
    env.close()


def _small(image: Image.Image, width: int, colours: int) -> Image.Image:
    small = image.resize((width, round(width * image.height / image.width)), Image.Resampling.BOX)
    return small.quantize(colours, dither=Image.Dither.NONE)


def save(name: str, pictures: list[Image.Image]) -> None:
    """Write the last picture, and all of them as an animation."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    still, animation = FOLDER / f"{name}.png", FOLDER / f"{name}.gif"
    _small(pictures[-1], *STILL).save(still, optimize=True)
    first, *others = (_small(picture, *MOVING) for picture in pictures)
    times = [PAUSE] * len(others) + [HOLD]
    first.save(animation, save_all=True, append_images=others, duration=times, loop=0, optimize=True)
    for file in (still, animation):
        size = file.stat().st_size
        print(f"{file.name}: {size / 1000:.0f} kB")
        assert size < LARGEST, f"{file} has more than {LARGEST} bytes; take fewer frames or colours"


if __name__ == "__main__":
    for family in sys.argv[1:] or EPISODES:
        save(family, list(frames(EPISODES[family])))
