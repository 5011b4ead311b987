"""The cards of the policies that come with the package, from what their files say; a part of the page of models."""

from __future__ import annotations

from pathlib import Path

from unlearn_gym.agents.common import saving, serialization
from unlearn_gym.agents.trained import shipped
from unlearn_gym.agents.trained.origin import origin_of
from unlearn_gym.storage.checksums import checksums

HEAD = """
# Policies

Trained policies that come with the package, in `unlearn_gym/agents/trained/policies/`: `shipped:NAME` wherever an
agent is named, in `unlearn-gym apply --policy` above all. They are safetensors and JSON with checksums, and learned on
other models and requests than yours: what they do there is not known from here.

"""


def page() -> str:
    """Return the cards under their heading; nothing where no policy comes with the package."""
    cards = [card(shipped.folder(name)) for name in shipped.names()]
    return HEAD + "\n".join(cards) if cards else ""


def card(folder: Path) -> str:
    """Return the card of a policy."""
    record, origin = serialization.load(folder, saving.FILE), origin_of(folder)
    assert origin is not None, f"{folder} does not say where it was trained"
    seen = {name: value for name, value in origin.keywords().items() if value is not None}
    settings = ", ".join(f"{name} {value}" for name, value in record["settings"].items())
    others = {name: value for name, value in origin.env_kwargs.items() if name not in seen}
    flags = " ".join(f"--env-kwargs.{name} '{value}'" for name, value in origin.env_kwargs.items())
    sums = "; ".join(f"`{name}`, SHA-256 `{each}`" for name, each in checksums(folder).items())
    rows = {
        "what it is": f"a policy for λ, found by `{record['agent']}` ({settings})",
        "trained in": f"`{origin.env}`, for {origin.total_timesteps:,} updates, seed {origin.seed}",
        "sees and sets": ", ".join(f"{name}={value}" for name, value in seen.items()),
        "its training had": ", ".join(f"{name}={value}" for name, value in others.items()) or "nothing else",
        "made by": f"`unlearn-gym train --agent {record['agent']} --env {origin.env} "
        f"--total-timesteps {origin.total_timesteps} --seed {origin.seed} {flags}`".replace(" `", "`"),
        "used by": f"`unlearn-gym apply --policy shipped:{folder.name} …`, which sets all of this for your model",
        "limits": "refused under another objective, observation, action or range of λ",
        "quality": "its row in [requests](requests.md#what-was-found)",
        "files": sums,
    }
    table = "".join(f"| **{key}** | {text} |\n" for key, text in rows.items())
    return f"## {folder.name}\n\n| | |\n|---|---|\n{table}"
