"""Parts that a user names and gives keywords, or hands over ready-made."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from unlearn_gym.errors import UserError
from unlearn_gym.runtime.checks import check_known, closest_first, mapping

Part = TypeVar("Part")


def keywords_of(maker: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the keywords that a class or function takes."""
    parameters = inspect.signature(maker).parameters.values()
    return tuple(p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD))


def make_part(
    kind: str, given: Any, registry: Mapping[str, Callable[..., Part]], keywords: Mapping[str, Any] | None
) -> Part:
    """Return what is registered under a name, made with keywords, or a copy of an instance.

    Args:
        kind: what an error calls it, which is the environment's keyword: "objective" or "reward".
        given: a name in the registry, or an instance.
        registry: name → class, or another function of keywords.
        keywords: of the named one.

    Raises:
        UserError: on an unknown name or keyword, on keywords beside an instance, or a value that is refused.
    """
    keywords = {} if keywords is None else keywords
    mapping(f"{kind}_kwargs", keywords)
    if not isinstance(given, str):
        if given is None or isinstance(given, type | int | float | list | tuple | dict):
            raise UserError(f"{kind}={given!r:.80} was given; give a name, as text, or an instance.")
        if keywords:
            raise UserError(
                f"{kind}_kwargs={keywords!r:.80} was given beside an instance of {type(given).__name__}; "
                f"set them there, or name the {kind}."
            )
        return copy.deepcopy(given)  # type: ignore[no-any-return]
    if given not in registry:
        known = ", ".join(closest_first(given, sorted(registry)))
        raise UserError(f"{kind}={given!r} is not known; choose one of {known}.")
    maker = registry[given]
    check_known(f"{kind}_kwargs of {given!r}", keywords, keywords_of(maker))
    parameters = inspect.signature(maker).parameters
    missing = [
        n for n in keywords_of(maker) if n not in keywords and parameters[n].default is parameters[n].empty
    ]
    if missing:
        raise UserError(
            f"{kind}={given!r} needs {', '.join(missing)}; give {kind}_kwargs, or a default there."
        )
    return maker(**keywords)
