"""Put a trained policy among those that come with the package.

Run once: ``python tools/ship_policy.py runs/cem requests-weighted``, then ``python docs/build.py`` for its card. What
is written, in ``agents/trained/policies/``, is the agent with where it was trained; it names no path.
"""

from __future__ import annotations

import sys
from pathlib import Path

from unlearn_gym.agents.common import saving
from unlearn_gym.agents.trained import shipped
from unlearn_gym.agents.trained.origin import origin_of
from unlearn_gym.errors import UserError


def ship(run: Path, name: str) -> Path:
    """Copy the agent of a finished run and return its folder."""
    agent, origin = saving.find(run), origin_of(run)
    if agent is None or origin is None:
        raise UserError(f"{run} holds no agent that says where it was trained; give a finished run folder.")
    own = [name for name, value in origin.env_kwargs.items() if value is None]
    if own:
        raise UserError(
            f"{run} was trained on files of somebody's own ({', '.join(own)}), so that nobody could make it again; "
            "give one that was trained on what comes with the package."
        )
    return shipped.add(agent, name, origin.as_record())


if __name__ == "__main__":
    print(ship(Path(sys.argv[1]), sys.argv[2]))
