"""One-step generators that forget a label: no image is used, options, what is saved, and every agent."""

from dataclasses import dataclass, replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from unlearn_gym import agents
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.envs.making import make_env
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.run import rollout
from unlearn_gym.metrics.outcomes.outcome import SampleSizes
from unlearn_gym.models.diffusion.model import DiffusionModel
from unlearn_gym.models.sfd.generator import generate
from unlearn_gym.models.sfd.schedule import Schedule
from unlearn_gym.models.sfd.tasks import SFD_TASKS, SFDTask, get_sfd_task
from unlearn_gym.objectives.sfd import OVERRIDES

ID = "unlearn_gym/SFD-Digits-v0"
SHORT = {"horizon": 3, "batch_size": 8}


@pytest.fixture(scope="module")
def task():
    return get_sfd_task("digits")


def make(**kwargs):
    return gym.make(ID, **{**SHORT, **kwargs}).unwrapped


def shown(env, lam=0.1):
    parts = [env.reset(seed=0)[0]]
    for _ in range(env.horizon):
        observation, reward, *_ = env.step(env.encoding.encode(lam))
        parts += [observation, np.array([reward])]
    return np.concatenate(parts)


@dataclass(frozen=True)
class BlindTask(SFDTask):
    """The task of the digits with the models that there are, whatever became of the images."""

    def teacher(self):
        return get_sfd_task("digits").teacher()

    def judge(self):
        return get_sfd_task("digits").judge()

    def distilled(self, device=None):
        return get_sfd_task("digits").distilled()


@pytest.mark.parametrize("override", OVERRIDES)
def test_no_image_is_ever_looked_at(override, task, monkeypatch):
    """With every image of the data NaN, those to forget and those to keep, an episode is the same."""

    def blank(part):
        return LabelledSet(torch.full_like(part.inputs, torch.nan), part.labels)

    data = task.task.data
    names = ("retain", "forget", "retain_holdout", "forget_holdout")
    blind = replace(data, **{name: blank(getattr(data, name)) for name in names})
    monkeypatch.setitem(SFD_TASKS, "blind", lambda: BlindTask("digits", replace(task.task, data=blind)))
    options = {"override": override, "horizon": 2}
    seen, unseen = shown(make(**options)), shown(make(task="blind", **options))
    assert np.isfinite(unseen).all()
    np.testing.assert_array_equal(seen, unseen)


def test_the_generator_that_ships_is_recognised_in_one_step(task):
    """Each label's samples show what was learned under it, at least nine of ten."""
    distilled, teacher = task.distilled(), task.teacher()
    labels = torch.arange(10).repeat_interleave(200)
    noise = torch.randn(len(labels), 1, 8, 8, generator=torch.Generator().manual_seed(1))
    schedule = Schedule.of(teacher.scheduler, noise)
    said = task.judge()(generate(distilled.generator, schedule, labels, noise)).argmax(1)
    shares = (said == labels).view(10, 200).float().mean(1)
    assert shares.min() >= 0.9 and shares.mean() >= 0.95


def test_any_label_can_be_forgotten_and_no_other_is_drawn(task):
    env = make(forget_label=7)
    env.reset(seed=0)
    assert env.process.retained.tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert env.task.request(7).forget.labels.unique().tolist() == [7]
    assert len(env.task.request(1).forget) == task.counts[1]  # ones and boots
    with pytest.raises(UserError, match="forget_label=10 is no label of this model"):
        make(forget_label=10)


@pytest.mark.parametrize("lam", [1e-3, 1.0])
@pytest.mark.parametrize("override", OVERRIDES)
def test_overrides_stay_finite_at_both_ends(override, lam):
    assert np.isfinite(shown(make(override=override), lam)).all()


def test_actions_are_on_a_log_scale():
    env = make()
    env.reset(seed=0)
    assert env.step(np.array([0.0], np.float32))[4]["lambda"] == pytest.approx(10**-1.5, rel=1e-4)
    assert env.step(np.array([-1.0], np.float32))[4]["lambda"] == pytest.approx(1e-3, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"override": "nearest"}, "override='nearest' is not known"),
        ({"override_kwargs": {"labels": 3}}, "override_kwargs of 'fixed' has no keyword 'labels'"),
        ({"override": "posterior", "override_kwargs": {"gate": True}}, "λ below 1 with a gate"),
        ({"fake_weight": "tied"}, "fake_weight='tied'"),
        ({"ema": 1.0}, "ema=1.0"),
        ({"forget_label": "1"}, "forget_label='1'"),
        ({"batch_size": 7}, "has no halves"),
        ({"task": "letters"}, "no one-step task 'letters'; choose one of digits, mnist"),
        ({"objective": "siss"}, "no keyword 'objective'"),
    ],
)
def test_wrong_options_get_one_sentence(options, sentence):
    with pytest.raises(UserError, match=sentence):
        make_env(ID, {**SHORT, **options})


def test_losses_that_are_told_are_divergences():
    env = make(sharpness=1.2)
    observation, _ = env.reset(seed=0)
    for _ in range(env.horizon):
        following, *_, info = env.step(env.encoding.encode(0.1))
        assert info["loss"] == pytest.approx(observation[0] + 0.1 * observation[1], rel=1e-4)
        assert info["dloss_dlambda"] == pytest.approx(observation[1], rel=1e-4)
        observation = following


def test_what_is_saved_is_the_generator_that_is_shown(tmp_path):
    env = make()
    env.reset(seed=0)
    env.step(env.action_space.high)
    env.save_pretrained(tmp_path / "out")
    labels, noise = torch.arange(10), torch.randn(10, 1, 8, 8)
    model = DiffusionModel.load(tmp_path / "out")
    again = generate(model.unet, Schedule.of(model.scheduler, noise), labels, noise)
    assert torch.equal(again, env.sample(labels, noise))


OUTCOME = {
    "reward": "outcome",
    "reward_kwargs": {"samples": 12, "class_samples": 3, "every": 2},
    "alpha": 0.0,
}


def test_the_outcome_is_what_the_generator_shows():
    env = make(**OUTCOME, horizon=5, learning_rate=1e-3)
    run = rollout(env, agents.make("static:1", env), seed=0)
    found = env.outcome_meter(SampleSizes(12, 3)).measure(env.process.model, env.asked.shown)
    assert sum(run.rewards) == pytest.approx(found.score) and found.score > 0
    of_ones = env.sample(torch.ones(12, dtype=torch.int64), fixed_noise(12 + 9 * 3)[:12])
    called = env.task.judge()(of_ones).argmax(1)
    assert found.label_kept == pytest.approx(float(((called != 1) & (called != 10)).double().mean()))


def test_the_outcome_beside_a_constant_is_nothing_for_that_constant():
    keywords = {**OUTCOME["reward_kwargs"], "baseline": 1.0}
    env = make(**{**OUTCOME, "reward_kwargs": keywords})
    assert sum(rollout(env, agents.make("static:1", env), seed=0).rewards) == pytest.approx(0.0, abs=1e-6)


def test_looking_on_the_way_changes_nothing_else():
    judged, relative = make(observation="judged"), make(observation="relative")
    for env in (judged, relative):
        env.reset(seed=0)
    for lam in (0.1, 1.0):
        one, other = (env.step(env.encoding.encode(lam))[0] for env in (judged, relative))
        np.testing.assert_array_equal(one[: len(other)], other)
        assert judged.observation_space.contains(one)


def fixed_noise(count):
    return torch.randn((count, 1, 8, 8), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "spec", ["static:0.1", "random", "schedule:linear:0.001:1", "adaptive_vi", "primal_dual", "bandit:3"]
)
def test_agents_run_on_it(spec):
    env = make()
    run = rollout(env, agents.resolve(spec, env), seed=0)
    assert len(run.rewards) == 3 and np.isfinite(run.rewards).all()
    assert run.passes["forward"] > 0 and run.passes["backward"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ppo", "sac"])
def test_learners_learn_on_it(name):
    env = make(horizon=8)
    agent = agents.make(name, env, seed=0)
    agent.learn(16)
    action, _ = agent.predict(env.reset(seed=0)[0])
    assert agent.timesteps >= 16 and env.action_space.contains(action)
