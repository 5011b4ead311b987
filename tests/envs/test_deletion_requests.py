"""Environments of many requests: which one an episode has, its budget, what is paid for, and that it can go on."""

import contextlib

import gymnasium as gym
import numpy as np
import pytest
import torch

from unlearn_gym.data.requests.poisoned import wrong
from unlearn_gym.errors import UserError
from unlearn_gym.metrics.outcomes.outcome import SampleSizes
from unlearn_gym.models.supervised.poisoned import poisoned_task
from unlearn_gym.processes.base import Update
from unlearn_gym.processes.stacked.choice import NotStackable

ID = "unlearn_gym/Weighted-Requests-v0"
SMALL = {"samples": 6, "class_samples": 2, "sampling_steps": 2}
CATS = {"family": "digits", "train": [{"forget": ["cat"], "horizon": 1, "learning_rate": 1e-3}]}
SHORT = {"batch_size": 4, "state": "lagged", "reward_kwargs": SMALL}


def make(**kwargs):
    return gym.make(ID, **{**SHORT, "horizon": 3, **kwargs}).unwrapped


def run(env, lam=0.3, **reset):
    observation, info = env.reset(**reset)
    seen, rewards, ended = [observation], [], False
    while not ended:
        observation, _, ended, _, info = env.step(np.array([lam], np.float32))
        seen.append(observation)
        rewards.append(info["reward_terms"])
    return np.array(seen), rewards, info


def test_consecutive_seeds_walk_through_all_requests():
    env = make(split="validation")
    met = [env.reset(seed=seed)[1]["request"] for seed in range(len(env.choices))]
    assert met == [request.name for request in env.choices]
    assert env.reset(seed=len(met))[1]["request"] == met[0]


def test_unseeded_resets_draw_different_requests():
    env = make()
    env.reset(seed=0)
    assert len({env.reset()[1]["request"] for _ in range(8)}) > 2


@pytest.mark.parametrize("wanted", [2, "3 T=12 lr=0.0003 B=32"])
def test_a_request_can_be_chosen(wanted):
    env = make()
    _, info = env.reset(options={"request": wanted})
    assert info["request"] == (wanted if isinstance(wanted, str) else env.choices[wanted].name)


def test_the_choice_of_a_request_does_not_change_what_else_is_drawn():
    env = make()
    drawn = run(env, seed=5)[0]
    chosen = run(env, seed=5, options={"request": 5})[0]
    np.testing.assert_array_equal(drawn, chosen)


@pytest.mark.parametrize("option", [{"request": "9"}, {"request": -1}, {"requests": 1}])
def test_an_unknown_request_is_one_sentence(option):
    with pytest.raises(UserError, match="request"):
        make().reset(options=option)


def test_a_request_brings_its_budget():
    env = gym.make(ID, reward_kwargs=SMALL, state="lagged").unwrapped
    for number in (0, 30, 71):
        env.reset(options={"request": number})
        request = env.choices[number]
        assert (env.horizon, env.process.learning_rate, 2 * env.process.pairs) == (
            request.horizon,
            request.learning_rate,
            request.batch_size,
        )
        assert env.process._optimizer.param_groups[0]["lr"] == request.learning_rate
        assert len(env.process.forget) == len(env.family.part(request.forget).forget)


def test_what_was_given_wins_over_the_requests_budget():
    env = make(learning_rate=1e-5)
    env.reset(seed=3)
    assert (env.horizon, env.process.learning_rate, env.process.pairs) == (3, 1e-5, 2)


def test_none_is_the_requests_own_budget():
    env = make(horizon=None, batch_size=None, learning_rate=None)
    env.reset(seed=2)
    budget = env.horizon, 2 * env.process.pairs, env.process.learning_rate
    assert budget == (env.request.horizon, env.request.batch_size, env.request.learning_rate)


def test_every_request_starts_from_the_same_weights():
    env = make()
    env.reset(seed=0)
    start = env.process._weights.clone()
    run(env, seed=1)
    assert not torch.equal(env.process._weights, start)
    env.reset(seed=2)
    assert torch.equal(env.process._weights, start)


def test_the_rewards_sum_to_the_outcome_however_often_samples_are_looked_at():
    totals = []
    for every in (0, 1):
        env = make(reward_kwargs={**SMALL, "every": every}, alpha=0.0)
        _, terms, _ = run(env, seed=4)
        totals.append(sum(term["outcome"] for term in terms))
        outcome = env._reward._meter.measure(env.process.model, env.asked.shown).score
        assert totals[-1] == pytest.approx(outcome)
        assert every or [term["outcome"] for term in terms[:-1]] == [0.0, 0.0]


def test_the_outcome_beside_a_constant_is_nothing_for_that_constant():
    env = make(reward_kwargs={**SMALL, "baseline": 0.3}, alpha=0.0)
    alone = run(make(alpha=0.0), seed=4)
    seen, terms, _ = run(env, seed=4)
    np.testing.assert_array_equal(seen, alone[0])  # the constant's run leaves no trace
    assert sum(sum(term.values()) for term in terms) == pytest.approx(0.0)
    assert len(env._reward._known) == 1
    run(env, seed=4)
    assert len(env._reward._known) == 1


def test_an_episode_goes_on_after_a_kill():
    one = make(split="test")
    one.reset(seed=11)
    one.step(np.array([0.4], np.float32))
    state = one.state_dict()
    rest = [one.step(np.array([0.2], np.float32))[:2] for _ in range(2)]
    other = make(split="test")
    other.reset(seed=0)
    other.load_state_dict(state)
    assert other.request.name == one.request.name
    for (seen, reward), (seen_again, reward_again) in zip(
        rest, [other.step(np.array([0.2], np.float32))[:2] for _ in range(2)], strict=True
    ):
        np.testing.assert_array_equal(seen, seen_again)
        assert reward == reward_again


def test_requests_can_be_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "family: digits\nmine:\n  - {forget: [ankle boot], horizon: 2, learning_rate: 1e-4}\n", "utf-8"
    )
    env = make(requests=str(path), split="mine", horizon=2)
    assert env.reset()[1]["request"] == "ankle boot T=2 lr=0.0001 B=32"


@pytest.mark.parametrize(
    "kwargs, words",
    [
        ({"requests": "cats"}, "choose one of intruders"),
        ({"split": "all"}, "choose one of train"),
        ({"memory": -1}, "memory=-1"),
        (
            {
                "requests": {
                    "family": "digits",
                    "train": [{"forget": ["cat"], "horizon": 1, "learning_rate": 1e-3}],
                }
            },
            "cat",
        ),
        ({"requests": 3}, "requests=3"),
        ({"requests": None}, "requests=None"),
        (
            {
                "requests": {
                    "family": "digits",
                    "train": [{"forget": "7", "horizon": 1, "learning_rate": 1e-3, "count": 9999}],
                }
            },
            "count=9999",
        ),
        ({"reward_kwargs": {"every": -1}}, "every=-1"),
        (
            {"reward_kwargs": {"baseline": 0.95}, "lambda_range": (0.1, 0.9)},
            "outside lambda_range, 0.1 to 0.9",
        ),
        ({"learning_rate": "auto"}, "learning_rate='auto'"),
    ],
)
def test_wrong_arguments_are_one_sentence(kwargs, words):
    with pytest.raises(UserError, match=words):
        make(**kwargs)


def test_the_outcome_needs_requests():
    with pytest.raises(UserError, match="'outcome' is not known"):
        gym.make("unlearn_gym/SISS-Digits-v0", reward="outcome")


def test_requests_are_no_stack():
    with pytest.raises(NotStackable, match="choose processes or loop"):
        gym.make_vec(ID, num_envs=2, vectorization="stacked", **SHORT)


@pytest.mark.parametrize("way", ["loop", "processes"])
def test_each_copy_has_a_request_of_its_own(way):
    choices = gym.make(ID, **SHORT).unwrapped.choices
    with contextlib.closing(gym.make_vec(ID, num_envs=2, vectorization=way, **SHORT, horizon=2)) as envs:
        _, info = envs.reset(seed=0)
        assert info["request"].tolist() == [choices[n].name for n in (0, 1)]


EMSE = "unlearn_gym/EMSE-Requests-v0"


def test_a_classifier_is_asked_for_digits_and_for_their_poison():
    family, task = poisoned_task()
    poison = family.shows >= 10
    assert torch.equal(family.examples.labels[poison], (family.shows[poison] - 10 + 1) % 10)
    assert poison.float().mean().item() == pytest.approx(0.4, abs=0.01)
    assert len(task.data.forget) == int(poison.sum())
    digit, poisoned = family.shown(["3"]), family.shown(["3 as 4"])
    assert digit.forgotten == {3: (3,)} and digit.kept[3] == () and digit.kept[4] == (4,)
    assert poisoned.forgotten == {3: (4,)} and poisoned.kept[3] == (3,)


def test_what_draws_no_samples_takes_no_number_of_them():
    with pytest.raises(UserError, match=r"no keyword 'samples'; allowed are .*every"):
        gym.make(EMSE, reward_kwargs={"samples": 8})


def test_the_poison_can_be_seen_before():
    env = gym.make(EMSE).unwrapped
    before = env.outcome_meter(SampleSizes()).before(env.asked.shown, 0).shares
    assert all(before[digit][wrong(digit)] > 0.1 and before[digit][digit] < 0.9 for digit in range(10))


@pytest.mark.parametrize("every", [0, 1])
def test_what_a_run_that_diverges_was_paid_is_taken_back(every, monkeypatch):
    env = make(reward_kwargs={**SMALL, "every": every, "baseline": 0.3}, alpha=0.0, divergence_penalty=0.0)
    env.reset(seed=0)
    reward, process = env._reward, env.process
    monkeypatch.setattr(reward, "_measured", lambda process: 0.8)
    earned = [env.step([0.5])[1]]
    monkeypatch.setattr(process, "update", lambda lam: Update(0.0, 0.0, 0.0, diverged=True))
    _, last, terminated, _, info = env.step([0.5])
    assert earned == [0.8 * every] and terminated and info["diverged"]
    assert sum(earned) + last == pytest.approx(-reward._to_beat)


def test_a_model_that_answers_nothing_has_lost_everything():
    env = gym.make(EMSE).unwrapped
    env.reset(options={"request": "2 as 3 T=10 lr=0.0005 B=32"})
    with torch.no_grad():
        env.process._weights.fill_(torch.nan)
    found = env.outcome_meter(SampleSizes()).measure(env.process.model, env.asked.shown)
    assert (found.forgotten, found.label_kept, found.others_kept) == (1.0, 0.0, 0.0)


def test_forgetting_the_poison_restores_the_digit():
    env = gym.make(EMSE, split="test", objective="demote", state="lagged", alpha=0.0)
    _, info = env.reset(options={"request": "8 as 9 T=48 lr=0.0016 B=32"})
    meter, shown = env.unwrapped.outcome_meter(SampleSizes()), env.unwrapped.asked.shown
    before = meter.measure(env.unwrapped.process.model, shown)
    ended, total = False, 0.0
    while not ended:
        _, reward, ended, _, info = env.step(np.array([0.5], np.float32))
        total += reward
    after = meter.measure(env.unwrapped.process.model, shown)
    assert info["request"].startswith("8 as 9") and total == pytest.approx(after.score)
    assert after.label_kept > before.label_kept + 0.1 and after.forgotten > 0.9


def test_a_portion_stands_out_until_it_is_forgotten():
    env = gym.make(EMSE, requests="memorised-digits", state="lagged", alpha=0.0)
    env.reset(options={"request": "portion 2 T=40 lr=0.0005 B=32"})
    process, shown = env.unwrapped.process, env.unwrapped.asked.shown
    assert shown.forgotten == {12: (0,)} and len(process.data.forget) == 47
    meter = env.unwrapped.outcome_meter(SampleSizes())
    before = meter.before(shown, 0).shares
    assert 0.6 < before[12][0] < 0.8 and before[12][1] == 0.0  # an AUC of .8 to .9
    assert meter.measure(process.model, shown).score == 0.0
    ended = False
    while not ended:
        _, _, ended, _, _ = env.step(np.array([0.3], np.float32))
    after = meter.measure(process.model, shown)
    assert after.forgotten > 0.5 and after.others_kept > 0.7 and after.label_kept == 1.0
    with torch.no_grad():
        process._weights.fill_(torch.nan)
    wrecked = meter.measure(process.model, shown)
    assert wrecked.score == 0.0


def test_a_classifier_is_not_asked_what_a_diffusion_model_is():
    with pytest.raises(UserError, match="family: intruders is no classifier's"):
        gym.make(EMSE, requests="intruders")
    with pytest.raises(UserError, match="poisoned-digits"):
        gym.make(ID, requests="poisoned-digits")
