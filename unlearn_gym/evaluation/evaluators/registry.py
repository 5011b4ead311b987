"""Which evaluator measures which kind of environment."""

from __future__ import annotations

import importlib

from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.evaluators.attacks import ATTACKS
from unlearn_gym.evaluation.evaluators.base import Evaluator, EvaluatorSettings
from unlearn_gym.metrics.glossary import GLOSSARY

EVALUATORS: dict[str, str] = {
    "plain": "unlearn_gym.evaluation.evaluators.plain:PlainEvaluator",
    "diffusion": "unlearn_gym.evaluation.evaluators.drawn.diffusion:DiffusionEvaluator",
    "vae": "unlearn_gym.evaluation.evaluators.drawn.vae:VAEEvaluator",
    "generator": "unlearn_gym.evaluation.evaluators.drawn.generator:GeneratorEvaluator",
    "requests": "unlearn_gym.evaluation.evaluators.requests:RequestsEvaluator",
    "supervised": "unlearn_gym.evaluation.evaluators.supervised:SupervisedEvaluator",
    "regression": "unlearn_gym.evaluation.evaluators.regression:RegressionEvaluator",
}
"""An environment's ``evaluator`` → class; a string, so that only the one in use is imported.

A new evaluator is one file and one line here.
"""


def make_evaluator(env: UnlearningEnv, settings: EvaluatorSettings) -> Evaluator:
    """Return the evaluator that the environment names, with the metrics registered for it; ``plain`` if it names none.

    Raises:
        UserError: for an evaluator that is not in ``EVALUATORS``, also where a metric names it; for an attack that
            this one cannot make.
    """
    name = getattr(env, "evaluator", "plain")
    if name not in EVALUATORS:
        raise UserError(
            f"{type(env).__name__} asks for the evaluator {name!r}; choose one of {', '.join(sorted(EVALUATORS))}."
        )
    module, _, class_name = EVALUATORS[name].partition(":")
    evaluator = getattr(importlib.import_module(module), class_name)(env, settings)
    for attack in ATTACKS:
        if getattr(settings, attack) and (reason := evaluator.unattackable(attack)):
            raise UserError(f"{attack} was asked for, but {reason}.")
    for metric, registered in GLOSSARY.items():
        for kind in registered.of:
            if kind not in EVALUATORS:
                raise UserError(
                    f"The metric {metric!r} is of {kind!r}; choose from {', '.join(sorted(EVALUATORS))}."
                )
        if name in registered.of and registered.measure is not None:
            evaluator.registered[metric] = registered
    return evaluator
