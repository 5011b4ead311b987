import math
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
import yaml
from jsonargparse.typing import ClosedUnitInterval, PositiveInt

from unlearn_gym.errors import UserError
from unlearn_gym.runtime import command_line


@dataclass
class Config:
    """A command line.

    Args:
        env: id of the environment.
        n_envs: how many.
    """

    env: str = "a"
    n_envs: PositiveInt = 2
    share: ClosedUnitInterval = 0.5
    free: float = 0.5
    mode: Literal["fast", "slow"] = "fast"
    extra: dict[str, Any] = field(default_factory=dict)
    force: bool = False
    bar: bool = True


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("env: b\nshare: 1e-3\nextra: {x: 1}\n")
    config = command_line.parse(Config, ["--config", str(path), "--n-envs", "3", "--extra.y", "3e-4"])
    assert config == Config("b", 3, 1e-3, extra={"x": 1, "y": 3e-4})
    assert type(config.n_envs) is int and type(config.share) is float


@pytest.mark.parametrize(
    ("words", "force", "bar"),
    [
        ("", False, True),
        ("--force", True, True),
        ("--force --env b", True, True),
        ("--force false --no-bar", False, False),
        ("--force=true --bar=false", True, False),
    ],
)
def test_switches(words, force, bar):
    config = command_line.parse(Config, words.split())
    assert (config.force, config.bar) == (force, bar)


def test_defaults_can_be_replaced():
    assert command_line.parse(Config, ["--env", "c"], defaults={"env": "b", "extra": {"x": 1}}) == Config(
        "c", extra={"x": 1}
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--foo 1", "'--foo' is not known; allowed are env, n_envs, share, free, mode, extra, force, bar."),
        ("--n 1", "'--n' is not known"),
        ("--n-envs 0", "n_envs: Not of type PositiveInt: 0 does not conform to restriction v>0."),
        ("--n_envs many", "n_envs: "),
        ("--share 1.5", "share: .* v>=0 and v<=1."),
        ("--mode middling", r"mode: expected one of \['fast', 'slow'\]"),
        ("--config nothing.yaml", "There is no file nothing.yaml"),
        ("stray", "stray"),
    ],
)
def test_errors_are_one_sentence_naming_the_key_and_what_is_allowed(words, message):
    with pytest.raises(UserError, match=message) as caught:
        command_line.parse(Config, words.split())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"foo": 1}, "settings of x: 'foo' is not known; allowed are env"),
        ({"share": 2}, "settings of x: share: "),
    ],
)
def test_check_names_the_key(values, message):
    with pytest.raises(UserError, match=message):
        command_line.check(Config, values, "settings of x")


def test_unknown_key_in_a_file_is_named(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("envv: b\n")
    with pytest.raises(UserError, match="'envv' is not known; allowed are env"):
        command_line.parse(Config, ["--config", str(path)])


FILES = {
    "twice": ("env: a\nenv: b\n", "the key 'env' is there twice (line 2)"),
    "twice below": ("extra: {a: 1, a: 2}\n", "the key 'a' is there twice"),
    "tag": ("env: !!python/object/apply:os.getcwd []\n", "tags such as"),
    "text for a boolean": ("force: 'no'\n", "force='no' is no boolean"),
    "a number for a boolean": ("force: 1\n", "force=1 is no boolean"),
    "a boolean for a number": ("n_envs: true\n", "n_envs: "),
    "not a number": ("extra: {a: .nan}\n", "holds .nan"),
    "infinite": ("free: .inf\n", "free=inf is not finite"),
    "a key that is no text": ("extra: {1: 2}\n", "the key 1 is no text"),
    "a key without a value": ("extra:\n", "extra has no value"),
    "a list": ("[1]\n", "holds a list"),
    "empty": ("", "is empty"),
    "recursive": ("extra: &a {b: *a}\n", "nested too deeply"),
    "deep": ("extra: " + "[" * 20_000, "nested too deeply"),
    "bomb": (
        "extra:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"  a{k + 1}: &a{k + 1} [{', '.join([f'*a{k}'] * 9)}]\n" for k in range(9)),
        "more than 100000 values",
    ),
    "large": ("env: " + "a" * 2**20, "larger than a configuration can be"),
    "binary": (b"\xff\xfe\x00", "no text in UTF-8"),
    "control characters": ("a\0b", "is not YAML"),
    "an impossible number": ("extra: {a: 0b_}\n", "is not YAML"),
}


@pytest.mark.parametrize("case", FILES)
def test_what_a_file_cannot_hold_is_one_sentence(case, tmp_path):
    content, message = FILES[case]
    path = tmp_path / "c.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        command_line.parse(Config, ["--config", str(path)])
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--force", "yes"], "force='yes' is no boolean"),
        (["--force=1"], "force: expected a value of type bool"),
        (["--free", "nan"], "free: "),
        (["--extra.x", ".nan"], "is not finite"),
        (["--extra.", "1"], "write --extra.key value"),
        (["--extra.x"], "write --extra.key value"),
        (["--extra", "[1]"], "extra: expected a value of type dict"),
        (["--n-envs", "9" * 5000], "n_envs: "),
        (["--config"], "no file was given"),
        (["--config", "/"], "There is no file /"),
        (["--env"], "--env: expected one argument"),
    ],
)
def test_what_a_command_line_cannot_hold_is_one_sentence(words, message):
    with pytest.raises(UserError) as caught:
        command_line.parse(Config, words)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_entries_at_any_depth_are_merged_wherever_they_stand(tmp_path, capsys):
    path = tmp_path / "c.yaml"
    path.write_text("extra: {a: {b: 0, c: '3e-4'}, limit: .inf}\n")
    words = ["--extra.a.b", "1", "--n-envs", "3", "--config", str(path), "--extra.a.d=0.5", "--extra.e", "x"]
    extra = {"a": {"b": 1, "c": "3e-4", "d": 0.5}, "limit": math.inf, "e": "x"}
    assert command_line.parse(Config, words) == Config(n_envs=3, extra=extra)
    with pytest.raises(SystemExit):
        command_line.parse(Config, [*words, "--print_config"])
    assert yaml.safe_load(capsys.readouterr().out)["extra"]["a"]["d"] == 0.5


@pytest.mark.parametrize("values", [3, [], None, "text"])
def test_check_refuses_what_is_no_mapping(values):
    with pytest.raises(UserError, match=r"settings of x: .* is no mapping"):
        command_line.check(Config, values, "settings of x")


@dataclass
class Layers:
    hidden: list[PositiveInt] = field(default_factory=list)


def test_check_leaves_what_it_is_given_as_it_is():
    values = {"hidden": [16]}
    command_line.check(Layers, values, "settings of x")
    assert yaml.safe_load(yaml.safe_dump(values)) == {"hidden": [16]}  # it knows plain numbers only
