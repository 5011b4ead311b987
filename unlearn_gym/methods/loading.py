"""From a word on a command line to an update rule, and the check of what a rule's step returns."""

from __future__ import annotations

import inspect
import math
from importlib import import_module
from pathlib import Path
from typing import Any

from unlearn_gym.errors import UserError
from unlearn_gym.objectives.two_gradients import RULES
from unlearn_gym.runtime.user_code import blamed, import_file
from unlearn_gym.storage.files import user_path

METHODS: dict[str, str] = {
    "retain_finetune": "published.retain_finetune:RetainFinetune",
    "negative_gradient": "published.negative_gradient:NegativeGradient",
    "bad_teacher": "published.bad_teacher:BadTeacher",
    "scrub": "published.scrub:Scrub",
    "salun": "published.salun:SalUn",
    "ssd": "published.ssd:SSD",
    "emse": "emse:Emse",
    "demote": "demote:Demote",
    "npo": "bounded.preference:NPO",
    "simnpo": "bounded.preference:SimNPO",
    "dpo": "bounded.preference:DPO",
    "dipo": "bounded.preference:DiPO",
    "gce": "bounded.probability:GCE",
    "flat": "bounded.probability:FLAT",
    "margin": "bounded.probability:Margin",
    "iau": "iau:IAU",
    **{name: f"two_gradients:{name}" for name in RULES},
}
"""Name → module here and class in it. A new rule is one file and one line."""

BASELINES = ("retain_finetune", "negative_gradient", "bad_teacher", "scrub", "salun", "ssd", "emse")
"""What a comparison runs unless other methods are named."""

CONTRACT = (
    "class UnlearningMethod with unlearn_step(self, model, retain_batch, forget_batch, optimizer, step, "
    'epoch) that returns a dict with at least {"loss": float}'
)


def make_method(spec: str) -> Any:
    """Return the update rule that a word means.

    Args:
        spec: a name in ``METHODS``, with the first arguments of its constructor after colons (``emse:0.2``,
            ``flat:tv``), or the path of a Python file with a class ``UnlearningMethod``.

    Raises:
        UserError: when it is none of these.
    """
    if is_file(spec):
        return load_method(spec)
    name, *numbers = spec.split(":")
    if name not in METHODS:
        raise UserError(
            f"The method {name!r} is not known; choose one of {', '.join(METHODS)}, or give the path of "
            "a Python file with a class UnlearningMethod."
        )
    module, attribute = METHODS[name].split(":")
    kind = getattr(import_module(f"unlearn_gym.methods.{module}"), attribute)
    allowed = inspect.signature(kind, eval_str=True).parameters
    if len(numbers) > len(allowed):
        most = ":".join([name, *(f"<{argument}>" for argument in allowed)])
        raise UserError(f"{spec!r} has too many numbers; the most there can be is {most}.")
    words = zip(allowed.values(), numbers, strict=False)
    return kind(*(text if a.annotation is str else _number(spec, a.name, text) for a, text in words))


def is_file(spec: str) -> bool:
    """Whether a word is meant as a file and not as a name."""
    return spec.endswith(".py") or "/" in spec or "\\" in spec


def load_method(path: str | Path) -> Any:
    """Import a user's file and return its ``UnlearningMethod``, built without arguments.

    Raises:
        UserError: naming the contract, when the file lacks the class or the class lacks the method.
    """
    path = user_path(path)
    kind = getattr(import_file(path), "UnlearningMethod", None)
    if not inspect.isclass(kind):
        raise UserError(f"{path} has no class UnlearningMethod; it needs a {CONTRACT}.")
    if not callable(getattr(kind, "unlearn_step", None)):
        raise UserError(f"UnlearningMethod in {path} has no unlearn_step; it needs a {CONTRACT}.")
    try:
        with blamed(f"Building UnlearningMethod in {path} without arguments"):
            method: Any = kind()
    except TypeError as error:  # a constructor that needs some
        raise UserError(
            f"UnlearningMethod in {path} cannot be built without arguments ({type(error).__name__}: "
            f"{error}); it needs a {CONTRACT}."
        ) from error
    try:
        inspect.signature(method.unlearn_step).bind(*range(6))
    except TypeError as error:
        raise UserError(
            f"unlearn_step in {path} does not take six arguments ({error}); it needs a {CONTRACT}."
        ) from error
    return method


def read_loss(result: Any, name: str) -> float:
    """Return the loss that a step reported; it need not be finite.

    Args:
        result: what ``unlearn_step`` returned.
        name: what the message calls the rule.

    Raises:
        UserError: naming the contract, when it is not a dictionary with one number under "loss".
    """
    try:
        if isinstance(result, dict) and not isinstance(result["loss"], str | bool | None):
            return float(result["loss"])
        given = f"a {type(result).__name__}" if not isinstance(result, dict) else repr(result["loss"])
    except KeyError:
        given = f"a dict with the keys {', '.join(map(str, result)) or '(none)'}"
    except (TypeError, ValueError, RuntimeError):
        given = f"a {type(result['loss']).__name__} under 'loss'"
    raise UserError(f"unlearn_step of {name!r} returned {given}; it needs a {CONTRACT}.")


def _number(spec: str, argument: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{spec!r} gives {text!r} for {argument}; give a finite number.")
    return number
