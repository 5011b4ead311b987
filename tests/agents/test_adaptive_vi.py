import gymnasium as gym
import numpy as np
import pytest
import torch

from unlearn_gym import agents

OBSERVATION = np.array([0.3, 1.2, 0.5, 1.5, 0.5, 0.0], np.float32)


@pytest.fixture
def env():
    return gym.make("unlearn_gym/Quadratic-v0")


def feed(agent, gradient, steps, **extra):
    info = {"dloss_dlambda": gradient, "dvariance_dlambda": 0.0, "diverged": False, **extra}
    rng = np.random.default_rng(0)
    for _ in range(steps):
        observation = (OBSERVATION * rng.uniform(0.8, 1.2, 6)).astype(np.float32)
        agent.predict(observation)
        agent.feedback(observation, None, 0.0, info)


def test_full_estimator_goes_to_the_prior(env):
    agent = agents.make("adaptive_vi:full", env, learning_rate=1e-2, beta=1.0)
    with torch.no_grad():
        agent.net[-1].bias.copy_(torch.tensor([2.0, -2.0]))  # far from it at first
    feed(agent, 7.0, 600)
    mean, log_std = agent.infer(OBSERVATION)
    assert abs(mean.item()) < 0.1 and abs(log_std.item()) < 0.1
    assert agent.squash(mean).item() == pytest.approx(0.5, abs=0.02)
    assert (
        len({agent.predict(OBSERVATION, deterministic=True)[0].item() for _ in range(3)}) == 3
    )  # always drawn


@pytest.mark.parametrize(
    ("estimator", "key"), [("weights", "dloss_dlambda"), ("variance", "dvariance_dlambda")]
)
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_lambda_goes_against_the_gradient(estimator, key, sign, env):
    agent = agents.make("adaptive_vi", env, estimator=estimator)
    before = agent.predict(OBSERVATION, deterministic=True)[0][0]
    feed(agent, 0.0, 200, **{key: 5.0 * sign})
    after = agent.predict(OBSERVATION, deterministic=True)[0][0]
    assert (after - before) * sign < -0.1


def test_gradient_is_that_of_finite_differences(env):
    """The loss seen through λ is linear with slope ``gradient``; in the weights it is not."""
    agent = agents.make("adaptive_vi", env, beta=0.3)
    agent.net.double()
    noise, slope, step = 0.7, 2.5, 1e-6

    def loss():
        features = torch.from_numpy(np.log1p(OBSERVATION[:4].astype(np.float64)))
        mean, log_std = agent.net((features) / np.sqrt(1 + 1e-8))
        lam = 0.1 + 0.8 * torch.sigmoid(mean + log_std.exp() * noise)
        normal, prior = torch.distributions.Normal(mean, log_std.exp()), torch.distributions.Normal(0.0, 1.0)
        return slope * lam + 0.3 * torch.distributions.kl_divergence(normal, prior)

    agent.infer = lambda observation: tuple(
        agent.net(torch.from_numpy(np.log1p(observation[:4].astype(np.float64))) / np.sqrt(1 + 1e-8))
    )
    agent.objective(OBSERVATION, noise, slope).backward()
    for parameter in (agent.net[-1].bias, agent.net[0].bias):
        for index in range(2):
            with torch.no_grad():
                parameter[index] += step
                above = loss()
                parameter[index] -= 2 * step
                below = loss()
                parameter[index] += step
            difference = ((above - below) / (2 * step)).item()
            assert parameter.grad[index].item() == pytest.approx(difference, rel=1e-4, abs=1e-7)


def test_environment_gradient_has_the_sign_of_finite_differences(env):
    """``info["dloss_dlambda"]`` is the slope of the step's loss: two λ from one state tell."""
    losses = {}
    for lam in (0.3, 0.6):
        env.reset(seed=0)
        env.step(np.array([0.4], np.float32))
        _, _, _, _, info = env.step(np.array([lam], np.float32))
        losses[lam] = info["loss"]
    assert info["dloss_dlambda"] == pytest.approx((losses[0.6] - losses[0.3]) / 0.3, rel=1e-4)


def test_diverged_step_teaches_nothing(env):
    agent = agents.make("adaptive_vi", env)
    before = [parameter.clone() for parameter in agent.net.parameters()]
    feed(agent, float("nan"), 1)
    feed(agent, 3.0, 1, diverged=True)
    assert all(one.equal(other) for one, other in zip(before, agent.net.parameters(), strict=True))


def test_runs_begin_with_the_same_knowledge(env):
    agent = agents.make("adaptive_vi", env)
    agent.begin(0)
    start = agent.predict(OBSERVATION)[0]
    feed(agent, 5.0, 50)
    agent.begin(0)
    assert agent.predict(OBSERVATION)[0] == start
