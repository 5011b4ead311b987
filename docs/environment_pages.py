"""The pages of the environments: one a class, made from its docstring, and an index with a picture of each."""

from __future__ import annotations

import importlib
import inspect
import re
from dataclasses import dataclass
from pathlib import Path

from unlearn_gym.registration import ENVIRONMENTS

FOLDER = "environments"
PICTURES = Path(__file__).parent / FOLDER / "pictures"
"""What ``docs/pictures.py`` draws: a picture and an animation a family."""


@dataclass(frozen=True)
class Family:
    """One class of environments.

    Attributes:
        name: of the class, which is the heading of its page.
        text: its docstring.
        ids: name of each id that it serves, and the keywords that the id fixes.
    """

    name: str
    text: str
    ids: dict[str, dict[str, object]]

    @property
    def slug(self) -> str:
        """The name of its page and pictures: ``DiffusionRequestsEnv`` has ``diffusion_requests``."""
        bare = self.name.removesuffix("Env").removesuffix("Unlearning")
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", bare).lower()

    @property
    def summary(self) -> str:
        """The first two sentences of its description."""
        paragraph = self.text.split("## Description\n")[1].split("\n\n")[0].replace("\n", " ")
        return " ".join(re.split(r"(?<=\.) (?=[A-Z])", paragraph)[:2])

    def page(self) -> str:
        """Return its page."""
        ids = "".join(f"- `unlearn_gym/{name}`{_shown(kwargs)}\n" for name, kwargs in self.ids.items())
        return f"# {self.name}\n\n{self._picture('png')}{self._picture('gif')}{ids}\n{linked(self.text)}\n"

    def entry(self) -> str:
        """Return its part of the index."""
        ids = ", ".join(f"`{name}`" for name in self.ids)
        return (
            f"## {self.name}\n\n{linked(self.summary)} **[All about it]({self.slug}.md)**\n\n"
            f"{self._picture('png')}Ids: {ids}.\n"
        )

    def _picture(self, suffix: str) -> str:
        """Return the Markdown of its picture, if there is one."""
        file = PICTURES / f"{self.slug}.{suffix}"
        alt = f"{self.name} during an episode"
        return f"![{alt}](pictures/{file.name})\n\n" if file.exists() else ""


def families() -> list[Family]:
    """Return the classes that serve the registered ids, in the order of registration."""
    classes: dict[str, dict[str, dict[str, object]]] = {}
    for name, entry_point, kwargs in ENVIRONMENTS:
        classes.setdefault(entry_point, {})[name] = kwargs
    found = []
    for entry_point, ids in classes.items():
        module, name = entry_point.split(":")
        text = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
        found.append(Family(name, text, ids))
    return found


def linked(text: str) -> str:
    """Return text in which a page that is mentioned as ``docs/page.md`` is a link to it."""
    return re.sub(r"`?\bdocs/(\w+\.md)\b`?", r"[\1](../\1)", text)


def pages() -> dict[str, str]:
    """Return the text of every page, by its path in ``docs``."""
    found = families()
    head = (
        "# Environments\n\nOne page a class; an id fixes some of its keywords. λ is the action of all; what is "
        "unlearned, seen and paid differs. `unlearn-gym list` shows the ids.\n\n"
    )
    index = head + "\n".join(family.entry() for family in found)
    return {f"{FOLDER}/index.md": index} | {f"{FOLDER}/{each.slug}.md": each.page() for each in found}


def _shown(kwargs: dict[str, object]) -> str:
    shown = ", ".join(f"{key}={value!r}" for key, value in kwargs.items())
    return f": `{shown}`" if shown else ""
