from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from jsonargparse.typing import ClosedUnitInterval, PositiveInt

from unlearn_gym import cli
from unlearn_gym.errors import UserError


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
    mode: Literal["fast", "slow"] = "fast"
    extra: dict[str, Any] = field(default_factory=dict)
    force: bool = False
    bar: bool = True


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("env: b\nshare: 1e-3\nextra: {x: 1}\n")
    config = cli.parse(Config, ["--config", str(path), "--n-envs", "3", "--extra.y", "3e-4"])
    assert config == Config("b", 3, 1e-3, "fast", {"x": 1, "y": 3e-4})
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
    config = cli.parse(Config, words.split())
    assert (config.force, config.bar) == (force, bar)


def test_defaults_can_be_replaced():
    assert cli.parse(Config, ["--env", "c"], defaults={"env": "b", "extra": {"x": 1}}) == Config(
        "c", extra={"x": 1}
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--foo 1", "'--foo' is not known; allowed are env, n_envs, share, mode, extra, force, bar."),
        ("--n 1", "'--n' is not known"),
        ("--n-envs 0", "n_envs: Not of type PositiveInt: 0 does not conform to restriction v>0."),
        ("--n_envs many", "n_envs: "),
        ("--share 1.5", "share: .* v>=0 and v<=1."),
        ("--mode middling", r"mode: expected one of \['fast', 'slow'\]"),
        ("--config nothing.yaml", "config: File does not exist"),
        ("stray", "stray"),
    ],
)
def test_errors_are_one_sentence_naming_the_key_and_what_is_allowed(words, message):
    with pytest.raises(UserError, match=message) as caught:
        cli.parse(Config, words.split())
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
        cli.check(Config, values, "settings of x")


def test_unknown_key_in_a_file_is_named(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("envv: b\n")
    with pytest.raises(UserError, match="'envv' is not known; allowed are env"):
        cli.parse(Config, ["--config", str(path)])


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        (None, 0, ""),
        (UserError("two\n  lines"), 2, "error: two lines\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_run_ends_the_process(error, status, printed, capsys):
    def main():
        if error:
            raise error

    with pytest.raises(SystemExit) as caught:
        cli.run(main)
    assert caught.value.code == status and capsys.readouterr().err == printed
