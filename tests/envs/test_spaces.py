"""What actions and observations mean, number by number."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.spaces.actions import CONTROLS, ENCODINGS, LambdaEncoding, LogitEncoding, log_odds
from unlearn_gym.envs.spaces.observations import Moment
from unlearn_gym.envs.spaces.observers import OBSERVERS, observer_of
from unlearn_gym.envs.spaces.relative import RelativeObserver
from unlearn_gym.errors import UserError
from unlearn_gym.metrics.outcomes.outcome import Outcome
from unlearn_gym.processes.base import Process, Quality, Signals, Update

RANGES = [(0.0, 1.0), (0.1, 0.9), (0.01, 0.9), (0.0, 50.0)]
RATE = 2e-3


class Told(Process):
    """A process that shows what it is told to."""

    model = None
    learning_rate = RATE
    forget_cap = 0.5
    seen = Signals(1.0, 2.0, 0.5, 0.25)

    def reset(self, rng):
        self.factor = None
        return self.seen

    def observe(self):
        return self.seen

    def scale_learning_rate(self, factor):
        self.factor = factor

    def update(self, lam):
        return Update(0.0, 0.0, 0.0)

    def undo(self):
        pass

    def quality(self):
        return Quality(0.1, 0.2)

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class Seen:
    """A meter that sees the same in every model."""

    def measure(self, model, shown, seed):
        return Outcome(0.5, 0.25, 1.0)


def told(process, **options):
    fixed = {"horizon": 10, "alpha": 0.01, "reward": "loss", "divergence_penalty": 1.0, "render_mode": None}
    return UnlearningEnv(process, **{**fixed, "online": False, "lambda_range": (0.1, 0.9), **options})


@pytest.mark.parametrize("lambda_range", RANGES)
def test_the_logit_map_reaches_the_ends_and_has_its_log_odds(lambda_range):
    encoding = LogitEncoding(lambda_range)
    low, high = (float(np.float32(end)) for end in lambda_range)
    assert encoding.decode([-1.0]).lam == low and encoding.decode([1.0]).lam == high
    for a in (-0.9, -0.3, 0.0, 0.5, 0.99):
        position = (encoding.decode([a]).lam - low) / (high - low)
        assert math.log(position / (1 - position)) == pytest.approx(-2 + 2.5 * math.atanh(a))


@pytest.mark.parametrize("lambda_range", RANGES)
@pytest.mark.parametrize("name", ENCODINGS)
def test_encoding_and_decoding_are_inverse(name, lambda_range):
    encoding = ENCODINGS[name](lambda_range, CONTROLS[1])
    for share in (0.0, 0.001, 0.2, 0.5, 0.98, 1.0):
        lam = encoding.low + share * (encoding.high - encoding.low)
        for factor in (0.25, 0.7, 1.0, 4.0):
            action = encoding.encode(lam, factor)
            assert action.dtype == np.float32 and encoding.space.contains(action)
            found = encoding.decode(action)
            assert found.lam == pytest.approx(lam, rel=1e-4, abs=1e-6) and not found.clipped
            assert found.factor == pytest.approx(factor, rel=1e-6)
    assert encoding.decode(encoding.encode(1e9, 1e9)) == encoding.decode(encoding.space.high)
    assert encoding.decode(encoding.encode(-1.0, 1e-9)) == encoding.decode(encoding.space.low)


def test_no_number_is_no_end():
    assert all(np.isnan(kind((0.0, 1.0)).encode(math.nan)).all() for kind in ENCODINGS.values())


def test_the_factor_is_a_power_of_four_or_itself():
    assert LogitEncoding((0, 1), CONTROLS[1]).decode([0.0, 0.5]).factor == pytest.approx(2.0)
    assert LogitEncoding((0, 1), CONTROLS[1]).decode([0.0, -1.0]).factor == 0.25
    assert LambdaEncoding((0, 1), CONTROLS[1]).decode([0.0, 3.0]).factor == 3.0
    assert LambdaEncoding((0, 1), CONTROLS[1]).decode([0.5, 9.0]) == (
        LambdaEncoding((0, 1), CONTROLS[1]).decode([0.5, 4.0]).__class__(0.5, 4.0, clipped=True)
    )


@pytest.mark.parametrize("bad", [[0.5], [0.5, math.nan], [0.5, 1.0, 1.0], "much", None])
def test_two_controls_take_two_numbers(bad):
    with pytest.raises(UserError, match=r"not two finite numbers.*shape \(2,\)"):
        LogitEncoding((0, 1), CONTROLS[1]).decode(bad)


def test_log_odds():
    assert log_odds(0.0) == -math.inf and log_odds(1.0) == math.inf and log_odds(0.5) == 0.0


def test_observers_are_told_by_their_numbers():
    for kind in OBSERVERS.values():
        assert observer_of(len(kind.names)) is kind and set(kind.logged) <= set(kind.names)
        assert list(kind.names)[: len(kind.logged)] == list(kind.logged)
        assert kind(0.1, 0.9).space.shape == (len(kind.names),)
    assert observer_of(3) is None


def test_the_relative_numbers():
    process = Told()
    env = told(process, observation="relative")
    first, _ = env.reset(seed=0)
    usual = [math.log(10 / 50) / 2, math.log(RATE / 5e-4) / 2]
    expected = [math.log(2), 0, 0, math.log(0.5), 4.0, 0, -1, *usual]
    np.testing.assert_allclose(first, expected, rtol=1e-6, atol=1e-7)
    process.seen = Signals(3.0, 0.5, 0.1, 0.9)
    second = env.step([0.3])[0]
    logs = [math.log(0.5 / 3), math.log(3), math.log(0.25), math.log(9)]
    smooth = [(old + new) / 2 for old, new in zip(expected[:4], logs, strict=True)]
    expected = [*smooth, 1.0, math.log(0.25 / 0.75), -0.8, *usual]
    np.testing.assert_allclose(second, expected, rtol=1e-5, atol=1e-7)
    assert env.observation_space.contains(first) and env.observation_space.contains(second)


def test_what_was_not_measured_leaves_the_numbers_as_they_were():
    process = Told()
    process.seen = Signals(0.0, 0.0, 0.0, 0.0)  # a lagged state before the first update
    env = told(process, observation="relative", online=True)
    assert env.reset(seed=0)[0][:5].tolist() == [0.0] * 5
    process.seen = Signals(2.0, 4.0, 1.0, 0.0)  # the first update; an empty forget side has no norm
    numbers = env.step([0.5])[0]
    np.testing.assert_allclose(numbers[:5], [math.log(2), 0, 0, 0, 8.0], rtol=1e-6)
    process.seen = Signals(0.0, 4.0, 0.0, 1.0)
    np.testing.assert_array_equal(env.step([0.5])[0][:5], numbers[:5])
    np.testing.assert_array_equal(env.reset()[0][:5], numbers[:5])  # an online run goes on
    assert env.reset(seed=1)[0][1] == 0.0


def test_without_a_cap_or_a_learning_rate():
    process = Told()
    process.forget_cap = process.learning_rate = None
    observer = RelativeObserver(0.0, 1.0)
    observer.start(process.seen)
    shown = observer.show(Moment(Signals(1.0, 3.0, 1.0, 1.0), 0.5, 0, 10, process))
    assert shown[4] == 1.5 and shown[8] == 0.0


@pytest.mark.parametrize("extreme", [1e-300, 1e300])
def test_extreme_numbers_are_shown_at_the_ends(extreme):
    process = Told()
    env = told(process, observation="relative", horizon=1_000_000)
    env.reset(seed=0)
    process.learning_rate = extreme
    process.seen = Signals(extreme, 1.0 / extreme, 1.0 / extreme, extreme)
    for lam in (0.1, 0.9, 0.5):
        assert env.observation_space.contains(env.step([lam])[0])


@pytest.mark.parametrize("kind", OBSERVERS.values(), ids=OBSERVERS)
def test_the_pace_of_another_horizon(kind):
    process, observer = Told(), kind(0.0, 1.0)
    asked = SimpleNamespace(shown=None, horizon=10)
    observer.attach(SimpleNamespace(process=process, asked=asked, outcome_meter=lambda sizes: Seen()))
    observer.start(process.seen)
    here, there = (
        observer.show(Moment(process.seen, 0.5, step, horizon, process))
        for step, horizon in ((8, 10), (8, 40))
    )
    np.testing.assert_allclose(kind.paced(here, 10 / 40), there, rtol=1e-6, atol=1e-6)
    assert kind.elapsed(there) == pytest.approx(0.2)


def test_the_rate_that_was_used_is_told():
    process = Told()
    env = told(process, action="logit", control=["lambda", "learning_rate"])
    assert env.reset(seed=0)[1]["learning_rate"] == RATE
    *_, info = env.step([0.0, 0.5])
    assert info["learning_rate"] == pytest.approx(2 * RATE) and process.factor == pytest.approx(2.0)
    assert info["lambda"] == pytest.approx(0.1 + 0.8 / (1 + math.exp(2)))
    assert info["reward_terms"]["smoothness"] == pytest.approx(-0.01 * (info["lambda"] - 0.5) ** 2)
    other = told(Told(), action="logit", control=["lambda", "learning_rate"])
    other.reset(seed=1)
    other.load_state_dict(env.state_dict())
    assert other.state_dict()["factor"] == env.state_dict()["factor"] == pytest.approx(2.0)
    assert env.reset()[1]["learning_rate"] == RATE
    assert "learning_rate" not in told(Told()).reset(seed=0)[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"observation": "relativ"}, "choose state, relative or judged"),
        ({"observation": 3}, "observation=3 was given"),
        ({"action": "logs"}, "choose lambda, logit or log"),
        ({"control": "lambda"}, r"give \['lambda'\] or \['lambda', 'learning_rate'\]"),
        ({"control": ["learning_rate"]}, "control="),
    ],
)
def test_wrong_words_are_one_sentence(options, message):
    with pytest.raises(UserError, match=message):
        told(Told(), **options)


def test_no_learning_rate_to_control():
    process = Told()
    process.learning_rate = None
    with pytest.raises(UserError, match="no learning rate to control"):
        told(process, control=("lambda", "learning_rate"))
    with pytest.raises(UserError, match="leave control= out"):
        Process.scale_learning_rate(process, 2.0)
