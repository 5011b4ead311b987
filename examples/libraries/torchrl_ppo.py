"""PPO of TorchRL: GymEnv, a collector, GAE and its clipped loss. 20 seconds.

    pip install 'unlearn-gym[torchrl]'
    python examples/libraries/torchrl_ppo.py

``Quadratic-v0`` is a closed form: an episode's last λ decides, and the best is 0.7. Does the policy come near it?
Then put a real one in its place: ``--env unlearn_gym/Weighted-Digits-v0 --steps 4000`` (minutes).
"""

from __future__ import annotations

import argparse

import torch
from tensordict.nn import TensorDictModule
from tensordict.nn.distributions import NormalParamExtractor
from torch import nn
from torchrl.collectors import Collector
from torchrl.envs import GymEnv, RewardSum, TransformedEnv
from torchrl.modules import ProbabilisticActor, TanhNormal, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

import unlearn_gym  # noqa: F401 (registers the environments)


def make_env(env_id: str) -> TransformedEnv:
    """Return the environment; ``relative`` shows logs of losses and norms, of one scale in every environment."""
    return TransformedEnv(GymEnv(env_id, observation="relative"), RewardSum())


def make_networks(env: TransformedEnv) -> tuple[ProbabilisticActor, ValueOperator]:
    """Return a Gaussian policy, squashed into the range of λ, and a value function."""
    observations, action = env.observation_spec["observation"].shape[-1], env.action_spec
    mean_and_std = nn.Sequential(
        nn.Linear(observations, 64), nn.Tanh(), nn.Linear(64, 2 * action.shape[-1]), NormalParamExtractor()
    )
    actor = ProbabilisticActor(
        TensorDictModule(mean_and_std, ["observation"], ["loc", "scale"]),
        in_keys=["loc", "scale"],
        spec=action,
        distribution_class=TanhNormal,
        distribution_kwargs={"low": action.space.low, "high": action.space.high},
        return_log_prob=True,
    )
    critic = nn.Sequential(nn.Linear(observations, 64), nn.Tanh(), nn.Linear(64, 1))
    return actor, ValueOperator(critic, in_keys=["observation"])


def main() -> None:
    """Train; print the mean return and last λ of the episodes of every batch."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default="unlearn_gym/Quadratic-v0")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=400, help="steps between two updates")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()

    torch.manual_seed(chosen.seed)
    env = make_env(chosen.env)
    env.set_seed(chosen.seed)
    actor, critic = make_networks(env)
    advantage = GAE(gamma=0.99, lmbda=0.95, value_network=critic, average_gae=True)
    loss = ClipPPOLoss(actor, critic, clip_epsilon=0.2, entropy_coeff=1e-3, loss_critic_type="l2")
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-3)
    collector = Collector(
        env,
        actor,
        frames_per_batch=chosen.batch,
        total_frames=chosen.steps,
        auto_register_policy_transforms=False,  # a policy without a memory needs none
    )
    for number, batch in enumerate(collector, 1):
        for _ in range(chosen.epochs):
            with torch.no_grad():
                advantage(batch)
            flat = batch.reshape(-1)
            for rows in torch.randperm(len(flat)).split(50):
                terms = loss(flat[rows])
                optimizer.zero_grad()
                (terms["loss_objective"] + terms["loss_critic"] + terms["loss_entropy"]).backward()
                nn.utils.clip_grad_norm_(loss.parameters(), 1.0)
                optimizer.step()
        ended = batch["next", "done"].squeeze(-1)
        if ended.any():
            returns, lambdas = batch["next", "episode_reward"][ended], batch["action"][ended]
            print(f"batch {number:3}  return {returns.mean():7.3f}  last λ {lambdas.mean():.3f}")
    collector.shutdown()


if __name__ == "__main__":
    main()
