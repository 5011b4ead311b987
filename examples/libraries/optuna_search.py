"""Search the constant λ with Optuna, and judge it on seeds that the search never saw. A minute.

    pip install 'unlearn-gym[tune]'
    python examples/libraries/optuna_search.py

The digits' diffusion model has 40 updates to forget its ankle boots under the ``weighted`` objective. A trial is one
run at one λ; it is stopped where it is behind the median of the trials before it. All runs of a seed see the same
images and noise. To search an agent's settings instead: ``unlearn-gym tune ppo --help``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import gymnasium as gym
import optuna

import unlearn_gym  # noqa: F401 (registers the environments)


def run(env: gym.Env, lam: float, seed: int) -> Iterator[tuple[int, float]]:
    """Unlearn at a constant λ; yield the updates so far and the return so far."""
    env.reset(seed=seed)
    total, done = 0.0, False
    while not done:
        _, reward, done, _, info = env.step([lam])
        total += float(reward)
        yield info["step"], total


def main() -> None:
    """Search, then compare the best λ with the default one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--updates", type=int, default=40)
    parser.add_argument("--judging-seeds", type=int, default=4)
    chosen = parser.parse_args()
    # "lagged" reads the state off the updates, and nobody looks at it here: half the time of a step.
    env = gym.make(
        "unlearn_gym/Weighted-Digits-v0",
        horizon=chosen.updates,
        lambda_range=(0.01, 0.9),
        state="lagged",
        grad_norms=False,
    )

    def objective(trial: optuna.Trial) -> float:
        lam = trial.suggest_float("lambda", 0.01, 0.9, log=True)
        total = 0.0
        for step, total in run(env, lam, seed=0):
            trial.report(total, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return total

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=chosen.updates // 4),
    )
    study.enqueue_trial({"lambda": 0.5})  # what one would take without a search
    study.optimize(objective, n_trials=chosen.trials)

    print("  λ     return  (trials that were stopped early have none)")
    for trial in sorted(study.trials, key=lambda trial: trial.params["lambda"]):
        stopped = trial.state == optuna.trial.TrialState.PRUNED
        print(f"{trial.params['lambda']:.3f}  " + ("     –" if stopped else f"{trial.value:7.3f}"))
    best = study.best_params["lambda"]
    seeds = range(1000, 1000 + chosen.judging_seeds)
    print(f"On {len(seeds)} other seeds:")
    for name, lam in {"best": best, "default": 0.5}.items():
        totals = [list(run(env, lam, seed))[-1][1] for seed in seeds]
        print(f"  {name:>7}, λ = {lam:.3f}: mean return {sum(totals) / len(totals):.3f}")


if __name__ == "__main__":
    main()
