"""Every comparison that the package or its pages name can be read."""

import re
from pathlib import Path

import gymnasium as gym
import pytest
import yaml

from unlearn_gym import configs
from unlearn_gym.agents import names
from unlearn_gym.agents.training.comparison import read_rows, training_of
from unlearn_gym.envs.making import full_id

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in configs.experiments().values()}
TEXTS |= {
    f"extending-{k}": block
    for k, block in enumerate(
        re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    )
}
COMPARISONS = sorted(name for name, text in TEXTS.items() if "\nrows:" in text)


def test_there_are_some():
    assert {"mnist_trousers", "mnist_trousers_quick", "extending-0"} <= set(COMPARISONS)


@pytest.mark.parametrize("name", COMPARISONS)
def test_rows_have_environments_agents_and_a_baseline(name, tmp_path):
    content = yaml.safe_load(TEXTS[name])
    rows = read_rows(content["rows"])
    assert content.get("baseline") in (None, *rows)
    for row_name, row in rows.items():
        env_id = row.env or full_id(content["env"])
        assert env_id in gym.registry
        training = training_of(row, env_id, content.get("env_kwargs", {}), tmp_path / row_name)
        assert training is None or (training.env in gym.registry and training.total_timesteps > 0)
        assert row.agent.split(":")[0] in names()
    for group in {row.group for row in rows.values()}:
        assert any(
            row.agent.startswith("static") and row.kind is None for row in rows.values() if row.group == group
        )
