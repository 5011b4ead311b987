"""The package's own imports, read from its source: what may import what, and the picture of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).parent.parent
PACKAGE = "unlearn_gym"
APART = ("agents", "configs", "envs")
"""Folders of the clone that links make packages of ``unlearn_gym``."""

ROOMS = (
    ("errors", "registration"),
    ("configs", "storage"),
    ("runtime",),
    ("data", "trajectories"),
    ("models", "objectives"),
    ("metrics", "processes"),
    ("envs", "methods"),
    ("agents", "evaluation"),
    ("applying", "hub"),
    ("cli",),
    ("__main__", "notebook"),
)
"""From the ground up; a room may import rooms of lower floors only."""
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms} | {PACKAGE: 1}
"""Room → its floor. ``unlearn_gym`` itself registers the environments and nothing else."""

TEXT = {
    "cli": "the commands train, evaluate, …",
    "applying": "a deletion request on a\nuser's own model",
    "hub": "agents and models, pushed\nand fetched",
    "agents": "policies for λ, training them",
    "evaluation": "runs, records, statistics,\nreports, benchmark, studies",
    "envs": "Gymnasium: λ in,\nstate and reward out",
    "methods": "unlearning without λ\n(SCRUB, SalUn, SSD, …)",
    "processes": "θ, optimizer, minibatches:\none update at λ",
    "objectives": "SISS, EMSE, …: two sides\nof a loss, weighed by λ",
    "models": "networks, checkpoints,\nready-made tasks",
    "metrics": "numbers about a model",
    "data": "what to forget, what to keep",
    "trajectories": "logged episodes, Minari",
    "runtime": "checked settings, workers,\nstopping",
    "storage": "whole files, checksums, locks",
    "configs": "YAML of agents, experiments",
    "registration": "the ids of environments",
    "errors": "one sentence for the user",
}
PLACES = {
    "cli": (4.1, 8.6),
    "applying": (4.1, 7.3),
    "hub": (6.9, 7.3),
    "agents": (2.3, 6.0),
    "evaluation": (5.9, 6.0),
    "envs": (2.3, 4.7),
    "methods": (5.9, 4.7),
    "processes": (2.3, 3.4),
    "objectives": (1.5, 2.1),
    "models": (4.1, 2.1),
    "metrics": (5.9, 3.4),
    "data": (5.4, 0.95),
}
"""Where a room is drawn."""
SHARED = {
    "trajectories": 6.75,
    "runtime": 5.6,
    "storage": 4.45,
    "configs": 3.3,
    "registration": 2.15,
    "errors": 1.0,
}
"""Rooms without arrows, and how high they are drawn."""
LAMBDA_WAY = ("agents", "envs", "processes", "objectives")
WIDTH, HEIGHT = 2.3, 0.84
INK, GREY, PALE, HIGHLIGHT = "#1f2933", "#52606d", "#c3ccd5", "#d9480f"


def sources() -> dict[str, Path]:
    """Return every module of the package, by its full name."""
    files = [path for top in (PACKAGE, *APART) for path in sorted((ROOT / top).rglob("*.py"))]
    return {_name(path.relative_to(ROOT)): path for path in files if _name(path.relative_to(ROOT))}


def _name(path: Path) -> str:
    """Return a module's full name; empty for one that is reached through a link, and so is another's twin."""
    parts = list(path.with_suffix("").parts)
    if parts[0] == PACKAGE and parts[1] in APART:
        return ""
    parts = [PACKAGE, *parts] if parts[0] in APART else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports() -> Iterator[tuple[str, str]]:
    """Yield (module, module that it imports) within the package, those inside functions too.

    What stands under ``if TYPE_CHECKING:`` is never imported and does not count.
    """
    known = sources()
    for name, path in known.items():
        for node in _run(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                below = [f"{node.module}.{alias.name}" for alias in node.names]
                found = [full if full in known else str(node.module) for full in below]
            else:
                continue
            yield from ((name, each) for each in found if each.split(".")[0] == PACKAGE)


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk what is run."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from _run(node)


def room(module: str) -> str:
    """Return the room that a module is in."""
    return module.split(".")[1] if "." in module else PACKAGE


def arrows() -> list[tuple[str, str]]:
    """Return which room imports which; left out are the shared ones and what is reached over a room between."""
    found = {(room(a), room(b)) for a, b in imports()}
    known = {(a, b) for a, b in found if a in PLACES and b in PLACES and a != b}
    return sorted((a, b) for a, b in known if not any({(a, c), (c, b)} <= known for c in PLACES))


def picture() -> Figure:
    """Draw the rooms floor by floor, and the arrows between them."""
    figure = Figure(figsize=(10.8, 8.6))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 10.8), ylim=(0.5, 9.1))
    axes.axis("off")
    for a, b in arrows():
        is_way = (a, b) in pairwise(LAMBDA_WAY)
        (x, y), (x2, y2) = PLACES[a], PLACES[b]
        lean = 0.5 * (x2 - x) / max(1.0, abs(x2 - x))
        start, end = (x + lean, y - HEIGHT / 2), (x2 - lean, y2 + HEIGHT / 2)
        color, width = (HIGHLIGHT, 3.0) if is_way else (INK, 1.5)
        arrow = {"arrowstyle": "-|>", "mutation_scale": 16, "shrinkA": 0, "shrinkB": 1}
        axes.annotate("", xy=end, xytext=start, arrowprops={**arrow, "color": color, "lw": width})
    for name, (x, y) in PLACES.items():
        _box(axes, name, x, y, HIGHLIGHT if name in LAMBDA_WAY else INK)
    for name, y in SHARED.items():
        _box(axes, name, 9.4, y, PALE)
    axes.text(9.4, 7.45, "used by all", ha="center", color=GREY, fontsize=11, style="italic")
    axes.text(0.3, 0.95, "→  imports\norange: the way of λ", color=HIGHLIGHT, fontsize=10, linespacing=1.6)
    return figure


def _box(axes: Axes, name: str, x: float, y: float, edge: str) -> None:
    """Draw one room."""
    corner = (x - WIDTH / 2, y - HEIGHT / 2)
    shape = FancyBboxPatch(
        corner, WIDTH, HEIGHT, "round,pad=0,rounding_size=0.08", fc="white", ec=edge, lw=1.6
    )
    axes.add_patch(shape).set_zorder(4)
    axes.text(x, y + 0.2, name, ha="center", va="center", fontsize=12, weight="bold", color=INK, zorder=5)
    axes.text(x, y - 0.17, TEXT[name], ha="center", va="center", fontsize=8.5, color=GREY, zorder=5)


def save(path: Path) -> None:
    """Write the picture, with its arrows as text inside, by which a test sees whether it is up to date."""
    picture().savefig(path, dpi=130, metadata={"Description": described(), "Software": None})


def described() -> str:
    """Return the arrows in one line."""
    return ", ".join(f"{a} > {b}" for a, b in arrows())
