"""What is particular to the EMSE environments; what all have in common is tested in test_registry.py."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.envs.small_supervised import user_problem
from unlearn_gym.errors import UserError
from unlearn_gym.models.networks import ResNet20
from unlearn_gym.models.supervised.tasks import get_supervised_task

DIGITS = "unlearn_gym/EMSE-Digits-v0"
USER = "unlearn_gym/EMSE-v0"
POLYNOMIAL = "unlearn_gym/EMSE-Polynomial-v0"


def run(env, lam, seed=0):
    """Unlearn with a constant λ; returns the sum of the rewards and the unwrapped environment."""
    env.reset(seed=seed)
    total, terminated = 0.0, False
    while not terminated:
        _, reward, terminated, _, _ = env.step(np.array([lam]))
        total += reward
    return total, env.unwrapped


def accuracy(env, part):
    model = env.process.model.eval()
    return float((model(part.inputs).argmax(1) == part.labels).float().mean())


@pytest.mark.parametrize("objective", ["linear", "likelihood"])
def test_a_class_is_forgotten_and_the_others_are_kept(objective):
    _, env = run(gym.make(DIGITS, objective=objective, state="lagged", horizon=120), 0.5)
    assert accuracy(env, env.process.data.forget_holdout) < 0.3
    assert accuracy(env, env.process.data.retain_holdout) > 0.95


def test_progress_pays_for_forgetting():
    kwargs = {"state": "lagged", "horizon": 60, "alpha": 0.0}
    assert run(gym.make(DIGITS, **kwargs), 0.5)[0] > run(gym.make(DIGITS, **kwargs), 0.0)[0]


def test_single_images_can_be_forgotten():
    env = gym.make(DIGITS, task_kwargs={"forget_indices": [1, 2, 3], "pretrain_epochs": 1}, batch_size=8)
    assert len(env.unwrapped.process.data.forget) == 3
    env.reset(seed=0)


def test_the_benchmarks_environments_use_its_networks_and_batches():
    spec = gym.spec("unlearn_gym/EMSE-VGG16BN-v0")
    assert spec.kwargs == {"task": "vgg16bn-cifar100", "batch_size": 256}
    env = gym.make("unlearn_gym/EMSE-ResNet20-v0", task_kwargs={"pretrain_epochs": 1}, batch_size=4).unwrapped
    assert isinstance(env.process.model, ResNet20)
    assert env.process.data.retain.inputs.shape[1:] == (3, 32, 32)


@pytest.mark.parametrize("task", ["vgg16bn-cifar100", "mobilenetv2-fmnist"])
def test_the_large_tasks_find_their_data(task):
    made = get_supervised_task(task)
    assert made.network(0)(made.data.retain.inputs[:2]).shape == (2, made.data.num_classes)


def test_a_users_model_is_copied_and_saved(tmp_path):
    problem = user_problem()
    before = [p.clone() for p in problem["model"].parameters()]
    _, env = run(gym.make(USER, **problem, horizon=3, batch_size=8), 0.5)
    assert all(map(torch.equal, before, problem["model"].parameters()))
    env.save(tmp_path / "model.safetensors")
    stored = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(stored[k], v) for k, v in env.process.model.state_dict().items())


def test_a_users_regression():
    x = np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
    env = gym.make(USER, model=nn.Linear(1, 1), retain_data=(x, 2 * x), forget_data=(x, -x), batch_size=8)
    observation, _ = env.reset(seed=0)
    assert observation[0] > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": None}, "own model and data"),
        ({"model": nn.Linear(4, 3)}, "cannot be applied"),
        ({"model": nn.Linear(5, 2)}, "returns \\(2, 3\\)"),
        ({"num_classes": 2}, "the model knows 0 to 1"),
        ({"objective": "cubic"}, "likelihood, linear"),
        ({"lambda_range": (1.0, 0.5)}, "lambda_range"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(UserError, match=message):
        gym.make(USER, **{**user_problem(), **changes})


def test_a_task_that_is_not_there():
    with pytest.raises(UserError, match="forget_class=12"):
        gym.make(DIGITS, task_kwargs={"forget_class": 12})


def test_polynomial_redraws_its_problem_only_if_asked():
    for draw, same in ((3, True), (None, False)):
        env = gym.make(POLYNOMIAL, draw=draw, horizon=2).unwrapped
        env.reset(seed=0)
        first = env.process.data.retain.labels
        env.reset()
        assert torch.equal(first, env.process.data.retain.labels) == same


def test_polynomial_lifts_the_wanted_fit():
    env = gym.make(POLYNOMIAL, curves_kwargs={"unwanted_share": 0.45}, state="lagged")
    env.reset(seed=0)
    before = env.unwrapped.process.quality()
    total, unwrapped = run(env, 0.02)
    after = unwrapped.process.quality()
    assert after.retain_loss < 0.05 < before.retain_loss
    assert after.forget_loss > before.forget_loss
    assert total > 1


def test_the_largest_weight_trivially_raises_the_loss_reward():
    returns = [
        run(gym.make(POLYNOMIAL, reward="loss", state="lagged", horizon=30), lam)[0] for lam in (0.0, 1.0)
    ]
    assert returns[1] > returns[0]


def test_saved_state_of_a_redrawn_problem_goes_on_elsewhere():
    first, second = (gym.make(POLYNOMIAL, draw=None, horizon=5).unwrapped for _ in range(2))
    first.reset(seed=1)
    second.reset(seed=2)
    first.step(np.array([0.3]))
    second.load_state_dict(first.state_dict())
    x, y = (env.step(np.array([0.1])) for env in (first, second))
    np.testing.assert_array_equal(x[0], y[0])
    assert x[1] == y[1]
