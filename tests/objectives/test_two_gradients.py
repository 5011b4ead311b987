"""The rules for two gradients: every identity that their closed forms are said to have, on random vectors."""

import math

import gymnasium
import numpy as np
import pytest

from unlearn_gym.objectives.base import Parts
from unlearn_gym.objectives.two_gradients.base import Angle
from unlearn_gym.objectives.two_gradients.cagrad import CAGrad
from unlearn_gym.objectives.two_gradients.gu import GU, GUConflict
from unlearn_gym.objectives.two_gradients.mgda import MGDA
from unlearn_gym.objectives.two_gradients.nash import NashBargain
from unlearn_gym.objectives.two_gradients.pcgrad import PCGrad
from unlearn_gym.objectives.two_gradients.setpoint import Barrier, Lexicographic

RULES = (GU, GUConflict, PCGrad, Lexicographic, Barrier, MGDA, CAGrad, NashBargain)
LAMBDAS = (0.0, 0.1, 0.5, 0.9, 1.0)


def vectors(count=60):
    """Return pairs of vectors at every angle, also of very different lengths."""
    rng = np.random.default_rng(0)
    for index in range(count):
        g, a = rng.normal(size=(2, 3))
        a = a * 10 ** rng.uniform(-4, 2) + (index % 3 - 1) * g
        if angle_of(g, a).cosine > -0.99:
            yield g, a


def angle_of(g, a, kept=1.0):
    return Angle(float(g @ g), float(a @ a), float(g @ a), kept)


def direction(rule, lam, g, a, kept=1.0):
    x, y = rule.coefficients(lam, angle_of(g, a, kept))
    return x * g + y * a


def cases():
    return ((lam, g, a) for lam in LAMBDAS for g, a in vectors())


def test_gu_keeps_the_retain_rate_and_gains_on_the_weighted_sum():
    for lam, g, a in cases():
        d = direction(GU(), lam, g, a)
        assert d @ g == pytest.approx((1 - lam) * (g @ g), rel=1e-9, abs=1e-9 * np.linalg.norm(d))
        gain, cosine = d @ a - (1 - lam) * (g @ a), angle_of(g, a).cosine
        assert gain == pytest.approx(lam * (a @ a) * (1 - cosine**2), rel=1e-6, abs=1e-8 * (a @ a))


def test_one_sided_gu_is_one_of_two():
    for lam, g, a in cases():
        other = GU() if g @ a < 0 else None
        wanted = direction(other, lam, g, a) if other else (1 - lam) * g + lam * a
        assert direction(GUConflict(), lam, g, a) == pytest.approx(wanted, rel=1e-12)


def test_pcgrad_projects_conflicts_and_adds_the_rest():
    for lam, g, a in cases():
        d, cosine = direction(PCGrad(), lam, g, a), angle_of(g, a).cosine
        if g @ a >= 0:
            assert d == pytest.approx((1 - lam) * g + lam * a, rel=1e-12)
            continue
        left = 1 - cosine**2
        assert d @ g == pytest.approx((1 - lam) * (g @ g) * left, rel=1e-6, abs=1e-9)
        assert d @ a == pytest.approx(lam * (a @ a) * left, rel=1e-6, abs=1e-9)


def test_lexi_sets_the_rate_and_the_barrier_bounds_it():
    for lam, g, a in cases():
        lexi, barrier = (direction(rule(), lam, g, a) for rule in (Lexicographic, Barrier))
        assert lexi @ a == pytest.approx(lam * (a @ a), rel=1e-9, abs=1e-9)
        assert barrier @ a >= lam * (a @ a) * (1 - 1e-9) - 1e-9
        if lam * (a @ a) >= g @ a:
            assert lexi == pytest.approx(barrier)
        else:
            assert barrier == pytest.approx(g)


def test_gu_is_blur_with_keeping_as_its_lower_level():
    for lam, g, a in cases():
        if lam > 0:
            rate = (1 - lam) / lam
            blur = a + (rate - (g @ a) / (g @ g)) * g
            assert direction(GU(), lam, g, a) == pytest.approx(lam * blur)


def test_lexi_is_the_released_form_of_blur():
    for g, a in vectors():
        weight = 4.0
        released = a + weight * (g - (g @ a) / (a @ a) * a)
        assert direction(Lexicographic(), 1 / weight, g, a) == pytest.approx(released / weight)


def test_mgda_is_the_shortest_convex_combination():
    for g, a in vectors():
        d = direction(MGDA(), 0.5, g, a)
        grid = np.linspace(0, 1, 2001)[:, None]
        shortest = np.linalg.norm(grid * g + (1 - grid) * a, axis=1).min()
        assert np.linalg.norm(d) <= shortest * (1 + 1e-9)
        assert min(d @ g, d @ a) >= (d @ d) * (1 - 1e-9) - 1e-12


@pytest.mark.parametrize("radius", [0.2, 0.5, 0.9])
def test_cagrad_solves_its_problem(radius):
    grid = np.linspace(0, 1, 20001)[:, None]
    for lam, g, a in cases():
        g0 = (1 - lam) * g + lam * a
        k = radius * np.linalg.norm(g0)
        mixed = grid * g + (1 - grid) * a
        best = (mixed @ g0 + k * np.linalg.norm(mixed, axis=1)).min()
        rule = CAGrad(radius=radius)
        w = rule._worst(lam, k, angle_of(g, a))
        own = w * g + (1 - w) * a
        assert own @ g0 + k * np.linalg.norm(own) <= best + 1e-6 * abs(best) + 1e-12
        assert np.linalg.norm(direction(rule, lam, g, a) - g0) <= k * (1 + 1e-9) + 1e-12


def test_cagrad_without_a_radius_is_the_weighted_sum():
    for lam, g, a in cases():
        assert direction(CAGrad(radius=0.0), lam, g, a) == pytest.approx((1 - lam) * g + lam * a)


def test_the_bargain_has_the_retain_gradients_length_and_its_own_cosines():
    for lam, g, a in cases():
        angle = angle_of(g, a)
        x, y = NashBargain().coefficients(lam, angle)
        d, length = x * g + y * a, np.linalg.norm(g)
        assert np.linalg.norm(d) == pytest.approx(length, rel=1e-7)
        x2 = y * np.sqrt(angle.forget2 / angle.retain2)
        if 0 < lam < 1:
            assert d @ g / length**2 == pytest.approx((1 - lam) / x, rel=1e-6)
            assert d @ a / (length * np.linalg.norm(a)) == pytest.approx(lam / x2, rel=1e-6)


def test_the_bargain_does_not_see_the_scale_of_forgetting():
    for lam, g, a in cases():
        plain = direction(NashBargain(), lam, g, a, kept=0.7)
        assert direction(NashBargain(), lam, g, 1e3 * a, kept=0.7) == pytest.approx(plain)


def test_opposed_gradients_have_no_bargain():
    g = np.array([1.0, 2.0])
    assert direction(NashBargain(), 0.5, g, -3 * g) == pytest.approx([0, 0])


@pytest.mark.parametrize("rule", [GU, GUConflict, NashBargain, PCGrad, Barrier])
def test_without_forgetting_it_is_the_retain_gradient(rule):
    for g, a in vectors():
        p = g @ a
        kept = g - p / (a @ a) * a if rule is Barrier and p < 0 else g
        if rule is PCGrad and p < 0:
            kept = g - p / (a @ a) * a
        assert direction(rule(), 0.0, g, a) == pytest.approx(kept)


@pytest.mark.parametrize("rule", RULES)
def test_a_vanished_side_leaves_the_other(rule):
    g, none = np.array([1.0, -2.0]), np.zeros(2)
    for lam in LAMBDAS:
        forgotten = direction(rule(), lam, g, none)
        assert np.isfinite(forgotten).all() and np.isfinite(direction(rule(), lam, none, g)).all()
        if rule in (GU, GUConflict, PCGrad):
            assert forgotten == pytest.approx((1 - lam) * g)
            assert direction(rule(), lam, none, g) == pytest.approx(lam * g)
    assert np.isfinite(direction(rule(), 0.5, none, none)).all()
    if rule in (Lexicographic, Barrier):
        assert direction(rule(), 0.5, g, none) == pytest.approx(g)
    if rule is MGDA:
        assert direction(rule(), 0.5, g, none) == pytest.approx(none)


@pytest.mark.parametrize("rule", RULES)
def test_the_loss_its_slope_and_its_gradient_are_those_of_the_bounded_objective(rule):
    rng = np.random.default_rng(1)
    for _ in range(20):
        g, f = rng.normal(size=(2, 3))
        retain, forget, cap = 0.3, rng.uniform(0.01, 0.3), 0.15
        zero = np.zeros(0)
        parts = Parts(retain, forget, np.linalg.norm(g), np.linalg.norm(f), float(g @ f), zero, zero, zero)
        objective, kept = rule(forget_cap=cap), 1 / math.cosh(forget / cap) ** 2
        x, y = objective.coefficients(0.4, angle_of(g, -kept * f, kept))
        found = objective.combine(0.4, parts)
        assert (found.c_retain, found.c_forget) == pytest.approx((x, -y * kept))
        assert found.loss == pytest.approx(x * retain - y * cap * math.tanh(forget / cap))
        h = 1e-5
        near = [objective.coefficients(lam, angle_of(g, -kept * f, kept)) for lam in (0.4 - h, 0.4 + h)]
        losses = [x * retain - y * cap * math.tanh(forget / cap) for x, y in near]
        assert found.dloss_dlambda == pytest.approx((losses[1] - losses[0]) / (2 * h), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("state", ["fresh", "lagged"])
def test_info_tells_the_cosine(state):
    env = gymnasium.make("unlearn_gym/Weighted-Digits-v0", objective="gu", state=state, horizon=3)
    _, info = env.reset(seed=0)
    assert info["cosine"] == 0.0
    cosines = [env.step(np.array([0.5], dtype=np.float32))[-1]["cosine"] for _ in range(3)]
    assert all(-1 <= c <= 1 and c != 0 for c in cosines)
    plain = gymnasium.make("unlearn_gym/Weighted-Digits-v0", horizon=3)
    assert "cosine" not in plain.reset(seed=0)[1]
