"""The options that environments share, each declared once, and the way they reach a constructor."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import torch
from gymnasium.utils import EzPickle

from unlearn_gym.envs.checks import check_keywords, is_auto
from unlearn_gym.envs.deprecated import deprecated, in_new_form, warn
from unlearn_gym.envs.rewards import REWARDS, Reward, make_reward
from unlearn_gym.envs.spaces.actions import CONTROLS
from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.noise_levels import levels_of
from unlearn_gym.models.diffusion.sampling import SAMPLERS
from unlearn_gym.models.mixed import FULL, PRECISIONS
from unlearn_gym.objectives import (
    DIFFUSION_OBJECTIVES,
    REGRESSION_OBJECTIVES,
    SUPERVISED_OBJECTIVES,
    make_objective,
)
from unlearn_gym.objectives.base import Objective
from unlearn_gym.processes.common.dampening import Dampening
from unlearn_gym.runtime.checks import check_known, one_of
from unlearn_gym.runtime.registered import keywords_of

DTYPES = {"float32": torch.float32, "float64": torch.float64}
OF_PROCESS = (
    "batch_size",
    "optimizer",
    "learning_rate",
    "max_grad_norm",
    "state",
    "grad_norms",
    "gradients",
    "mask",
)
OF_EPISODE = (
    "reward",
    "horizon",
    "online",
    "lambda_range",
    "alpha",
    "observation",
    "action",
    "control",
    "divergence_penalty",
    "render_mode",
)
OF_DIFFUSION = ("start", "time", "time_weight", "sampler")
Keywords = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class EpisodeOptions:
    """Options of every environment that trains; a subclass is a family's, with its own defaults.

    What each means stands on the page of the environment.

    Attributes:
        defaults: keywords of what is named, such as objectives and rewards. What is chosen gets those that it has and
            that are not in its own keywords (``reward_kwargs``); an id says so what fits its network.
    """

    reward: str | Reward
    reward_kwargs: Keywords | None = None
    defaults: Keywords | None = None
    horizon: int = 200
    online: bool = False
    batch_size: int = 64
    learning_rate: float | str = 1e-3
    lambda_range: tuple[float, float] = (0.0, 1.0)
    alpha: float = 0.01
    observation: str = "state"
    action: str = "lambda"
    control: tuple[str, ...] = CONTROLS[0]
    divergence_penalty: float = 1.0
    device: str | torch.device = "cpu"
    dtype: str | torch.dtype = "float32"
    render_mode: str | None = None

    REWARDS: ClassVar[Mapping[str, Callable[..., Reward]]] = REWARDS
    AUTOMATIC: ClassVar[tuple[str, ...]] = ()
    """What may be "auto"; see ``unlearn_gym.envs.automatic``."""
    FAMILY_DEFAULTS: ClassVar[Keywords] = {}
    """Like ``defaults``, for the family."""

    @classmethod
    def registries(cls) -> dict[str, Mapping[str, Callable[..., Any]]]:
        """Return what may be named: option → name → what makes it. Its keywords are in the option ``…_kwargs``."""
        return {"reward": cls.REWARDS}

    @classmethod
    def hyperparameters(cls) -> tuple[str, ...]:
        """Return every keyword that anything which may be named has."""
        makers = (maker for registry in cls.registries().values() for maker in registry.values())
        return tuple(dict.fromkeys(name for maker in makers for name in keywords_of(maker)))

    def __post_init__(self) -> None:
        """Refuse what is wrong before a model is made or trained, which may take long."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        check_keywords(given, automatic=self.AUTOMATIC)
        check_known("defaults", self.defaults or {}, self.hyperparameters())
        as_device(self.device)
        as_dtype(self.dtype)
        make_reward(self.reward, self.REWARDS, **self.numbers("reward"))

    def keywords(self, kind: str) -> dict[str, Any]:
        """Return all keywords of the chosen objective or reward, as ``kind`` says."""
        chosen, given = getattr(self, kind), getattr(self, f"{kind}_kwargs")
        registry = self.registries()[kind]
        known = keywords_of(registry[chosen]) if isinstance(chosen, str) and chosen in registry else ()
        defaults = {**self.FAMILY_DEFAULTS, **(self.defaults or {})}
        return {name: value for name, value in defaults.items() if name in known} | dict(given or {})

    def waiting(self, kind: str) -> set[str]:
        """Return which of those keywords are "auto"."""
        return {name for name, value in self.keywords(kind).items() if is_auto(name, value, self.AUTOMATIC)}

    def numbers(self, kind: str) -> dict[str, Any]:
        """Return those that are not."""
        waiting = self.waiting(kind)
        return {name: value for name, value in self.keywords(kind).items() if name not in waiting}

    def resolved(self, **chosen: float) -> Self:
        """Return the same options with every keyword of what is named in its place.

        Args:
            chosen: the numbers of what is "auto".
        """
        changes: dict[str, Any] = {"learning_rate": chosen.get("learning_rate", self.learning_rate)}
        for kind in self.registries():
            automatic = {name: chosen[name] for name in self.waiting(kind)}
            changes[f"{kind}_kwargs"] = self.keywords(kind) | automatic
        return replace(self, **changes, defaults=None)

    @classmethod
    def suited(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the user gave, and what suits it in the place of defaults."""
        return dict(given)

    def of_episode(self) -> dict[str, Any]:
        """Return the keywords of ``envs.base.UnlearningEnv``."""
        same = {name: getattr(self, name) for name in OF_EPISODE}
        return {**same, "reward": make_reward(self.reward, self.REWARDS, **self.keywords("reward"))}


@dataclass(frozen=True, kw_only=True)
class Options(EpisodeOptions):
    """Options of every environment whose process is a ``GradientProcess``."""

    objective: str | Objective
    objective_kwargs: Keywords | None = None
    optimizer: str = "adam"
    max_grad_norm: float = 1.0
    state: str = "fresh"
    grad_norms: bool = True
    gradients: str = "auto"
    mask: str | None = None

    OBJECTIVES: ClassVar[Mapping[str, Callable[..., Objective]]]
    UNASKED: ClassVar[tuple[str, ...]] = ()
    """Methods of objectives that the family's process never calls: one that overrides them would be another loss."""

    @classmethod
    def registries(cls) -> dict[str, Mapping[str, Callable[..., Any]]]:
        """See ``EpisodeOptions.registries``; objectives, too."""
        return {"objective": cls.OBJECTIVES, **super().registries()}

    def __post_init__(self) -> None:
        """Refuse objectives that do not fit, too."""
        super().__post_init__()
        objective = make_objective(self.objective, self.OBJECTIVES, self.numbers("objective"))
        for hook in self.UNASKED:
            if getattr(type(objective), hook) is not getattr(Objective, hook):
                raise UserError(
                    f"objective={type(objective).__name__} lives by {hook}, which these environments never ask for; "
                    f"choose one of {', '.join(self.OBJECTIVES)}."
                )
        if self.lambda_range[1] > objective.largest_lambda:
            raise UserError(
                f"lambda_range={self.lambda_range} goes beyond {objective.largest_lambda:g}, the largest λ of this "
                "objective; give two numbers, such as 0 0.9."
            )

    @classmethod
    def suited(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """See ``EpisodeOptions.suited``; λ of the objective's usual range."""
        chosen = given.get("objective")
        of = cls.OBJECTIVES.get(chosen) if isinstance(chosen, str) else chosen
        usual = getattr(of, "usual_range", None)
        return ({"lambda_range": usual} if usual else {}) | dict(given)

    def of_process(self) -> dict[str, Any]:
        """Return the keywords of ``processes.gradient.GradientProcess``."""
        return {
            **{name: getattr(self, name) for name in OF_PROCESS},
            "objective": make_objective(self.objective, self.OBJECTIVES, self.keywords("objective")),
            "device": as_device(self.device),
            "dtype": as_dtype(self.dtype),
        }


@dataclass(frozen=True, kw_only=True)
class DiffusionOptions(Options):
    """The options of diffusion models."""

    objective: str | Objective = "siss"
    reward: str | Reward = "loss"
    learning_rate: float | str = 2e-4
    lambda_range: tuple[float, float] = (0.1, 0.9)
    start: str | None = None
    time: str = "discrete"
    time_weight: str = "simple"
    sampler: str | None = None

    OBJECTIVES: ClassVar[Mapping[str, Callable[..., Objective]]] = DIFFUSION_OBJECTIVES
    UNASKED: ClassVar[tuple[str, ...]] = ("answer_errors",)
    AUTOMATIC: ClassVar[tuple[str, ...]] = ("forget_cap", "retain_weight", "learning_rate")

    def __post_init__(self) -> None:
        """Refuse λ that are no probability, unknown starts, times and samplers, too."""
        super().__post_init__()
        levels_of(self.time, self.time_weight)
        if self.sampler is not None:
            one_of("sampler", self.sampler, SAMPLERS)
        if self.start is not None:
            Dampening.of(self.start)
        share_of_forgetting(self.lambda_range)

    def of_process(self) -> dict[str, Any]:
        """Return the keywords of ``processes.diffusion.DiffusionProcess``."""
        return {**super().of_process(), **{name: getattr(self, name) for name in OF_DIFFUSION}}


@dataclass(frozen=True, kw_only=True)
class SupervisedOptions(Options):
    """The options of classifiers and the user's own models."""

    objective: str | Objective = "linear"
    reward: str | Reward = "progress"
    precision: str = FULL

    OBJECTIVES: ClassVar[Mapping[str, Callable[..., Objective]]] = SUPERVISED_OBJECTIVES
    UNASKED: ClassVar[tuple[str, ...]] = ("draw_target", "forget_target", "forget_numbers", "pair_error")
    FAMILY_DEFAULTS: ClassVar[Keywords] = {"forget_cap": 1.5, "retain_weight": 10.0}

    def __post_init__(self) -> None:
        """Refuse an unknown precision, and one that float64 would not keep, too."""
        super().__post_init__()
        one_of("precision", self.precision, PRECISIONS)
        if self.precision != FULL and as_dtype(self.dtype) != torch.float32:
            raise UserError(
                f"precision={self.precision!r} rounds what dtype='float64' would keep; leave one out."
            )

    def of_process(self) -> dict[str, Any]:
        """Return the keywords of ``processes.supervised.SupervisedProcess``."""
        return {**super().of_process(), "precision": self.precision}


@dataclass(frozen=True, kw_only=True)
class PolynomialOptions(SupervisedOptions):
    """The options of polynomials."""

    reward: str | Reward = "balance"
    horizon: int = 100
    learning_rate: float | str = 0.03
    max_grad_norm: float = 10.0

    OBJECTIVES: ClassVar[Mapping[str, Callable[..., Objective]]] = REGRESSION_OBJECTIVES
    FAMILY_DEFAULTS: ClassVar[Keywords] = {"forget_cap": 2.0, "retain_weight": 5.0}


def takes(options: type[EpisodeOptions]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a constructor the shared options as keywords, and hand them to it as one object, checked.

    ``inspect.signature``, help and completion show the constructor's own keywords and then the shared ones. What
    was given is what a pickle of the environment holds.
    """

    def decorate(init: Callable[..., None]) -> Callable[..., None]:
        itself, *own = (p for p in inspect.signature(init).parameters.values() if p.name != "options")
        shared = [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type
            )
            for field in fields(options)
        ]
        signature = inspect.Signature([itself, *own, *shared], return_annotation=None)
        names = [p.name for p in (*own, *shared)]
        own_names = {p.name for p in own}

        @functools.wraps(init)
        def constructor(self: Any, *args: Any, **given: Any) -> None:
            old = {name: given.pop(name) for name in deprecated(options.hyperparameters()) if name in given}
            check_known(type(self).__name__, given, names)
            given = dict(signature.bind(self, *args, **given).arguments)
            del given[itself.name]
            chosen = {n: value for n, value in given.items() if value is not signature.parameters[n].default}
            check_keywords(chosen, options.AUTOMATIC)
            given = in_new_form(given, old)
            EzPickle.__init__(self, **given)
            mine = {name: given[name] for name in given if name in own_names}
            built = options(**options.suited({name: given[name] for name in given if name not in mine}))
            warn(old, {f"{kind}_kwargs": built.keywords(kind) for kind in options.registries()})
            init(self, **mine, options=built)

        constructor.__signature__ = signature  # type: ignore[attr-defined]
        constructor.options = options  # type: ignore[attr-defined]
        return constructor

    return decorate


def share_of_forgetting(lambda_range: tuple[float, float]) -> None:
    """Refuse λ above 1 where they are probabilities, or 1 − λ is a weight."""
    if lambda_range[1] > 1.0:
        raise UserError(f"lambda_range={lambda_range} must lie in [0, 1]; give two numbers, such as 0.1 0.9.")


def as_dtype(name: str | torch.dtype) -> torch.dtype:
    """Return the floating-point type called ``name``, or the type itself."""
    if isinstance(name, torch.dtype) and name in DTYPES.values():
        return name
    if name in ("bfloat16", torch.bfloat16):
        raise UserError(
            "dtype='bfloat16' would round most updates away, which change a weight by less than its last digit; give "
            "float32 or float64; classifiers may pass in it with precision='bfloat16'."
        )
    if not isinstance(name, str) or name not in DTYPES:
        raise UserError(f"dtype={name!r} is not known; choose one of {', '.join(DTYPES)}.")
    return DTYPES[name]


def as_device(name: str | torch.device) -> torch.device:
    """Return the device called ``name``, if this machine has it and it can compute (``meta`` cannot)."""
    try:
        torch.ones(1, device=name).sum().item()
        return torch.device(name)
    except (RuntimeError, AssertionError, TypeError) as error:  # NotImplementedError is a RuntimeError
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"device={name!r} cannot be used here ({reason}); try cpu.") from error
