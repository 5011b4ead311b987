import gymnasium as gym
import numpy as np
import pytest
import torch
from scipy import integrate, stats
from scipy.special import expit, logit

from unlearn_gym import agents
from unlearn_gym.agents.common.policies import LOG_STD_RANGE, SquashedMlpPolicy, bounded, unbounded
from unlearn_gym.agents.common.squashed import SquashedGaussian, kl_to_standard_normal
from unlearn_gym.agents.common.wrappers import unscale
from unlearn_gym.agents.ppo import SlidingPPO


def policy(mean, log_std, prior="uniform") -> SquashedGaussian:
    as_rows = [torch.tensor(np.atleast_1d(value), dtype=torch.float32)[:, None] for value in (mean, log_std)]
    return SquashedGaussian(1, prior).proba_distribution(*as_rows)


def closed_form(action, mean, std):
    """log p(a) for a = 2·sigmoid(z) − 1, z ~ N(mean, std²), in float64."""
    lam = 0.5 * (1.0 + np.asarray(action, dtype=np.float64))
    return stats.norm.logpdf(logit(lam), mean, std) - np.log(2.0 * lam * (1.0 - lam))


@pytest.mark.parametrize(("mean", "log_std"), [(0.0, 0.0), (3.0, 0.5), (-8.0, -1.0), (12.0, 0.3), (0.5, 1.9)])
def test_log_prob_is_the_closed_form_up_to_the_ends(mean, log_std):
    latents = torch.tensor([-14.0, -10.0, -3.0, -0.1, 0.0, 0.7, 5.0, 9.0, 14.0])
    actions = torch.tanh(latents / 2)[:, None]
    assert actions.abs().max() < 1
    expected = closed_form(actions.squeeze(-1).numpy(), mean, np.exp(log_std))
    np.testing.assert_allclose(policy(mean, log_std).log_prob(actions), expected, rtol=2e-5, atol=2e-5)


def test_log_prob_is_finite_with_finite_gradients_at_the_ends_themselves():
    mean, log_std = torch.zeros(2, 1, requires_grad=True), torch.zeros(2, 1, requires_grad=True)
    ends = torch.tensor([[-1.0], [1.0]])
    log_prob = SquashedGaussian(1).proba_distribution(mean, log_std).log_prob(ends)
    log_prob.sum().backward()
    assert log_prob.isfinite().all() and mean.grad.isfinite().all() and log_std.grad.isfinite().all()


def test_samples_have_the_density():
    torch.manual_seed(0)
    distribution = policy(np.full(20000, 0.8), np.full(20000, -0.2))
    space = gym.spaces.Box(0.1, 0.9, (1,), np.float32)
    lam = unscale(distribution.sample().numpy(), space)[:, 0]
    law = stats.norm(0.8, np.exp(-0.2))
    assert stats.kstest(logit((lam.astype(np.float64) - 0.1) / 0.8), law.cdf).pvalue > 0.01
    mode = unscale(policy(0.8, -0.2).mode().numpy(), space)
    np.testing.assert_allclose(mode, 0.1 + 0.8 * expit(0.8), rtol=1e-6)


@pytest.mark.parametrize(("mean", "log_std"), [(0.0, 0.0), (2.0, 0.5), (-1.0, -3.0), (0.3, 1.5)])
def test_uniform_regulariser_is_the_entropy(mean, log_std):
    def integrand(latent):
        action = np.tanh(latent / 2)
        return -stats.norm.pdf(latent, mean, std) * closed_form(action, mean, std)

    std = np.exp(log_std)
    expected, _ = integrate.quad(integrand, mean - 7 * std, mean + 7 * std, limit=400)
    assert policy(mean, log_std).entropy().item() == pytest.approx(expected, abs=2e-3)


def test_entropy_is_at_most_that_of_the_uniform_and_has_gradients():
    log_std = torch.linspace(-4, 1.9, 50)[:, None].requires_grad_()
    entropy = SquashedGaussian(1).proba_distribution(torch.zeros(50, 1), log_std).entropy()
    assert entropy.max() < np.log(2.0)
    entropy.sum().backward()
    assert (log_std.grad[:20] > 0).all() and log_std.grad[-1] < 0  # wide latents pile up at the ends


def test_gaussian_regulariser_is_the_divergence():
    mean, log_std = torch.tensor([[0.0], [1.5], [-2.0]]), torch.tensor([[0.0], [0.7], [-3.0]])
    normal = torch.distributions.Normal(mean, log_std.exp())
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(kl_to_standard_normal(mean, log_std), expected)
    distribution = SquashedGaussian(1, "gaussian").proba_distribution(mean, log_std)
    torch.testing.assert_close(distribution.entropy(), -expected.squeeze(-1))


def test_bounds_of_log_std_are_smooth_and_inverted():
    for log_std in (-4.5, -1.5, 0.0, 1.9):
        assert bounded(torch.tensor(unbounded(log_std))).item() == pytest.approx(log_std, abs=1e-5)
    raw = torch.tensor([-20.0, 0.0, 20.0], requires_grad=True)
    out = bounded(raw)
    out.sum().backward()
    assert out.min() >= LOG_STD_RANGE[0] and out.max() <= LOG_STD_RANGE[1] and (raw.grad > 0).all()


@pytest.fixture
def model():
    space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    env = gym.make("unlearn_gym/Quadratic-v0")
    env = gym.wrappers.RescaleAction(env, space.low, space.high)
    return SlidingPPO("SquashedMlpPolicy", env, n_steps=20, batch_size=20, seed=0, device="cpu")


def test_std_starts_constant_and_depends_on_the_state_after_learning(model):
    states = torch.randn(50, 6)
    stds = model.policy.get_distribution(states).log_std
    torch.testing.assert_close(stds, torch.zeros(50, 1), atol=1e-5, rtol=0)
    model.learn(200)
    assert model.policy.get_distribution(states).log_std.std() > 1e-4


def test_policy_is_found_by_name_squashes_and_is_saved(model, tmp_path):
    assert isinstance(model.policy, SquashedMlpPolicy) and model.policy.squash_output
    model.policy.save(tmp_path / "policy.pth")
    loaded = SquashedMlpPolicy.load(tmp_path / "policy.pth")
    states = torch.randn(5, 6)
    for deterministic in (True,):
        torch.testing.assert_close(
            loaded._predict(states, deterministic), model.policy._predict(states, deterministic)
        )


@pytest.mark.parametrize("name", ["ppo", "recurrent_ppo"])
def test_rollouts_keep_their_noise_for_so_many_steps_and_predict_draws_its_own(name):
    agent = agents.make(name, gym.make("unlearn_gym/Quadratic-v0"), n_steps=20, batch_size=20, noise_steps=6)
    head, noise, log_probs = agent.model.policy.action_dist, [], []

    def spy(actions, latent=None, original=head.log_prob):
        noise.append(((head.gaussian_actions - head.distribution.loc) / head.distribution.scale).item())
        log_probs.append(original(actions, latent))
        return log_probs[-1]

    head.log_prob, agent.model.train = spy, lambda: None
    agent.learn(20)
    del head.log_prob
    assert (np.flatnonzero(np.abs(np.diff(noise)) > 1e-4) + 1).tolist() == [6, 12, 18]
    np.testing.assert_allclose(agent.model.rollout_buffer.log_probs.ravel(), torch.cat(log_probs).detach())
    state = np.zeros(6, dtype=np.float32)
    agent.begin(0)
    drawn = [agent.predict(state, episode_start=np.array([True]))[0].item() for _ in range(8)]
    assert len(set(drawn)) == 8


def test_noise_of_one_step_is_plain_ppo():
    env = gym.make("unlearn_gym/Quadratic-v0")
    plain, one = (
        agents.make("ppo", env, n_steps=20, batch_size=20, **more) for more in ({}, {"noise_steps": 1})
    )
    assert not one.model.use_sde
    for agent in (plain, one):
        agent.learn(40)
    for mine, other in zip(plain.model.policy.parameters(), one.model.policy.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)
