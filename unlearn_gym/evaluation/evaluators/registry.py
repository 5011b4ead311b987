"""Which judge measures which kind of environment."""

from __future__ import annotations

import importlib

from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.evaluators.base import Judge, JudgeSettings

JUDGES: dict[str, str] = {
    "plain": "unlearn_gym.evaluation.evaluators.plain:PlainJudge",
    "diffusion": "unlearn_gym.evaluation.evaluators.diffusion:DiffusionJudge",
    "supervised": "unlearn_gym.evaluation.evaluators.supervised:SupervisedJudge",
    "regression": "unlearn_gym.evaluation.evaluators.regression:RegressionJudge",
}
"""An environment's ``judge`` → class; a string, so that only the one in use is imported.

A new judge is one file and one line here.
"""


def make_judge(env: UnlearningEnv, settings: JudgeSettings) -> Judge:
    """Return the judge that the environment names; ``plain`` where it names none.

    Raises:
        UserError: for a judge that is not in ``JUDGES``.
    """
    name = getattr(env, "judge", "plain")
    if name not in JUDGES:
        raise UserError(
            f"{type(env).__name__} asks for the judge {name!r}; choose one of {', '.join(sorted(JUDGES))}."
        )
    module, _, class_name = JUDGES[name].partition(":")
    return getattr(importlib.import_module(module), class_name)(env, settings)
