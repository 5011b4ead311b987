"""Estimates from logged episodes, against closed forms."""

import math

import numpy as np
import pytest

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.off_policy.estimators import ESTIMATORS, Evidence, estimate, evidence_for
from unlearn_gym.evaluation.off_policy.fitted_q import FittedQ
from unlearn_gym.evaluation.off_policy.ranking import sharpe_at_k
from unlearn_gym.evaluation.off_policy.ratios import effective_sample_size, log_ratios, replayed
from unlearn_gym.trajectories.episode import Episode, Latent


class Gaussian:
    """z ~ N(mean, std²) at every observation."""

    def __init__(self, mean=0.0, std=1.0, seed=0):
        self.mean, self.std, self.rng = mean, std, np.random.default_rng(seed)

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        z = self.mean + self.std * self.rng.standard_normal((1, 1))
        self.latent = Latent(np.full((1, 1), self.mean), np.full((1, 1), self.std), z)
        return np.tanh(0.5 * z[0]), state


def logged(behaviour, episodes, steps, reward, terminated=True):
    """Return episodes whose reward is a function of (z, t); the observation is t/T."""
    found = []
    for seed in range(episodes):
        seen = np.linspace(0, 1, steps + 1)[:, None]
        latents = []
        for observation in seen[:-1]:
            behaviour.predict(observation)
            latents.append(behaviour.latent)
        latent = Latent(*(np.concatenate([getattr(x, key) for x in latents]) for key in ("mean", "std", "z")))
        rewards = np.array([float(reward(z, t)) for t, z in enumerate(latent.z[:, 0])])
        actions = np.tanh(0.5 * latent.z)
        found.append(
            Episode(seen, actions, rewards, terminated, not terminated, {}, latent, agent="b", seed=seed)
        )
    return found


def test_ratios_are_those_of_the_densities():
    (episode,) = logged(Gaussian(0.2, 0.5), 1, 3, lambda z, t: z)
    target = Gaussian(-0.1, 0.8)
    z = episode.latent.z[:, 0]
    one = np.exp(-0.5 * ((z + 0.1) / 0.8) ** 2) / 0.8
    other = np.exp(-0.5 * ((z - 0.2) / 0.5) ** 2) / 0.5
    np.testing.assert_allclose(
        np.exp(log_ratios(replayed(target, episode), episode)), one / other, rtol=1e-12
    )


@pytest.mark.parametrize("shift", [0.05, 0.1])
def test_the_effective_share_is_the_closed_form(shift):
    """E[ρ²] = exp((Δ/σ)²) at equal σ, so that exp(−T(Δ/σ)²) of the episodes count."""
    sigma, steps, count = 0.5, 200, 20_000
    z = sigma * np.random.default_rng(0).standard_normal((count, steps))
    sums = ((z - 0.5 * shift * sigma) * shift / sigma).sum(axis=1)
    share = effective_sample_size(sums) / count
    assert share == pytest.approx(math.exp(-steps * shift**2), rel=0.15)


def test_one_weight_for_all_counts_all_and_one_alone_counts_one():
    assert effective_sample_size([3.0] * 7) == pytest.approx(7)
    assert effective_sample_size([0.0, -800.0, -900.0]) == pytest.approx(1)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_behaviour_itself_is_estimated_by_its_mean(name):
    episodes = logged(Gaussian(0.3, 0.7, seed=1), 40, 4, lambda z, t: z + t)
    found = estimate(name, evidence_for(Gaussian(0.3, 0.7), episodes, 0.9))
    assert found.effective == pytest.approx(40)
    returns = np.array([episode.total(0.9) for episode in episodes])
    if (
        name == "dr"
    ):  # Q = z + t + what follows is in its features but for tanh(z/2): little is left of the spread
        assert found.error < 0.5 * returns.std() / math.sqrt(40)
        assert found.value == pytest.approx(sum(0.9**t * (0.3 + t) for t in range(4)), abs=4 * found.error)
    else:
        assert found.value == pytest.approx(returns.mean())
        assert found.error == pytest.approx(returns.std() / math.sqrt(40), rel=0.02)


def test_another_policy_is_estimated_within_its_error():
    """The true return is Σ γ^t (μ + t)."""
    episodes = logged(Gaussian(0.0, 0.7, seed=2), 1000, 3, lambda z, t: z + t)
    evidence = evidence_for(Gaussian(0.35, 0.7), episodes, 0.9)
    truth = sum(0.9**t * (0.35 + t) for t in range(3))
    found = {name: estimate(name, evidence) for name in ESTIMATORS}
    for one in found.values():
        assert one.value == pytest.approx(truth, abs=4 * one.error)
        assert 10 < one.effective < 1000
        assert one.error < 0.25
    assert found["dr"].error < found["pdis"].error < found["is"].error


def test_an_exact_q_takes_all_variance_away():
    rng = np.random.default_rng(3)
    rewards = rng.standard_normal((20, 1))
    weights = rng.uniform(0.5, 2.0, (20, 1))
    evidence = Evidence(weights, rewards, 20.0, taken=rewards, expected=np.full((20, 1), 0.25))
    found = estimate("dr", evidence)
    assert (found.value, found.error) == (0.25, 0.0)


def test_steps_by_hand():
    """Two episodes of two steps."""
    weights, rewards = (
        [np.array([2.0, 1.0]), np.array([0.5, 3.0])],
        [np.array([1.0, 4.0]), np.array([2.0, 0.0])],
    )
    taken, expected = [np.array([1.0, 1.0])] * 2, [np.array([2.0, 3.0])] * 2
    evidence = Evidence(weights, rewards, 10.0, taken, expected)
    by_hand = {
        "is": (1 * 5 + 3 * 2) / 2,
        "pdis": ((2 * 1 + 1 * 4) + (0.5 * 2 + 0)) / 2,
        "wis": (1 * 5 + 3 * 2) / 4,
        "dr": ((2 + 0 + 2 * 3 + 1 * 3) + (2 + 0.5 * 1 + 0.5 * 3 + 3 * -1)) / 2,
    }
    for name, value in by_hand.items():
        assert estimate(name, evidence).value == pytest.approx(value)


def test_fitted_q_is_the_closed_form_where_its_features_hold_it():
    """r = a² (a = tanh(z/2)) and γ = 1/2: Q(s_t, a) = a² + E[a²]·(γ + … + γ^{T−1−t})."""
    behaviour, target, steps = Gaussian(0.0, 1.0, seed=4), Gaussian(0.4, 0.3), 2
    episodes = logged(behaviour, 400, steps, lambda z, t: math.tanh(0.5 * z) ** 2)
    targets = [replayed(target, episode) for episode in episodes]
    fit = FittedQ(episodes, targets, 0.5)
    draws = 0.4 + 0.3 * np.random.default_rng(5).standard_normal(400_000)
    mean = np.square(np.tanh(0.5 * draws)).mean()
    squares = np.square(episodes[0].actions[:, 0])
    np.testing.assert_allclose(fit.taken(episodes[0]), squares + np.array([0.5 * mean, 0.0]), atol=5e-3)
    np.testing.assert_allclose(fit.expected(episodes[0], targets[0]), [1.5 * mean, mean], atol=5e-3)


def test_too_few_effective_episodes_are_refused_in_one_sentence():
    episodes = logged(Gaussian(0.0, 0.5), 50, 200, lambda z, t: 0.0)
    evidence = evidence_for(Gaussian(0.1, 0.5), episodes)  # 0.2 σ away
    for name in ESTIMATORS:
        with pytest.raises(UserError, match=r"effective sample size is .* of 50 episodes, below 10"):
            estimate(name, evidence)
    with pytest.raises(UserError, match="no estimator 'magic'; choose from is, pdis, wis, dr"):
        estimate("magic", evidence)


def test_what_has_no_density_is_refused():
    episodes = logged(Gaussian(), 2, 3, lambda z, t: z)
    constant = Gaussian(std=0.0)
    with pytest.raises(UserError, match="draws λ from no Gaussian"):
        evidence_for(constant, episodes)
    with pytest.raises(UserError, match="The episodes of b were not drawn from a Gaussian"):
        evidence_for(Gaussian(), logged(constant, 2, 3, lambda z, t: z))
    with pytest.raises(UserError, match="1 logged episodes are too few"):
        evidence_for(Gaussian(), episodes[:1])


def test_sharpe_looks_at_the_first_k_alone():
    estimates, values = [5, 4, 3, 2, 1], [1.0, 3.0, 2.0, 9.0, -9.0]
    assert sharpe_at_k(estimates, values, 0.5, 3) == pytest.approx((3.0 - 0.5) / 1.0)
    assert sharpe_at_k([5, 4, 3, 1, 2], values, 0.5, 3) == sharpe_at_k(estimates, values, 0.5, 3)
    assert sharpe_at_k(estimates, values, 4.0, 3) == 0.0
    assert sharpe_at_k([1, 2, 3], [2.0] * 3, 1.0, 2) is None
    for k in (1, 6):
        with pytest.raises(UserError, match="give 2 to 5"):
            sharpe_at_k(estimates, values, 0.5, k)
    with pytest.raises(UserError, match="2 estimates of 5 values"):
        sharpe_at_k([1, 2], values, 0.5, 2)
