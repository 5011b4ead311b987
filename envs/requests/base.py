"""What environments of many requests share: which request an episode has, and its budget."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from unlearn_gym.data.requests.family import Family
from unlearn_gym.data.requests.reading import read_requests
from unlearn_gym.data.requests.ready import ready
from unlearn_gym.data.requests.request import Request, RequestSet, find
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.checks import OPTIONS, REQUEST
from unlearn_gym.envs.requests.asked import Asked
from unlearn_gym.envs.requests.models import Models
from unlearn_gym.envs.requests.options import Budgets
from unlearn_gym.metrics.outcomes.base import Meter
from unlearn_gym.metrics.outcomes.outcome import SampleSizes
from unlearn_gym.runtime.checks import refused


class RequestsEnv(UnlearningEnv):
    """An environment whose episodes are requests to pretrained models; a subclass says of which kind these are."""

    evaluator = "requests"
    reset_options: ClassVar[tuple[str, ...]] = (*OPTIONS, REQUEST)  # type: ignore[misc]
    stackable = False
    process: Any
    _open: Callable[..., None]

    def _start(
        self,
        kind: Callable[..., Models[Any, Any]],
        requests: str | Path | Mapping[str, Any],
        split: str,
        memory: float,
        options: Budgets,
    ) -> None:
        """Take down the requests of a split, find the models that they are made to, and open on the first one."""
        self.requests, self._options = as_set(requests), options
        self.choices = self.requests.split(split)
        self.models = kind(dict.fromkeys(request.family for request in self.choices), memory, options)
        for request in self.requests:  # before the first episode, not in the middle of a training
            self.models.check(request)
        first = self.choices[0]
        settings = options.of(first)
        self.asked = Asked(first, self.models.shown(first), settings.horizon)
        self._open(self.models.tasks[first.family].original(), self.models.part(first), settings)
        self.models.hold(first.family, self.process.original)

    def outcome_meter(self, sizes: SampleSizes) -> Meter:
        """Return what measures outcomes of requests to these models, on so many samples where it draws any."""
        return self.models.meter(self.process, sizes)

    @property
    def request(self) -> Request:
        """The request of this episode."""
        return self.asked.request

    @property
    def family(self) -> Family:
        """What the model of this episode was trained on."""
        return self.models.families[self.request.family]

    def _begin(self, seed: int | None, options: dict[str, Any]) -> None:
        drawn = int(self.np_random.integers(len(self.choices)))  # drawn always: the stream is the same
        number = drawn if seed is None else seed % len(self.choices)
        if REQUEST in options:
            number = find(self.choices, options[REQUEST])
        self._go_to(self.choices[number])

    def _go_to(self, request: Request) -> None:
        data, budget = self.models.part(request), self._options.budget(request)
        if request.family != self.request.family:
            self.process.use_original(self.models.original(request.family))
        self.process.set_budget(budget["batch_size"], budget["learning_rate"])
        self.process.use(data)
        self.asked.request, self.horizon = request, budget["horizon"]
        self.asked.shown, self.asked.horizon = self.models.shown(request), self.horizon
        self._curves = self._new_curves()

    def _info(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super()._info(*args, **kwargs), "request": self.request.name}

    def state_dict(self) -> dict[str, Any]:
        """See ``UnlearningEnv.state_dict``."""
        return {**super().state_dict(), "request": self.request.name}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See ``UnlearningEnv.load_state_dict``."""
        self._go_to(self.choices[find(self.choices, state["request"])])
        super().load_state_dict(state)


def as_set(requests: str | Path | Mapping[str, Any]) -> RequestSet:
    """Return the set of requests that an argument means: a ready-made one's name, a file, or its content."""
    if not isinstance(requests, Mapping | str | os.PathLike):
        raise refused(
            "requests", requests, "the name of a ready-made set, a YAML or JSON file, or its content"
        )
    if isinstance(requests, Mapping) or Path(requests).suffix:
        return read_requests(requests)
    return ready(str(requests))
