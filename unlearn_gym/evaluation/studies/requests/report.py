"""The study of deletion requests from its settings to its finished report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unlearn_gym.evaluation.experiment import BEFORE
from unlearn_gym.evaluation.report.figures.runs import SECONDS, read_progress
from unlearn_gym.evaluation.report.html import save_html
from unlearn_gym.evaluation.report.markdown import bullets, ending, save_sections, shown
from unlearn_gym.evaluation.report.markup import code
from unlearn_gym.evaluation.report.publish import show
from unlearn_gym.evaluation.report.results_file import as_json
from unlearn_gym.evaluation.report.tables import MISSING, Grid
from unlearn_gym.evaluation.statistics import Summary
from unlearn_gym.evaluation.studies import Pipeline
from unlearn_gym.evaluation.studies.requests.figures import draw
from unlearn_gym.evaluation.studies.requests.statistics import (
    Bootstrapped,
    Table,
    bootstrap,
    iqm,
    over_contents,
    share_better,
    worst_decile,
)
from unlearn_gym.evaluation.studies.requests.study import METRICS, Found, Problem, Settings, measure
from unlearn_gym.runtime.command_line import check
from unlearn_gym.storage.files import write_json

PARTS = ("label_kept", "forgotten", "others_kept")
OUTCOME, DIFFERENCE, CONTENTS = "outcome ↑", "− best constant", "the same over contents"
REGRET = "regret to the oracle ↓"
COLUMNS = (
    "row",
    OUTCOME,
    "IQM ↑",
    "worst decile ↑",
    "D (label kept) ↑",
    "F (forgotten) ↑",
    "K (others kept) ↑",
    DIFFERENCE,
    CONTENTS,
    "P(better)",
    REGRET,
)
IN_SHORT = ("row", OUTCOME, DIFFERENCE, REGRET)
"""Columns of the table in the terminal."""
INTRODUCTION = (
    "Requests with other contents and budgets than the test's served to tune and train. Outcomes are (D·F·K)^(1/3). "
    "Intervals are 95 % percentiles of a bootstrap over requests and, within each, over seeds; differences are paired "
    "by both. Budgets of one content are not independent, so that differences stand there over contents too, each "
    "counting once, with Student's interval: what is known about fresh contents. P(better) counts ties half. The "
    "oracle is each request's best constant, chosen in hindsight on the same seeds, which flatters it."
)


def publish(values: Mapping[str, Any], pipeline: Pipeline) -> list[Path]:
    """Make the study and write, after every problem, results.json, report.md, report.html and the pictures.

    Returns the files.

    Args:
        values: fields of ``Settings``.
        pipeline: how its experiments are made.
    """
    settings = check(Settings, values, "settings of requests")
    problems = {
        name: check(Problem, problem, f"The problem {name!r}")
        for name, problem in settings.problems.items()
        if name in (settings.only or settings.problems)
    }
    found: dict[str, Found] = {}
    for name, one in measure(settings, problems, pipeline):
        found[name] = one
        files = _write(settings, found, [name for name in problems if name not in found], pipeline)
        for title, each in _all({name: one}).items():
            show(grid(each, IN_SHORT).rich(title), _sentences(title, each), ())
    return files


def _write(
    settings: Settings, found: Mapping[str, Found], missing: Sequence[str], pipeline: Pipeline
) -> list[Path]:
    """Write the report of what is done so far, and return its files."""
    output, command = pipeline.output, pipeline.command
    experiments = {
        f"{name}, {split}": as_json(results, command, output)
        for name, one in found.items()
        for split, results in (
            ("train", one.tuning),
            ("test", one.results),
            *((f"transfer to {other}", met.results) for other, met in one.transfers.items()),
        )
    }
    chosen = {name: one.chosen for name, one in found.items()}
    written = output / "results.json"
    write_json(
        written, {"command": command, **asdict(settings), "chosen": chosen, "experiments": experiments}
    )
    pictures = draw(found, output)
    sections = [
        "# Deletion requests that nothing was tuned on",
        code(command),
        INTRODUCTION,
        *([f"Not measured yet: {', '.join(missing)}. The same command goes on."] if missing else []),
        "## What was found",
        bullets(sentence for name, one in _all(found).items() for sentence in _sentences(name, one)),
        *shown(pictures, output),
        *(
            _section(f"## {name}", one, _made(settings, one), _chosen(one), *_diverged(one), *_costs(one))
            for name, one in found.items()
        ),
        *(
            _section(f"## {name}: the same rows on {other}", met, _transferred(met), *_diverged(met))
            for name, one in found.items()
            for other, met in one.transfers.items()
        ),
        *ending(METRICS),
    ]
    report = save_sections(sections, output)
    return [
        written,
        report,
        save_html(report, opened=1 + len(pictures)),
        *(picture.path for picture in pictures),
    ]


def _made(settings: Settings, one: Found) -> str:
    """Say on what a problem's table was made."""
    tuned = len(one.tuning.experiment.seeds)
    drawing = (
        f"Samples: {settings.samples} of the request's label, {settings.class_samples} of each other, in "
        f"{settings.sampling_steps} steps, on the noise of the seed. "
        if any(record.pictures for record in one.results.of(BEFORE))
        else "Outcomes are counted on held-out images. "
    )
    return (
        f"{_count(len(one.requests), 'test request')} × {_count(settings.seeds, 'seed')} a row; rows without learning "
        f"were tuned by {_count(tuned, 'run')} each, {_count(settings.tuning_seeds, 'seed')} a train request. {drawing}"
    ).strip()


def _all(found: Mapping[str, Found]) -> dict[str, Found]:
    """Return what was found on every problem, and on other models' requests."""
    transfers = {
        f"{name} on {other}": met for name, one in found.items() for other, met in one.transfers.items()
    }
    return {**found, **transfers}


def _section(title: str, one: Found, *told: str) -> str:
    return "\n\n".join((title, grid(one).markdown(), *told))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def grid(found: Found, columns: Sequence[str] = COLUMNS) -> Grid:
    """Return the table of a problem: constants, what was chosen, what was learned."""
    base = found.outcomes[found.chosen["constant"]]
    rows = []
    for name, outcomes in found.outcomes.items():
        difference = outcomes - base
        same = name == found.chosen["constant"]
        parts = [found.table(name, metric).mean() for metric in PARTS]
        cells = (
            _title(found, name),
            _with_interval(bootstrap(outcomes)),
            f"{iqm(outcomes):.3f}",
            f"{worst_decile(outcomes):.3f}",
            *(f"{part:.3f}" for part in parts),
            MISSING if same else _with_interval(bootstrap(difference), signed=True),
            MISSING if same else _over_contents(found, difference),
            MISSING if same else f"{share_better(difference):.2f}",
            f"{(found.oracle - outcomes.mean(1)).mean():.3f}".replace("-", "−"),
        )
        rows.append(tuple(cells[COLUMNS.index(column)] for column in columns))
    return Grid(tuple(columns), tuple(rows))


def _title(found: Found, name: str) -> str:
    kinds = [kind for kind, row in found.chosen.items() if row == name]
    return f"{name} (best {kinds[0]} on train)" if kinds else name


def _chosen(found: Found) -> str:
    told = "; ".join(f"{kind}: {row}" for kind, row in found.chosen.items())
    keywords = found.problem.env_kwargs
    setting = found.problem.env + (f" {keywords}" if keywords else "")
    return f"Chosen on the train requests: {told}. Environment: {code(setting)}"


def _transferred(found: Found) -> str:
    requests = len(found.requests)
    seeds = len(found.results.experiment.seeds) // requests
    return (
        "Chosen and trained as above, on another model's requests, and used here as they are, on "
        f"{_count(requests, 'test request')} × {_count(seeds, 'seed')} a row; the oracle is that of these requests."
    )


def _diverged(found: Found) -> list[str]:
    """Say which rows have runs that diverged, whose outcome is 0."""
    counts = {row: sum(run.diverged for run in found.results.runs(row)) for row in found.outcomes}
    told = [f"{row} {count}" for row, count in counts.items() if count]
    return [f"Runs that diverged, with an outcome of 0: {', '.join(told)}."] if told else []


def _costs(found: Found) -> list[str]:
    """Say what each training took, and after how many requests it is cheaper than trying all constants on each."""
    said = []
    constants = [found.results.runs(row) for row in found.problem.rows()["constant"]]
    trying = sum(sum(sum(run.seconds) for run in runs) / len(runs) for runs in constants)
    for entry in found.results.experiment.entries:
        log = read_progress(entry.run_folder)
        if entry.name in found.learned and SECONDS in log:
            took = float(log[SECONDS][-1])
            said.append(
                f"{entry.name} was trained for {took / 60:.1f} minutes, as long as trying the {len(constants)} "
                f"constants on {took / trying:.0f} requests takes, at {trying:.1f} seconds of updates each and without "
                "the samples that judge them."
            )
    return said


def _sentences(name: str, found: Found) -> list[str]:
    """Say which learned row beats which chosen one, and how much is left to the oracle."""
    said = []
    for row in found.learned:
        for kind, other in found.chosen.items():
            paired = found.outcomes[row] - found.outcomes[other]
            difference = bootstrap(paired)
            low, high = difference.ci95
            verb = "beats" if low > 0 else "is worse than" if high < 0 else "cannot be told from"
            chance = ", where it may be chance" if low * high > 0 and _may_be_chance(found, paired) else ""
            said.append(
                f"{name}: {row} {verb} the best {kind} ({other}): {_with_interval(difference, signed=True)}, over "
                f"contents {_over_contents(found, paired)}{chance}, and is better in {share_better(paired):.0%} of the "
                "runs."
            )
    base = found.outcomes[found.chosen["constant"]]
    left = float((found.oracle - base.mean(1)).mean())
    said.append(
        f"{name}: the constant that was best on the train requests ({found.chosen['constant']}) has {base.mean():.3f}; "
        f"a constant for each request, known in advance, would have {left:.3f} more."
    )
    return said


def _summary(found: Found, difference: Table) -> Summary:
    return over_contents(difference, [request.content for request in found.requests])


def _may_be_chance(found: Found, difference: Table) -> bool:
    interval = _summary(found, difference).ci95
    return interval is None or interval[0] <= 0.0 <= interval[1]


def _over_contents(found: Found, difference: Table) -> str:
    """Return mean ± half of Student's interval over contents, with how many there are."""
    told = _summary(found, difference)
    if told.ci95 is None:
        return f"{told.mean:+.3f} (one content)".replace("-", "−")
    return f"{told.mean:+.3f} ± {told.ci95[1] - told.mean:.3f} ({len(told.values)} contents)".replace(
        "-", "−"
    )


def _with_interval(estimate: Bootstrapped, *, signed: bool = False) -> str:
    form = "+.3f" if signed else ".3f"
    low, high = estimate.ci95
    return f"{estimate.value:{form}} ({low:{form}} to {high:{form}})".replace("-", "−")
