"""The regression study from its settings to its finished report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unlearn_gym.data.sets.curves import BreastCancerCurves, SyntheticCurves
from unlearn_gym.evaluation.report.drawing import Picture
from unlearn_gym.evaluation.report.html import save_html
from unlearn_gym.evaluation.report.markdown import bullets, ending, save_sections, shown
from unlearn_gym.evaluation.report.markup import code
from unlearn_gym.evaluation.report.results_file import as_json
from unlearn_gym.evaluation.report.sentences import interval, number
from unlearn_gym.evaluation.report.tables import MISSING, Grid
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.statistics import Summary, paired_difference
from unlearn_gym.evaluation.studies import Pipeline
from unlearn_gym.evaluation.studies.regression import METRICS, Settings, Study, measure, sweep_row
from unlearn_gym.evaluation.studies.regression_figures import TITLES, draw_study
from unlearn_gym.metrics.glossary import GLOSSARY
from unlearn_gym.runtime.command_line import check
from unlearn_gym.storage.files import write_json

LOW, HIGH = 0.45, 0.95
"""The lift that was published: wanted R² from below the one to above the other."""
CLOSED_FORM = {
    "newton": "newton is no run: one step, from the fit to all points, by the Hessian of the wanted points' loss and "
    "the gradient of the unwanted points', which for least squares is the retrained curve up to rounding."
}
"""What the report says of rows without λ."""


def publish(values: Mapping[str, Any], pipeline: Pipeline) -> list[Path]:
    """Make the study and write results.json, report.md, report.html and four pictures; returns the files.

    Args:
        values: fields of ``Settings``.
        pipeline: how its experiments are made.
    """
    study = measure(check(Settings, values, "settings of emse_polynomial"), pipeline)
    output, command = pipeline.output, pipeline.command
    experiments = {"sweep": study.sweep, **study.shares, **study.correlations}
    found = {name: as_json(results, command, output) for name, results in experiments.items()}
    results = output / "results.json"
    write_json(
        results, {"command": command, **asdict(study.settings), "best": study.best, "experiments": found}
    )
    pictures = draw_study(study, output)
    report = save_report(study, pictures, command, output)
    return [results, report, save_html(report), *(picture.path for picture in pictures)]


def save_report(study: Study, pictures: Sequence[Picture], command: str, output: Path) -> Path:
    """Write ``report.md`` and return its path."""
    settings, family = study.settings, SyntheticCurves()
    sections = [
        "# Polynomial regression under EMSE",
        code(command),
        f"Synthetic curves of degree {family.degree}, noise {family.noise}, offset {family.offset}, "
        f"{family.points} training points and as many held out; real data: benign (wanted) and malignant "
        f"(unwanted) tumours, degree {BreastCancerCurves().degree}. {settings.horizon} updates a run. Scores "
        f"are those of held-out points, means with 95 % intervals over {settings.draws} draws. The "
        f"static λ ({', '.join(f'{name} {lam:g}' for name, lam in study.best.items())}) was chosen on "
        f"{settings.tuning_draws} other draws"
        + (
            f"; {settings.agent} was trained for {settings.agent_steps:,} steps on fresh synthetic draws of "
            "every share, never on the real data."
            if settings.agent
            else "."
        )
        + "".join(f" {CLOSED_FORM[name]}" for name in settings.closed_forms),
        "## What was found",
        bullets((*lifts(study), *_against_fine_tuning(study))),
        *(
            f"## {title} by share of unwanted points, and on real data\n\n"
            + _grid(study.shares, metric).markdown()
            for metric, title in TITLES.items()
        ),
        *(
            f"## {title} by dependence ({settings.middle_share:.0%} unwanted points)\n\n"
            + _grid(study.correlations, metric).markdown()
            for metric, title in TITLES.items()
        ),
        *shown(pictures, output),
        *ending(METRICS),
    ]
    return save_sections(sections, output)


def lifts(study: Study) -> list[str]:
    """Say in sentences which lifts there were."""
    sentences = []
    for name in next(iter(study.shares.values())).names:
        if not name.startswith("EMSE"):
            continue
        found = {
            problem: [results.row(one)["r2_wanted"].mean for one in ("before", name)]
            for problem, results in study.shares.items()
            if "r2_wanted" in results.row(name)
        }
        big = {problem: ends for problem, ends in found.items() if ends[0] < LOW and ends[1] > HIGH}
        listed = "; ".join(
            f"{problem} {before:.2f} → {after:.2f}" for problem, (before, after) in big.items()
        )
        sentences.append(
            f"{name}: wanted R² rises from below {LOW} to above {HIGH} on {len(big)} of {len(study.shares)} "
            f"problems" + (f" ({listed})." if big else ".")
        )
    return sentences


def _against_fine_tuning(study: Study) -> list[str]:
    """Say what the unwanted points add to plain fine-tuning on the wanted ones (λ = 0)."""
    sentences = []
    for objective, best in study.best.items():
        plain, chosen = (study.sweep.row(sweep_row(objective, lam)).get("fair_r2") for lam in (0.0, best))
        if plain is None or chosen is None:
            continue
        gain = paired_difference(chosen.values, plain.values, GLOSSARY["fair_r2"].bounds)
        sentences.append(
            f"EMSE {objective}: over plain fine-tuning on wanted points (λ = 0) the static λ = {best:g} gains "
            f"{number(gain.mean)} Fair R² ({interval(gain.ci95)}) at {study.settings.middle_share:.0%} unwanted."
        )
    return sentences


def _grid(problems: Mapping[str, Results], metric: str) -> Grid:
    names = next(iter(problems.values())).names
    rows = tuple(
        (name, *(_cell(found.row(name).get(metric)) for found in problems.values())) for name in names
    )
    return Grid(("", *problems), rows)


def _cell(summary: Summary | None) -> str:
    if summary is None:
        return MISSING
    half = f" ({summary.ci95[0]:.2f} to {summary.ci95[1]:.2f})" if summary.ci95 else ""
    return f"{summary.mean:.2f}{half}".replace("-", "−")
