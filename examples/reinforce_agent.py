"""A complete agent of your own in one file: REINFORCE (Williams, 1992) in plain PyTorch.

Train it and evaluate it beside the others:

    python examples/reinforce_agent.py --env unlearn_gym/Quadratic-v0 --episodes 300 --output runs/reinforce
    python evaluate.py --env unlearn_gym/Quadratic-v0 --output reports/reinforce \
        --agents static:0.5 examples/reinforce_agent.py:ReinforceAgent:runs/reinforce/agent.safetensors

All that the evaluation asks of an agent is a constructor that takes the environment, and ``predict``.
``begin`` (seed your randomness, forget the last run), ``feedback`` (learn while acting) and ``load`` are
optional.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import unlearn_gym  # noqa: F401 (registers the environments)

LOSSES_AND_NORMS = 4


class ReinforceAgent:
    """λ = low + (high − low)·sigmoid(z), z ~ N(μ(s), σ²), trained on whole episodes.

    Args:
        env: the environment to act in.
        seed: seed of the weights and of exploration.
        learning_rate: Adam's.
    """

    def __init__(self, env: gym.Env, seed: int = 0, learning_rate: float = 1e-2) -> None:
        assert isinstance(env.action_space, gym.spaces.Box)
        assert isinstance(env.observation_space, gym.spaces.Box)
        self.low, self.high = float(env.action_space.low[0]), float(env.action_space.high[0])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            width = env.observation_space.shape[0]
            self.raw = LOSSES_AND_NORMS if env.observation_space.low[0] >= 0 else 0  # others are logs already
            self.mean = nn.Sequential(nn.Linear(width, 32), nn.Tanh(), nn.Linear(32, 1))
        self.log_std = nn.Parameter(torch.tensor(-0.5))
        self.parameters = [*self.mean.parameters(), self.log_std]
        self.optimizer = torch.optim.Adam(self.parameters, lr=learning_rate)
        self.begin(seed)

    def begin(self, seed: int) -> None:
        """Draw actions from ``seed``."""
        self.generator = torch.Generator().manual_seed(seed)

    def distribution(self, observation: np.ndarray) -> torch.distributions.Normal:
        """Return the distribution of z for observations of shape (..., 6)."""
        features = np.array(observation, dtype=np.float32)
        features[..., : self.raw] = np.log1p(features[..., : self.raw])
        return torch.distributions.Normal(self.mean(torch.from_numpy(features)), self.log_std.exp())

    def squash(self, z: torch.Tensor) -> np.ndarray:
        """Return λ, inside its range."""
        lam = self.low + (self.high - self.low) * torch.sigmoid(z)
        return lam.numpy().clip(self.low, self.high).astype(np.float32)

    def draw(self, observation: np.ndarray, deterministic: bool = False) -> torch.Tensor:
        """Return z: a sample, or its mean."""
        with torch.no_grad():
            normal = self.distribution(observation)
            if deterministic:
                return normal.mean
            return normal.mean + normal.stddev * torch.randn(normal.mean.shape, generator=self.generator)

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, Any]:
        """Return λ, shape (1,), and no memory."""
        return self.squash(self.draw(observation, deterministic)), state

    def learn(self, env: gym.Env, episodes: int, batch: int = 10, seed: int = 0) -> list[float]:
        """Train on ``episodes`` episodes, ``batch`` of them for each update; returns their returns."""
        returns: list[float] = []
        for start in range(0, episodes, batch):
            rollouts = [self.episode(env, seed if start + index == 0 else None) for index in range(batch)]
            self.update(rollouts)
            returns += [float(rewards.sum()) for _, _, rewards in rollouts]
        return returns

    def episode(self, env: gym.Env, seed: int | None) -> tuple[np.ndarray, torch.Tensor, torch.Tensor]:
        """Act through one episode; returns states (T, 6), latents (T, 1) and rewards (T,)."""
        observation, _ = env.reset(seed=seed)
        states, latents, rewards, done = [], [], [], False
        while not done:
            latent = self.draw(observation)
            states.append(observation)
            latents.append(latent)
            observation, reward, terminated, truncated, _ = env.step(self.squash(latent))
            rewards.append(float(reward))
            done = terminated or truncated
        return np.stack(states), torch.stack(latents), torch.tensor(rewards)

    def update(self, rollouts: list[tuple[np.ndarray, torch.Tensor, torch.Tensor]]) -> None:
        """Ascend Σ log p(z)·(reward to go − its mean over the episodes), in units of its spread."""
        to_go = [rewards.flip(0).cumsum(0).flip(0) for _, _, rewards in rollouts]
        length = max(map(len, to_go))
        padded = torch.stack([nn.functional.pad(gain, (0, length - len(gain))) for gain in to_go])
        baseline, spread = padded.mean(0), padded.std() + 1e-8
        loss = torch.tensor(0.0)
        for (states, latents, _), gain in zip(rollouts, to_go, strict=True):
            advantage = (gain - baseline[: len(gain)]) / spread
            loss = loss - (self.distribution(states).log_prob(latents).squeeze(-1) * advantage).mean()
        self.optimizer.zero_grad()
        (loss / len(rollouts)).backward()
        self.optimizer.step()

    def save(self, path: str | Path) -> None:
        """Write the weights."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        save_file({**self.mean.state_dict(), "log_std": self.log_std.detach()}, path)

    def load(self, path: str | Path) -> None:
        """Read the weights that ``save`` wrote."""
        weights = load_file(path)
        self.log_std.data = weights.pop("log_std")
        self.mean.load_state_dict(weights)


def main() -> None:
    """Train on an id and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--env", default="unlearn_gym/Quadratic-v0", help="id of the environment")
    parser.add_argument("--episodes", type=int, default=300, help="how many to train on")
    parser.add_argument("--seed", type=int, default=0, help="of weights, exploration and environment")
    parser.add_argument("--output", default="runs/reinforce", help="folder for agent.safetensors")
    options = parser.parse_args()
    torch.set_num_threads(1)
    env = gym.make(options.env)
    agent = ReinforceAgent(env, options.seed)
    returns = agent.learn(env, options.episodes, seed=options.seed)
    path = Path(options.output) / "agent.safetensors"
    agent.save(path)
    first, last = np.mean(returns[:20]), np.mean(returns[-20:])
    print(f"Mean return of the first 20 episodes {first:.3f}, of the last 20 {last:.3f}; saved as {path}")


if __name__ == "__main__":
    main()
