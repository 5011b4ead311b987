"""The card of what is pushed: what it is, how it is used, and the numbers of its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED
from unlearn_gym.evaluation.report.markup import Markup, code, escape
from unlearn_gym.evaluation.report.results_file import readable, rows_of, versions
from unlearn_gym.evaluation.report.sentences import mean_and_half, number
from unlearn_gym.evaluation.report.tables import MISSING, Grid
from unlearn_gym.hub.contents import AGENT, CLASSIFIER, DIFFUSION, Contents
from unlearn_gym.metrics.glossary import GLOSSARY

PACKAGES = ("unlearn-gym", "torch", "diffusers", "stable-baselines3", "gymnasium")
ANY_ENV = "unlearn_gym/SISS-Digits-v0"
OF_TRAINING = ("env", "env_kwargs", "total_timesteps", "seed")
"""What a card says of a training's configuration."""
OF_REQUEST = ("objective", "steps", "seed")
"""What it says of a deletion request."""
UNLEARNED = (
    "That the loss of the images to forget has risen says that the network fits them worse, not that it is the model "
    "that training without them would have given. Other copies of images and model are not touched by it."
)


@dataclass(frozen=True)
class Words:
    """What all cards of a kind have in common.

    Attributes:
        title: the heading; ``{agent}`` is the agent's name.
        library: what loads it.
        use: code that does; ``{repo}`` is the repository, ``{env}`` the arguments that make an environment.
        limits: what it does not say.
    """

    title: str
    library: str
    use: str
    limits: str


WORDS = {
    AGENT: Words(
        "{agent}: a policy for λ in machine unlearning",
        "unlearn-gym",
        """import gymnasium as gym
import unlearn_gym
from unlearn_gym.hub import from_hub

env = gym.make({env})
agent = unlearn_gym.agents.load(from_hub("{repo}"), env)
state, info = env.reset(seed=0)
lam, _ = agent.predict(state, deterministic=True)""",
        "It was trained for the λ range, the action and the observation that `agent.json` names, and is refused by an "
        "environment with others. What it does on models and requests unlike those of its training was not measured "
        "here.",
    ),
    DIFFUSION: Words(
        "An unlearned diffusion model",
        "diffusers",
        """from diffusers import DDPMPipeline

pipeline = DDPMPipeline.from_pretrained("{repo}", use_safetensors=True)""",
        UNLEARNED,
    ),
    CLASSIFIER: Words(
        "An unlearned classifier",
        "unlearn-gym",
        """from safetensors.torch import load_file
from unlearn_gym.hub import from_hub

network.load_state_dict(load_file(from_hub("{repo}") / "model.safetensors"))  # a module of the same kind""",
        UNLEARNED,
    ),
}


def card(contents: Contents, repo_id: str, report: Mapping[str, Any] | None, row: str | None) -> str:
    """Return the card, in Markdown with a head of YAML.

    Args:
        contents: what is pushed.
        repo_id: where to.
        report: what ``results.json`` of an agent's report holds.
        row: the agent's name in it, by default the one whose folder has the same name.

    Raises:
        UserError: when the report has no such row.
    """
    words, agent = WORDS[contents.kind], str(contents.about.get("agent", {}).get("agent", ""))
    if contents.kind == AGENT:
        measured, settings = _of_report(contents.name, report, row), _of_training(contents.about)
    else:
        measured, settings = _of_apply(contents.about["results"]), _of_request(contents.about["results"])
    name = contents.about.get("env") or (report or {}).get("env") or ANY_ENV
    keywords = settings.get("env_kwargs", {}).items()
    env = ", ".join((f'"{name}"', *(f"{key}={value!r}" for key, value in keywords)))
    tags = ["machine-unlearning", "unlearn-gym", *(["reinforcement-learning", agent] if agent else [])]
    made = Grid(
        ("setting", "value"), tuple((key, code(str(readable(each)))) for key, each in settings.items())
    )
    parts = [
        "\n".join(("---", f"library_name: {words.library}", "tags:", *(f"- {tag}" for tag in tags), "---")),
        f"# {escape(words.title.format(agent=agent))}",
        f"```python\n{words.use.format(repo=repo_id, env=env)}\n```",
        f"## Measured\n\n{measured}",
        f"## Limits\n\n{words.limits}",
        f"## How it was made\n\n{made.markdown() if settings else 'Its settings are not known.'}",
        f"Pushed with {', '.join(f'{name} {each}' for name, each in versions(PACKAGES).items() if name in PACKAGES)}.",
    ]
    return "\n\n".join(parts) + "\n"


def _of_report(folder: str, report: Mapping[str, Any] | None, row: str | None) -> str:
    """Return the table of the agent, between the constants and the two references."""
    if report is None:
        return "No report was given, so that nothing is said of it here."
    try:
        rows = rows_of(report)
        kinds = {name: each["kind"] for name, each in report["agents"].items()}
        seeds, env = len(report["seeds"]), str(report["env"])
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            "The report has no table of agents; give a folder of unlearn-gym evaluate."
        ) from error
    own = row or _own(folder, list(kinds))
    if own not in kinds:
        raise UserError(f"The report has no row {own!r}; choose one of {', '.join(kinds)}.")
    shown = [name for name in rows if name in (BEFORE, own, RETRAINED) or kinds.get(name) == "static"]
    metrics = [metric for metric in GLOSSARY if any(metric in rows[name] for name in shown)]
    lines = tuple(
        (
            Markup("**this agent**") if name == own else name,
            *(mean_and_half(rows[name][metric]) if metric in rows[name] else MISSING for metric in metrics),
        )
        for name in shown
    )
    table = Grid(("", *(f"{metric} {GLOSSARY[metric].arrow}" for metric in metrics)), lines).markdown()
    return f"{seeds} seeds of {code(env)}, mean and 95 % interval; ↑ means that higher is better.\n\n{table}"


def _own(folder: str, names: list[str]) -> str:
    """Return the row whose folder has the same name as the agent's."""
    found = [name for name in names if name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] == folder]
    if len(found) != 1:
        raise UserError(
            f"No one row of the report is called as the folder {folder!r}; give row=, one of {', '.join(names)}."
        )
    return found[0]


def _of_apply(results: Mapping[str, Any]) -> str:
    """Return the table of a deletion request."""
    numbers = results.get("numbers")
    if not numbers:
        return "It comes from no output folder of `unlearn-gym apply`, so that nothing is said of it here."
    rows = tuple(
        (name, *(_number(values.get(when)) for when in ("before", "after")))
        for name, values in numbers.items()
    )
    table = Grid(("", "before", "after"), rows).markdown()
    return f"Losses are those of the images to forget, and of images to keep that were held out.\n\n{table}"


def _number(value: Any) -> str:
    return MISSING if value is None else number(float(value))


def _of_training(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return an agent's settings, but for those that may name a path."""
    agent = about["agent"]
    known = {key: about[key] for key in OF_TRAINING if key in about}
    if "env_kwargs" in known:
        own = {key: value for key, value in known["env_kwargs"].items() if not set("/\\") & set(str(value))}
        known["env_kwargs"] = own
    return {**known, "λ range": agent["lambda_range"], **agent["settings"]}


def _of_request(results: Mapping[str, Any]) -> dict[str, Any]:
    request = results.get("request", {})
    found = {key: request[key] for key in OF_REQUEST if key in request}
    return found | {key: results[key] for key in ("learning_rate",) if key in results}
