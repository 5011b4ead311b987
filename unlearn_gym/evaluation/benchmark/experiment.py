"""The class-unlearning benchmark: update rules and λ agents from the same original model, in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch

from unlearn_gym.data.fingerprint import content_of, fingerprint
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.benchmark.protocol import Protocol, unlearn
from unlearn_gym.evaluation.evaluators.base import EvaluatorSettings
from unlearn_gym.evaluation.experiment import Entry, Experiment
from unlearn_gym.evaluation.records import Record, digest, file_digest
from unlearn_gym.evaluation.risk_tests import Limits
from unlearn_gym.evaluation.runner import Runner
from unlearn_gym.methods import BASELINES, make_method
from unlearn_gym.methods.loading import is_file
from unlearn_gym.models.mixed import FULL, PRECISIONS
from unlearn_gym.models.supervised.tasks import SupervisedTask, get_supervised_task
from unlearn_gym.runtime.checks import one_of

BENCHMARKS: dict[str, str] = {
    "digits": "unlearn_gym/EMSE-Digits-v0",
    "resnet20-cifar10": "unlearn_gym/EMSE-ResNet20-v0",
    "vgg16bn-cifar100": "unlearn_gym/EMSE-VGG16BN-v0",
    "mobilenetv2-fmnist": "unlearn_gym/EMSE-MobileNetV2-v0",
}
"""Name of a task → the environment on which the λ agents act."""

SEED = 42
"""The benchmark's seed; further runs count from it."""

NO_CLIPPING = 1e9
"""``max_grad_norm`` of the λ agents: the benchmark does not clip gradients."""


@dataclass(frozen=True)
class Scale:
    """What may be scaled down.

    Attributes:
        epochs: of unlearning.
        pretrain_epochs: of the original and the retrained model; None for the task's own number.
        fraction: share of the images that is used at all.
        precision: of the passes of methods and agents, one of ``models.mixed.PRECISIONS``.
    """

    epochs: int = 20
    pretrain_epochs: int | None = None
    fraction: float = 1.0
    precision: str = FULL

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise UserError(f"epochs={self.epochs} unlearns nothing; give at least 1.")
        one_of("precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class Rule(Entry):
    """An entry that is an update rule and not an agent; its ``make`` ignores the environment."""


@dataclass(frozen=True)
class BenchmarkExperiment(Experiment):
    """An experiment whose entries are update rules and λ agents.

    Attributes:
        benchmark: a name in ``BENCHMARKS``.
        scale: what was scaled down.
        protocol: what every rule is run with.
    """

    benchmark: str = "digits"
    scale: Scale = field(default_factory=Scale)
    protocol: Protocol = field(default_factory=Protocol)

    def task(self) -> SupervisedTask:
        """Return the benchmark's task: data, original and retrained model."""
        return load_task(self.benchmark, self.scale)

    def key(self, name: str, seed: int, content: Callable[[Any], Any] = content_of) -> str:
        """See ``Experiment.key``."""
        data = data_fingerprints(self.benchmark, self.scale)
        return digest(
            {"experiment": super().key(name, seed, content), "protocol": asdict(self.protocol), "data": data}
        )


@lru_cache(maxsize=1)
def load_task(benchmark: str, scale: Scale) -> SupervisedTask:
    """Return the task of a benchmark at a scale; its data are read once.

    Raises:
        UserError: for an unknown benchmark, or a scale that is none.
    """
    if benchmark not in BENCHMARKS:
        raise UserError(f"There is no benchmark {benchmark!r}; choose one of {', '.join(BENCHMARKS)}.")
    return get_supervised_task(benchmark, fraction=scale.fraction, pretrain_epochs=scale.pretrain_epochs)


@lru_cache(maxsize=1)
def data_fingerprints(benchmark: str, scale: Scale) -> tuple[str, ...]:
    """Return the digests of all sets of a benchmark: a run on the local split is none on the published one."""
    data = load_task(benchmark, scale).data
    sets = (data.retain, data.forget, data.retain_holdout, data.forget_holdout)
    return tuple(fingerprint(part) for part in sets)


def rule(spec: str) -> Rule:
    """Read one word of ``--methods``.

    Raises:
        UserError: when it is no update rule.
    """
    make_method(spec)
    files = (Path(spec),) if is_file(spec) else ()
    fingerprint = "".join(file_digest(file) for file in files)
    return Rule(spec, partial(_make_rule, spec), "other", fingerprint, files=files)


def _make_rule(spec: str, env: Any) -> Any:
    return make_method(spec)


def benchmark_experiment(
    benchmark: str,
    methods: tuple[str, ...] = BASELINES,
    agents: tuple[Entry, ...] = (),
    seeds: tuple[int, ...] = (SEED,),
    scale: Scale | None = None,
    env_kwargs: dict[str, Any] | None = None,
    evaluator: EvaluatorSettings | None = None,
    limits: Limits | None = None,
) -> BenchmarkExperiment:
    """Say what is to be measured; the λ agents get as many updates, of the same size, as the rules.

    Args:
        benchmark: a name in ``BENCHMARKS``.
        methods: names in ``methods.METHODS``, with numbers (``emse:0.2``), or paths of Python files.
        agents: λ agents.
        seeds: of the unlearning runs; the original model is one and the same.
        scale: what is scaled down.
        env_kwargs: further keywords of the agents' environment.
        evaluator: what is measured.
        limits: what rows are to be certified for.

    Raises:
        UserError: for an unknown benchmark, method or keyword.
    """
    scale = scale or Scale()
    fixed = sorted({"task", "task_kwargs", "horizon", "batch_size", "precision"} & set(env_kwargs or {}))
    if fixed:
        raise UserError(
            f"{fixed[0]!r} of the agents' environment is fixed by the benchmark; scale it by --epochs, "
            "--pretrain-epochs, --fraction and --precision."
        )
    rules = tuple(rule(spec) for spec in methods)
    task = load_task(benchmark, scale)
    protocol = Protocol(
        epochs=scale.epochs, pad=task.recipe.pad, mirror=task.recipe.mirror, precision=scale.precision
    )
    steering = {
        "task_kwargs": {"fraction": scale.fraction, "pretrain_epochs": scale.pretrain_epochs},
        "horizon": protocol.steps(task.data),
        "batch_size": 2 * protocol.batch_size,
        "augment": True,
        "optimizer": "adam",
        "learning_rate": protocol.learning_rate,
        "max_grad_norm": NO_CLIPPING,
        "precision": scale.precision,
    }
    return BenchmarkExperiment(
        BENCHMARKS[benchmark],
        (*rules, *agents),
        seeds,
        steering | (env_kwargs or {}),
        evaluator or EvaluatorSettings(),
        limits=limits or Limits(),
        benchmark=benchmark,
        scale=scale,
        protocol=protocol,
    )


class BenchmarkRunner(Runner):
    """A runner that runs update rules too."""

    experiment: BenchmarkExperiment

    def __init__(self, experiment: BenchmarkExperiment) -> None:
        super().__init__(experiment)
        self._process: Any = self.env.unwrapped.process  # type: ignore[attr-defined]
        self._original = self.env.unwrapped.task.original()  # type: ignore[attr-defined]

    def check_entry(self, entry: Entry) -> None:
        """Refuse a bad agent; rules were checked when they were read."""
        if not isinstance(entry, Rule):
            super().check_entry(entry)

    def measure(self, name: str, seed: int) -> Record:
        """Make one run of a rule or an agent and measure what it left, or measure a reference."""
        entry = self.experiment.entry(name)
        if not isinstance(entry, Rule):
            return super().measure(name, seed)
        device: torch.device = self._process.device
        run = unlearn(
            entry.make(self.env),
            name,
            self._original,
            self._process.data,
            self.experiment.protocol,
            seed,
            device,
        )
        scores = self.evaluator.score(run.model.to(self._process.dtype), seed)
        seconds = sorted(run.seconds)[len(run.seconds) // 2]
        values = scores.values | {"seconds_per_update": seconds}
        return Record(name, seed, values, None, scores.pictures, trials=scores.trials, details=scores.details)
