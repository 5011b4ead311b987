"""Wrong command lines, YAML files and words for agents."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium as gym
import numpy as np
import yaml

from tests.stress.cases import Place, fail_unless
from tests.stress.inputs_files import no_nan
from tests.stress.mutations import TEXTS, Odd, Wrong, choose
from tests.stress.trials import Call, Trial, Words
from unlearn_gym.agents import resolve

TRAIN = {
    **{"--total-timesteps": "40", "--log-every": "10", "--checkpoint-every": "20", "--env": "Quadratic-v0"},
    **{"--agent": "ppo", "--hyperparameters.n_steps": "10", "--hyperparameters.batch_size": "5"},
    **{"--output": "out", "--progress-bar": "false"},
}
EVALUATE = {"--env": "Quadratic-v0", "--agents": "static:0.5", "--seeds": "1", "--output": "out"}
FLAGS: dict[str, dict[str, str]] = {
    "train_agent.py": {
        **{"--total-timesteps": "count", "--seed": "seed", "--n-envs": "count", "--log-every": "count"},
        **{"--checkpoint-every": "natural", "--env": "word", "--agent": "word", "--device": "device"},
        **{"--progress-bar": "switch", "--overwrite": "switch", "--resume": "word", "--config": "word"},
        **{"--env-kwargs.horizon": "count", "--env-kwargs.alpha": "weight", "--env-kwargs": "mapping"},
        **{"--hyperparameters.gamma": "unit", "--hyperparameters.learning_rate": "rate"},
        **{"--hyperparameters.n_steps": "count", "--hyperparameters.ent_coef": "word"},
        **{"--hyperparameters": "mapping", "--no-such-flag": "word"},
    },
    "evaluate.py": {
        **{"--seeds": "count", "--first-seed": "natural", "--jobs": "count", "--samples": "count"},
        **{"--env": "word", "--agents": "word", "--metrics": "word", "--baseline": "word"},
        **{"--deterministic": "switch", "--experiment": "word", "--config": "word", "--rows": "mapping"},
        **{"--env-kwargs": "mapping", "--env-kwargs.horizon": "count", "--no-such-flag": "word"},
    },
}
OTHERS = (
    *(("prepare", "nothing"), ("prepare", "digits", "--device", "meta"), ("prepare", ""), ("no_such",)),
    *(("check", "nothing"), ("check", "digits", "--samples", "0"), ("check", "digits", "--samples", "x")),
    *(("check", "digits", "--samples", "-5"), ("list", "surplus"), ("check", "digits", "--no-such-flag")),
    *(("prepare", "digits", "--device"), ("--no-such-flag",)),
)


def _pick(rng: np.random.Generator, names: object) -> str:
    listed = list(names)  # type: ignore[call-overload]
    return listed[int(rng.integers(len(listed)))]


def _line(tool: str, base: dict[str, str]) -> tuple[str, ...]:
    return (tool, *(word for pair in base.items() for word in pair))


def words(rng: np.random.Generator) -> Trial:
    """Draw a command and a flag with a wrong word, or a flag without one."""
    if rng.random() < 0.2:
        line = OTHERS[int(rng.integers(len(OTHERS)))]
        return Trial(f"unlearn_gym {' '.join(line)}", lambda place: Words(("-m", *line)), True)
    tool = _pick(rng, FLAGS)
    flag = _pick(rng, FLAGS[tool])
    wrong = choose(TEXTS[FLAGS[tool][flag]], rng)
    base = {key: value for key, value in (TRAIN if "train" in tool else EVALUATE).items() if key != flag}
    added = (flag,) if rng.random() < 0.07 and FLAGS[tool][flag] != "switch" else (flag, wrong.value)
    refused = wrong.refused if len(added) == 2 else flag != "--metrics"  # none are all
    line = (*_line(tool, base), *added)
    return Trial(f"{tool} … {' '.join(added)}", lambda place: Words(line, no_nan), refused)


VALID = {
    "train_agent.py": {
        **{"env": "Quadratic-v0", "agent": "ppo", "total_timesteps": 40, "seed": 1, "output": "out"},
        **{"hyperparameters": {"n_steps": 10, "batch_size": 5}, "env_kwargs": {"horizon": 10}},
        **{"progress_bar": False, "log_every": 10, "n_envs": 1},
    },
    "evaluate.py": {
        **{"env": "Quadratic-v0", "agents": ["static:0.5"], "seeds": 1, "output": "out"},
        **{"env_kwargs": {"horizon": 5}, "jobs": 1},
    },
}


def _replace(text: str, old: str, new: str) -> str:
    fail_unless(old in text, f"the stress run itself is wrong: no {old!r}")
    return text.replace(old, new, 1)


Change = Callable[[str, np.random.Generator], str]
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i + 1}: &a{i + 1} [{','.join([f'*a{i}'] * 9)}]\n" for i in range(9)
)
CHANGES: dict[str, tuple[Change, bool]] = {
    "an unknown key": (lambda text, rng: text + "no_such_key: 1\n", True),
    "a key twice": (lambda text, rng: text + "env: Quadratic-v0\n", True),
    "a nested key twice": (lambda text, rng: _replace(text, "  horizon:", "  horizon: 3\n  horizon:"), True),
    "an unknown nested key": (
        lambda text, rng: _replace(text, "  horizon:", "  no_such: 3\n  horizon:"),
        True,
    ),
    "a list": (lambda text, rng: "- env\n- agent\n", True),
    "a number": (lambda text, rng: "7\n", True),
    "a text": (lambda text, rng: "env\n", True),
    "no YAML": (lambda text, rng: text + "]: {\n", True),
    "a tab": (lambda text, rng: text + "\tx: 1\n", True),
    "a Python object": (lambda text, rng: text + "x: !!python/object/apply:os.getcwd []\n", True),
    "a bomb of anchors": (lambda text, rng: BOMB + text, True),
    "deep nesting": (lambda text, rng: text + "env_kwargs: " + "[" * 5000 + "]" * 5000 + "\n", True),
    "a key that is a list": (lambda text, rng: text + "? [a, b]\n: 1\n", True),
    "a key that is a number": (lambda text, rng: text + "3: 1\n", True),
    "NaN for the horizon": (lambda text, rng: text.replace("horizon: 5", "horizon: .nan"), False),
    "a fraction for the horizon": (
        lambda text, rng: text.replace("horizon: 10", "horizon: 2.5").replace("horizon: 5", "horizon: 2.5"),
        True,
    ),
    "a text for a mapping": (lambda text, rng: text.replace("env_kwargs:\n  ", "env_kwargs: x\nq_"), True),
    "an infinite seed": (lambda text, rng: text + "seed: .inf\nfirst_seed: .inf\n", True),
    "two documents": (lambda text, rng: text + "---\nenv: x\n", True),
    "a truncation": (lambda text, rng: text[: int(rng.integers(1, len(text)))], False),
    "noise": (lambda text, rng: rng.bytes(100).decode("latin-1") + text, True),
}


def yaml_file(rng: np.random.Generator) -> Trial:
    """Draw a bad ``--config`` file."""
    tool, kind = _pick(rng, VALID), _pick(rng, CHANGES)
    change, refused = CHANGES[kind]

    def prepare(place: Place) -> Words:
        text = change(yaml.safe_dump(VALID[tool], sort_keys=False), place.rng)
        (place.folder / "mine.yaml").write_text(text, encoding="utf-8")
        fixed = () if kind != "a truncation" else _line("", TRAIN if "train" in tool else EVALUATE)[1:]
        return Words((tool, "--config", "mine.yaml", *fixed), no_nan)

    return Trial(f"{tool} --config FILE with {kind}", prepare, refused)


SPECS = (
    *map(Wrong, ("", ":", "static:", "static:nan", "static:inf", "static:9", "static:-1", "static:x")),
    *map(Wrong, ("static:0.5:0.6", "schedule:linear:a:b", "schedule:nothing", "schedule:linear:0.9:0.1:7")),
    *map(Wrong, ("schedule:linear:nan:0.1", "schedule:linear:0.9:0.1:0.5", "schedule:cosine:0.9:0.1:0.5")),
    *map(Wrong, ("ppo:1", "random:3", "adaptive_vi:nothing", "adaptive_vi:weights:x", "primal_dual:nan")),
    *map(Wrong, ("mine.py", "no.py:Mine", "mine.py:", "/", ".", "~", "\0", "runs/none", "STATIC:0.5")),
    *map(Odd, ("static:0.5", "static: 0.5", "static:5e-1", "random", "schedule:step:0.9:0.1:0.5")),
)


def spec(rng: np.random.Generator) -> Trial:
    """Draw a word that means no agent."""
    wrong = choose(SPECS, rng)

    def prepare(place: Place) -> Call:
        env = gym.make("unlearn_gym/Quadratic-v0")
        observation, _ = env.reset(seed=0)

        def body() -> None:
            action, _ = resolve(wrong.value, env).predict(observation)
            fail_unless(env.action_space.contains(action), f"the agent chooses {action}")

        return Call(body)

    return Trial(f"agent {wrong.value!r}", prepare, wrong.refused)
