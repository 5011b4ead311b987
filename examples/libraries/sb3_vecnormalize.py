"""Stable-Baselines3 with VecNormalize and EvalCallback, and its files as an agent of Unlearn Gym. 10 seconds.

    python examples/libraries/sb3_vecnormalize.py --output runs/sb3

``Quadratic-v0`` is a closed form: an episode's last λ decides, and the best is 0.7. Does the policy come near it?
Then put a real one in its place: ``--env unlearn_gym/Weighted-Digits-v0 --steps 4000`` (minutes).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gymnasium as gym
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

import unlearn_gym  # registers the environments


class SaveStatistics(BaseCallback):
    """Save what VecNormalize has seen; EvalCallback saves the best model without it, which is then worth nothing."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def _on_step(self) -> bool:
        statistics = self.model.get_vec_normalize_env()
        assert statistics is not None
        statistics.save(str(self.path))
        return True


def train(env_id: str, steps: int, seed: int, folder: Path) -> str:
    """Train PPO; return its best model and statistics as Unlearn Gym's name of an agent."""
    train_envs = VecNormalize(make_vec_env(env_id, n_envs=2, seed=seed))
    # The judge sees real rewards, other seeds, and observations scaled by the statistics of the training.
    judge_envs = VecNormalize(make_vec_env(env_id, seed=seed + 500), training=False, norm_reward=False)
    judge = EvalCallback(
        judge_envs,
        callback_on_new_best=SaveStatistics(folder / "vecnormalize.pkl"),
        n_eval_episodes=5,
        eval_freq=max(steps // 20, 1),  # in steps of both environments together: ten times in all
        best_model_save_path=str(folder),
        log_path=str(folder),
    )
    model = PPO("MlpPolicy", train_envs, n_steps=100, batch_size=50, learning_rate=1e-3, gamma=1.0, seed=seed)
    model.learn(steps, callback=judge)
    return f"{folder / 'best_model.zip'}:{folder / 'vecnormalize.pkl'}"


def main() -> None:
    """Train, then run the best model and two constants on seeds that nobody has seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default="unlearn_gym/Quadratic-v0")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("runs/sb3"))
    chosen = parser.parse_args()

    chosen.output.mkdir(parents=True, exist_ok=True)
    learned = train(chosen.env, chosen.steps, chosen.seed, chosen.output)

    env = gym.make(chosen.env)
    print(f"{'agent':>12}  return  last λ")
    for name, spec in {"PPO": learned, "λ = 0.3": "static:0.3", "λ = 0.7": "static:0.7"}.items():
        agent = unlearn_gym.agents.resolve(spec, env)
        state, _ = env.reset(seed=1000)
        total, done = 0.0, False
        while not done:
            action, _ = agent.predict(state, deterministic=True)
            state, reward, done, _, info = env.step(action)
            total += float(reward)
        print(f"{name:>12}  {total:6.3f}  {info['lambda']:6.3f}")
    print(f"In a report: unlearn-gym evaluate --env {chosen.env} --agents static:0.7 {learned}")


if __name__ == "__main__":
    main()
