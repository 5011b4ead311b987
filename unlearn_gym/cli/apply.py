"""Carry out a deletion request: unlearn images from your own model, and write the new model with a report.

unlearn-gym apply --model my_checkpoint --retain keep --forget forget --output out
unlearn-gym apply --model my_checkpoint --retain keep --forget forget --output out --steps 400 --learning-rate 5e-5
unlearn-gym apply --model classifier.safetensors --factory model.py:build --retain keep --forget forget --output out

The model is a diffusers folder (a DDPM, unconditional or class-conditional), or a classifier's weights in safetensors
with a function that returns its module; images are folders, with a folder a class where the model has classes. The
output gets the new model in the same format, log.csv, results.json, report.md and report.html, all at once at the end.
Nothing of the input is written to. The same command again goes on where it was stopped.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from unlearn_gym.applying import Applied, Settings, Sources, run
from unlearn_gym.errors import UserError
from unlearn_gym.runtime import command_line
from unlearn_gym.storage.files import user_path


@dataclass
class Places:
    """Where everything is; what each means stands in ``Options``."""

    model: str = ""
    retain: str = ""
    forget: str = ""
    output: str = ""
    factory: str | None = None
    scheduler: str | None = None
    class_names: list[str] = field(default_factory=list)
    non_members: str | None = None
    image_shape: list[int] = field(default_factory=list)


@dataclass
class Options(Settings, Places):
    """What to unlearn, from what, and how.

    Args:
        model: a diffusers folder, or a classifier's .safetensors file.
        retain: folder of images to keep; five in a hundred are held out to measure the damage on.
        forget: folder of images to forget, none of which may be among those to keep.
        output: the folder that is made.
        factory: classifier: ``path/to/file.py:function`` that returns the module, which is given pixels from -1 to 1.
        scheduler: a scheduler_config.json, for a UNet folder without one.
        class_names: which class folder has which number: a JSON file, or all names in order, as ``cat dog bird``.
        non_members: folder of images like those to forget that the model never saw; membership is tested against them.
        image_shape: classifier: channels, height and width; by default those of the first image to keep.
        steps: updates.
        learning_rate: a number, or ``auto``: a short test on a copy.
        objective: ``auto`` is that of a trained policy, else posterior for a diffusion model, demote for a classifier.
        policy: what chooses λ: a name (``static:0.3``), a run folder, ``shipped:NAME``, a zip of Stable-Baselines3,
            ``file.py:Class``; ``auto`` is static:0.5. A trained one acts in an environment as that of its training.
        device: where to compute.
        seed: of every draw.
        convert: crop and resize images of another size, and turn colour to grey or grey to colour.
        samples: images drawn before and after, of a diffusion model.
        sampling_steps: DDIM steps of each.
        env_kwargs: further keywords of SISS-v0 or EMSE-v0, such as batch_size.
    """


def main(words: Sequence[str], program: Sequence[str]) -> None:
    """Read the command line, unlearn, and say where everything is."""
    options = command_line.parse(Options, words, description=__doc__ or "", program=shlex.join(program))
    for name in ("model", "retain", "forget", "output"):
        if not getattr(options, name):
            raise UserError(f"--{name} is missing; give --model, --retain, --forget and --output.")
    names = options.class_names
    values = {**vars(options), "class_names": names if len(names) > 1 else "".join(names) or None}
    sources = Sources(**{each.name: values[each.name] for each in dataclasses.fields(Sources)})
    settings = Settings(**{each.name: values[each.name] for each in dataclasses.fields(Settings)})
    applied = run(sources, settings, user_path(options.output), (*program, *words), print)
    print(summary(applied))


def summary(applied: Applied) -> str:
    """Return what is there, in a few lines."""
    losses = {name: applied.numbers[name] for name in ("forget_loss", "retain_loss")}
    said = [
        f"{what}: {losses[name]['before']:.4g} before, {losses[name]['after']:.4g} after"
        for name, what in (("forget_loss", "images to forget"), ("retain_loss", "held-out images to keep"))
    ]
    return f"Loss of {'; of '.join(said)}.\n{applied.model}\n{applied.report}"
