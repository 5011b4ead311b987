"""What environments of many requests share: which request an episode has, and its budget."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from unlearn_gym.data.requests.family import Family
from unlearn_gym.data.requests.held import Held
from unlearn_gym.data.requests.reading import read_requests
from unlearn_gym.data.requests.ready import ready
from unlearn_gym.data.requests.request import Request, RequestSet, find
from unlearn_gym.data.split import UnlearningData
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.checks import OPTIONS, REQUEST
from unlearn_gym.envs.requests.asked import Asked
from unlearn_gym.envs.requests.options import Budgets
from unlearn_gym.metrics.outcomes.base import Meter
from unlearn_gym.metrics.outcomes.outcome import SampleSizes
from unlearn_gym.runtime.checks import refused


class RequestsEnv(UnlearningEnv):
    """An environment whose episodes are requests to one pretrained model; a subclass says which model that is."""

    evaluator = "requests"
    reset_options: ClassVar[tuple[str, ...]] = (*OPTIONS, REQUEST)  # type: ignore[misc]
    stackable = False
    process: Any

    def _receive(
        self, requests: RequestSet, split: str, family: Family, memory: float, options: Budgets
    ) -> Any:
        """Take down the requests, and return the options with the budget of the first one."""
        self.requests, self.family = requests, family
        self.choices = requests.split(split)
        for request in requests:  # before the first episode, not in the middle of a training
            family.check(request.forget, request.count)
        self._held, self._options = Held(memory), options
        first = options.of(self.choices[0])
        self.asked = Asked(self.choices[0], family.shown(self.choices[0].forget), first.horizon)
        return first

    @abstractmethod
    def outcome_meter(self, sizes: SampleSizes) -> Meter:
        """Return what measures outcomes of this model's requests, on so many samples where it draws any."""

    @property
    def request(self) -> Request:
        """The request of this episode."""
        return self.asked.request

    def _part(self, request: Request) -> UnlearningData:
        return self._held.get(request.content, lambda: self.family.part(request.forget, request.count))

    def _begin(self, seed: int | None, options: dict[str, Any]) -> None:
        drawn = int(self.np_random.integers(len(self.choices)))  # drawn always: the stream is the same
        number = drawn if seed is None else seed % len(self.choices)
        if REQUEST in options:
            number = find(self.choices, options[REQUEST])
        self._go_to(self.choices[number])

    def _go_to(self, request: Request) -> None:
        budget = self._options.budget(request)
        self.horizon = budget["horizon"]
        self.asked.request, self.asked.shown = request, self.family.shown(request.forget)
        self.asked.horizon = self.horizon
        self.process.set_budget(budget["batch_size"], budget["learning_rate"])
        self.process.use(self._part(request))
        self._curves = self._new_curves()

    def _info(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        info = super()._info(*args, **kwargs)
        self.diverged: bool = info["diverged"]
        return {**info, "request": self.request.name}

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
