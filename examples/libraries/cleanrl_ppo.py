"""PPO (Schulman et al. 2017, arXiv 1707.06347) in one file, in the manner of CleanRL: nothing hidden. 10 seconds.

    python examples/libraries/cleanrl_ppo.py

``Quadratic-v0`` is a closed form: an episode's last λ decides, and the best is 0.7. Does the policy come near it?
Then put a real one in its place: ``--env unlearn_gym/Weighted-Digits-v0 --steps 4000`` (minutes).
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from torch import Tensor, nn
from torch.distributions import Normal

import unlearn_gym  # noqa: F401 (registers the environments)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--env", default="unlearn_gym/Quadratic-v0")
parser.add_argument("--steps", type=int, default=12000, help="of all environments together")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--n-envs", type=int, default=4)
parser.add_argument("--rollout", type=int, default=100, help="steps of each environment for one update")
parser.add_argument("--epochs", type=int, default=8, help="passes over a rollout")
parser.add_argument("--minibatch", type=int, default=50)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--gamma", type=float, default=0.99, help="discount")
parser.add_argument(
    "--gae", type=float, default=0.95, help="λ of generalised advantage estimation, another λ"
)
parser.add_argument("--clip", type=float, default=0.2)
parser.add_argument("--entropy", type=float, default=0.0)


def make_env(env_id: str) -> gym.Env:
    """Return an environment with the wrappers that PPO likes: actions in [−1, 1], scaled observations and rewards."""
    env = gym.wrappers.RecordEpisodeStatistics(gym.make(env_id))
    env = gym.wrappers.RescaleAction(env, np.float32(-1), np.float32(1))
    env = gym.wrappers.ClipAction(env)  # a Gaussian has no ends
    env = gym.wrappers.NormalizeObservation(env)
    return gym.wrappers.NormalizeReward(env)


class Agent(nn.Module):
    """A Gaussian policy whose spread does not depend on the state, and a value function."""

    def __init__(self, observations: int, actions: int) -> None:
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(observations, 64), nn.Tanh(), nn.Linear(64, actions))
        self.value = nn.Sequential(nn.Linear(observations, 64), nn.Tanh(), nn.Linear(64, 1))
        self.log_std = nn.Parameter(torch.full((actions,), -0.5))
        nn.init.orthogonal_(self.mean[-1].weight, 0.01)  # start in the middle of the range

    def policy(self, observation: Tensor) -> Normal:
        """Return the distribution of actions, (…, actions)."""
        return Normal(self.mean(observation), self.log_std.exp())


def advantages(
    rewards: Tensor, values: Tensor, dones: Tensor, last: Tensor, gamma: float, gae: float
) -> Tensor:
    """Return Â_t = Σ_k (γ·gae)^k δ_{t+k}, δ_t = r_t + γ·V(s_{t+1}) − V(s_t), over (steps, environments).

    Episodes end by termination, never by a time limit: nothing comes after ``dones``.
    """
    found, running, after = torch.zeros_like(rewards), torch.zeros_like(last), last
    for t in reversed(range(len(rewards))):
        delta = rewards[t] + gamma * after * (1 - dones[t]) - values[t]
        running = delta + gamma * gae * (1 - dones[t]) * running
        found[t], after = running, values[t]
    return found


if __name__ == "__main__":
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    makers = [lambda: make_env(args.env) for _ in range(args.n_envs)]
    envs = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)
    agent = Agent(envs.single_observation_space.shape[0], envs.single_action_space.shape[0])
    optimizer = torch.optim.Adam(agent.parameters(), lr=args.learning_rate, eps=1e-5)
    observation = torch.from_numpy(envs.reset(seed=args.seed)[0]).float()
    for update in range(1, max(args.steps // (args.rollout * args.n_envs), 1) + 1):
        # 1. Play: (rollout, environments, …) of what was seen, done and got.
        rows, returns, lambdas = [], [], []
        for _ in range(args.rollout):
            with torch.no_grad():
                policy, value = agent.policy(observation), agent.value(observation).squeeze(-1)
                action = policy.sample()
            after, reward, terminated, _, info = envs.step(action.numpy())
            ended = info.get("final_info", {})  # of the episodes that this step ended
            returns += ended["episode"]["r"][ended["_episode"]].tolist() if ended else []
            lambdas += ended["lambda"][ended["_lambda"]].tolist() if ended else []
            got = (torch.from_numpy(np.asarray(each)).float() for each in (reward, terminated))
            rows.append((observation, action, policy.log_prob(action).sum(-1), value, *got))
            observation = torch.from_numpy(after).float()
        seen, actions, log_probs, values, rewards, dones = map(torch.stack, zip(*rows, strict=True))
        with torch.no_grad():
            last = agent.value(observation).squeeze(-1)
        gains = advantages(rewards, values, dones, last, args.gamma, args.gae)

        # 2. Learn: the clipped surrogate and the value's squared error, on shuffled minibatches.
        flat = [part.flatten(0, 1) for part in (seen, actions, log_probs, gains, gains + values)]
        for _ in range(args.epochs):
            for chosen in torch.randperm(len(flat[0])).split(args.minibatch):
                s, a, old, gain, target = (part[chosen] for part in flat)
                policy, gain = agent.policy(s), (gain - gain.mean()) / (gain.std() + 1e-8)
                ratio = (policy.log_prob(a).sum(-1) - old).exp()
                surrogate = torch.min(ratio * gain, ratio.clamp(1 - args.clip, 1 + args.clip) * gain).mean()
                value_loss = (agent.value(s).squeeze(-1) - target).square().mean()
                loss = 0.5 * value_loss - surrogate - args.entropy * policy.entropy().sum(-1).mean()
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimizer.step()
        if returns:
            print(f"update {update:3}  return {np.mean(returns):7.3f}  last λ {np.mean(lambdas):.3f}")
