"""Hyperparameters of the learning agents: dataclasses with types, ranges and the spec's defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from jsonargparse.typing import (
    ClosedUnitInterval,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    restricted_number_type,
)
from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU}

LogStd = restricted_number_type("LogStd", float, [(">", -5), ("<", 2)], docstring="log σ between −5 and 2")
Updates = restricted_number_type(
    "Updates", int, [(">=", -1), ("!=", 0)], docstring="a number of updates, or −1 for as many as transitions"
)
Dropped = restricted_number_type(
    "Dropped", int, [(">=", 0), ("<", 25)], docstring="a whole number from 0 to 24"
)
Share = restricted_number_type("Share", float, [(">=", 0), ("<", 1)], docstring="a number from 0 to below 1")
AtLeastTwo = restricted_number_type("AtLeastTwo", int, (">=", 2), docstring="a whole number of 2 or more")


@dataclass(frozen=True)
class Settings:
    """What every algorithm has.

    Args:
        learning_rate: Adam's step size.
        gamma: discount factor.
        hidden: widths of the hidden layers of every network.
        activation: nonlinearity between them.
    """

    policy_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that the policy takes instead of the algorithm."""

    learning_rate: PositiveFloat = 3e-4
    gamma: ClosedUnitInterval = 0.99
    hidden: list[PositiveInt] = field(default_factory=lambda: [64, 64])
    activation: Literal["tanh", "relu"] = "tanh"

    def algorithm(self) -> dict[str, Any]:
        """Return the keywords of the Stable-Baselines3 algorithm."""
        keywords = asdict(self)
        policy = {name: keywords.pop(name) for name in self.policy_fields}
        policy["net_arch"] = keywords.pop("hidden")
        policy["activation_fn"] = ACTIVATIONS[keywords.pop("activation")]
        return {**keywords, "policy_kwargs": policy}


@dataclass(frozen=True)
class OnPolicySettings(Settings):
    """PPO and RecurrentPPO.

    Args:
        n_steps: steps of each environment between updates (the paper's T, or M when online).
        batch_size: minibatch of an update.
        n_epochs: passes over the transitions of an update.
        gae_lambda: λ of generalised advantage estimation.
        clip_range: PPO's clip.
        ent_coef: weight of the regulariser −KL(policy ‖ prior).
        vf_coef: weight of the value loss.
        max_grad_norm: gradient clip.
        prior: ``uniform`` over λ (the regulariser is the entropy) or ``gaussian``, N(0, 1) over z.
        log_std_init: log σ of z at first.
        noise_steps: steps of a rollout, over the ends of episodes too, that keep a draw of the exploration noise,
            (z − μ)/σ. 1 draws at each step, as PPO does; where the reward comes at the end, such noise cancels within
            an episode and teaches little. (As in gSDE, Raffin et al. 2021, but for its dependence on features.)
    """

    policy_fields: ClassVar[tuple[str, ...]] = ("prior", "log_std_init")

    n_steps: AtLeastTwo = 200  # type: ignore[valid-type]
    batch_size: AtLeastTwo = 50  # type: ignore[valid-type]
    n_epochs: PositiveInt = 10
    gae_lambda: ClosedUnitInterval = 0.95
    clip_range: PositiveFloat = 0.2
    ent_coef: NonNegativeFloat = 0.01
    vf_coef: NonNegativeFloat = 0.5
    max_grad_norm: PositiveFloat = 0.5
    prior: Literal["uniform", "gaussian"] = "uniform"
    log_std_init: LogStd = 0.0  # type: ignore[valid-type]
    noise_steps: PositiveInt = 1

    def algorithm(self) -> dict[str, Any]:
        """See ``Settings.algorithm``."""
        keywords = super().algorithm()
        steps = keywords.pop("noise_steps")
        return keywords if steps == 1 else {**keywords, "use_sde": True, "sde_sample_freq": steps}


@dataclass(frozen=True)
class PPOSettings(OnPolicySettings):
    """PPO.

    Args:
        window: transitions of the sliding window of the online variant; 0 learns from each rollout once.
    """

    window: NonNegativeInt = 0


@dataclass(frozen=True)
class RecurrentPPOSettings(OnPolicySettings):
    """RecurrentPPO.

    Args:
        lstm_hidden_size: width of the LSTMs of policy and value.
    """

    policy_fields: ClassVar[tuple[str, ...]] = ("prior", "log_std_init", "lstm_hidden_size")

    lstm_hidden_size: PositiveInt = 64


@dataclass(frozen=True)
class OffPolicySettings(Settings):
    """CrossQ, and what SAC and TQC share with it.

    Args:
        buffer_size: transitions of the replay buffer.
        learning_starts: random steps before the first update.
        batch_size: minibatch of an update.
        train_freq: steps of each environment between updates.
        gradient_steps: updates each time; −1 makes as many as transitions were collected.
        ent_coef: weight of the entropy, ``auto`` to tune it.
    """

    buffer_size: PositiveInt = 100_000
    learning_starts: NonNegativeInt = 100
    batch_size: AtLeastTwo = 256  # type: ignore[valid-type]
    train_freq: PositiveInt = 1
    gradient_steps: Updates = -1  # type: ignore[valid-type]
    ent_coef: Literal["auto"] | NonNegativeFloat = "auto"


@dataclass(frozen=True)
class SACSettings(OffPolicySettings):
    """SAC.

    Args:
        tau: share of the critic that its target takes at each update.
    """

    tau: ClosedUnitInterval = 0.005


@dataclass(frozen=True)
class TQCSettings(SACSettings):
    """TQC.

    Args:
        top_quantiles_to_drop_per_net: quantiles left out against overestimation, of 25.
    """

    top_quantiles_to_drop_per_net: Dropped = 2  # type: ignore[valid-type]


@dataclass(frozen=True)
class CrossQSettings(OffPolicySettings):
    """CrossQ, which has no target networks.

    Args:
        policy_delay: critic updates for each actor update.
    """

    policy_delay: PositiveInt = 3
