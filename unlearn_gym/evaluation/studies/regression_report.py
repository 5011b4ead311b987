"""``report.md`` of the regression study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unlearn_gym.data.sets.curves import BreastCancerCurves, SyntheticCurves
from unlearn_gym.evaluation.report.drawing import Picture
from unlearn_gym.evaluation.report.markup import code, escape
from unlearn_gym.evaluation.report.results_file import versions
from unlearn_gym.evaluation.report.sentences import interval, number
from unlearn_gym.evaluation.report.tables import Grid
from unlearn_gym.evaluation.statistics import Summary, paired_difference
from unlearn_gym.evaluation.studies.regression_figures import NAMES
from unlearn_gym.evaluation.studies.regression_records import (
    REAL,
    SCORES,
    Problem,
    Study,
    by_correlation,
    by_share,
)
from unlearn_gym.storage.files import write_text

LOW, HIGH = 0.45, 0.95
"""The lift that was published: wanted R² from below the one to above the other."""


def save_study(study: Study, pictures: Sequence[Picture], command: str, output: Path) -> Path:
    """Write ``report.md`` and return its path."""
    settings, family = study.settings, SyntheticCurves()
    sections = [
        "# Polynomial regression under EMSE",
        code(command),
        f"Synthetic curves of degree {family.degree}, noise {family.noise}, offset {family.offset}, "
        f"{family.points} training points and as many held out; real data: benign (wanted) and malignant "
        f"(unwanted) tumours, degree {BreastCancerCurves().degree}. {settings.horizon} updates a run. Scores "
        f"are those of held-out points, means ± half of the 95 % interval over {settings.draws} draws. The "
        f"static λ ({', '.join(f'{name} {lam:g}' for name, lam in study.best.items())}) was chosen on "
        f"{settings.tuning_draws} other draws"
        + (
            f"; {settings.agent} was trained for {settings.agent_steps:,} steps on fresh synthetic draws of "
            "every share, never on the real data."
            if settings.agent
            else "."
        ),
        "## What was found",
        "\n".join(f"- {escape(sentence)}" for sentence in results(study)),
        *(
            f"## {NAMES[score]} by share of unwanted points, and on real data\n\n"
            + _grid(study, [*by_share(settings), REAL], score).markdown()
            for score in SCORES
        ),
        *(
            f"## {NAMES[score]} by dependence ({settings.middle_share:.0%} unwanted points)\n\n"
            + _grid(study, by_correlation(settings), score).markdown()
            for score in SCORES
        ),
        *(
            f"![{picture.path.stem}]({picture.path.name})\n\n{escape(picture.caption)}"
            for picture in pictures
        ),
        "Fair R² = max(R² wanted, 0)·(1 − exp(−SS_res/SS_tot on unwanted points)) is a definition "
        "of this package.",
        "## Versions",
        ", ".join(f"{name} {number}" for name, number in versions().items()) + ".",
    ]
    path = output / "report.md"
    write_text(path, "\n\n".join(sections) + "\n")
    return path


def results(study: Study) -> list[str]:
    """Say in sentences which lifts there were."""
    sentences = []
    problems = [problem.name for problem in (*by_share(study.settings), REAL)]
    for method in study.methods():
        if not method.startswith("EMSE"):
            continue
        lifts = {
            name: [study.summary(name, m, "r2_wanted").mean for m in ("before", method)] for name in problems
        }
        big = [name for name, (before, after) in lifts.items() if before < LOW and after > HIGH]
        listed = "; ".join(f"{name} {lifts[name][0]:.2f} → {lifts[name][1]:.2f}" for name in big)
        sentences.append(
            f"{method}: wanted R² rises from below {LOW} to above {HIGH} on {len(big)} of {len(problems)} "
            f"problems" + (f" ({listed})." if big else ".")
        )
    return [*sentences, *_against_fine_tuning(study)]


def _against_fine_tuning(study: Study) -> list[str]:
    """Say what the unwanted points add to plain fine-tuning on the wanted ones (λ = 0)."""
    if 0.0 not in study.settings.lambdas:
        return []
    sentences = []
    for objective, best in study.best.items():
        fair = {
            lam: [r.scores.fair_r2 for r in study.sweep if (r.method, r.lam) == (f"EMSE {objective}", lam)]
            for lam in (0.0, best)
        }
        gain = paired_difference(fair[best], fair[0.0])
        sentences.append(
            f"EMSE {objective}: over plain fine-tuning on wanted points (λ = 0) the static λ = {best:g} gains "
            f"{number(gain.mean)} Fair R² ({interval(gain.ci95)}) at {study.settings.middle_share:.0%} unwanted."
        )
    return sentences


def _grid(study: Study, problems: Sequence[Problem], score: str) -> Grid:
    rows = tuple(
        (method, *(_cell(study.summary(problem.name, method, score)) for problem in problems))
        for method in study.methods()
    )
    return Grid(("", *(problem.name for problem in problems)), rows)


def _cell(summary: Summary) -> str:
    half = f" ± {summary.ci95[1] - summary.mean:.2f}" if summary.ci95 else ""
    return f"{summary.mean:.2f}{half}".replace("-", "−")
