"""Warnings while a run is under way: images to keep that suffer, images to forget of which nothing is forgotten."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from unlearn_gym.applying.cases.base import Alarm, Losses

LOOKS = 20
"""How often a run is looked at."""


@dataclass(frozen=True)
class Look:
    """Mean losses on the fixed examples after so many updates."""

    step: int
    retain_loss: float
    forget_loss: float


@dataclass
class Watch:
    """Looks at a run and warns, of each thing once.

    Attributes:
        name: of the loss, in words.
        alarm: when to warn.
        steps: updates of the whole run.
        looks: what was seen.
        warnings: what was said.
    """

    name: str
    alarm: Alarm
    steps: int
    looks: list[Look] = field(default_factory=list)
    warnings: dict[str, str] = field(default_factory=dict)

    def due(self, step: int) -> bool:
        """Say whether a look is due after so many updates."""
        every = max(1, math.ceil(self.steps / LOOKS))
        return step % every == 0 or step == self.steps

    def look(self, step: int, losses: Losses) -> list[str]:
        """Take down losses and return what is new to warn of."""
        look = Look(step, float(losses.retain.mean()), float(losses.forget.mean()))
        self.looks.append(look)
        found = {"retain": self._harm(look), "forget": self._nothing(look)}
        new = {what: text for what, text in found.items() if text and what not in self.warnings}
        self.warnings |= new
        return list(new.values())

    def _harm(self, look: Look) -> str:
        start, alarm = self.looks[0], self.alarm
        if look.retain_loss <= alarm.rise * start.retain_loss + alarm.slack:
            return ""
        return (
            f"After {look.step} updates the {self.name} of held-out images to keep is {look.retain_loss:.4g} "
            f"({start.retain_loss:.4g} at the start): what is to be kept suffers; a smaller learning rate spares it."
        )

    def _nothing(self, look: Look) -> str:
        start, alarm = self.looks[0], self.alarm
        early = look.step < alarm.patience * self.steps
        if early or look.forget_loss >= alarm.least * start.forget_loss + alarm.slack:
            return ""
        return (
            f"After {look.step} of {self.steps} updates the {self.name} of the images to forget is "
            f"{look.forget_loss:.4g} ({start.forget_loss:.4g} at the start): hardly anything is forgotten yet; more "
            "steps or a larger learning rate forget more."
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that was seen and said."""
        return {"looks": [asdict(look) for look in self.looks], "warnings": dict(self.warnings)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where ``state_dict`` was taken."""
        self.looks = [Look(**look) for look in state["looks"]]
        self.warnings = dict(state["warnings"])
