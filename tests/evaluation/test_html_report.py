"""The first screen answers in a reader's words, and the page needs nothing from outside."""

import base64
import hashlib
import html
import json
import math
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unlearn_gym.evaluation import Entry, Experiment
from unlearn_gym.evaluation.records import Record
from unlearn_gym.evaluation.report.figures import draw_all
from unlearn_gym.evaluation.report.headline import answer, caveat, ranked, rivals, shown_metrics
from unlearn_gym.evaluation.report.html import folded, renamed, save_html
from unlearn_gym.evaluation.report.html.intervals import intervals
from unlearn_gym.evaluation.report.html.strips import samples
from unlearn_gym.evaluation.report.markdown import save_report
from unlearn_gym.evaluation.report.names import metric_name, row_names
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.run import Run

METRICS = ("return", "concept_rate", "neither_rate", "label_accuracy", "class_accuracy", "balance")
ROWS = {
    "before": [0.4, 0.0, 0.6, 0.98, 0.7],
    "static:0.1": [0.01, 0.05, 0.94, 0.97, 0.96],
    "static:0.9": [0.1, 0.6, 0.3, 0.9, 0.6],
    "runs/demo/ppo": [0.02, 0.05, 0.93, 0.98, 0.95],
    "retrained": [0.02, 0.03, 0.97, 0.98, 0.98],
}
REFERENCES = ("before", "retrained")


def entry(name, **keywords):
    kind = "static" if name.startswith("static") else "learned"
    folder = Path(name) if "/" in name else None
    return Entry(name, object, kind, run_folder=folder, **keywords)  # type: ignore[arg-type]


def made_up(rows=ROWS, seeds=4, spread=0.005):
    """Results of the digits with given means; seeds scatter around them, the same way in every row."""
    rng = np.random.default_rng(0)
    records = []
    for seed in range(seeds):
        pixels = rng.integers(0, 255, (20, 8, 8, 1), np.uint8)
        for name, means in rows.items():
            shift = spread * (seed - (seeds - 1) / 2) * (1 if "ppo" in name else -1)
            values = dict(zip(METRICS[1:], np.clip(np.array(means) + shift, 0, 1), strict=True))
            pictures = {"forget label": pixels, "other labels": pixels[:9]}
            run = None if name in REFERENCES else Run([[0.5] * 6] * 3, [0.1] * 2)
            records.append(Record(name, seed, {"return": 0.0, **values}, run, pictures))
    entries = tuple(entry(name) for name in rows if name not in REFERENCES)
    experiment = Experiment("unlearn_gym/Weighted-Digits-v0", entries, tuple(range(seeds)))
    trade_off = ("concept_rate", "label_accuracy")
    return Results(experiment, tuple(records), METRICS, METRICS, trade_off, forgotten="ankle boot", label="1")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["static:0.1", "random", "adaptive_vi"], ["λ = 0.1", "random", "adaptive VI"]),
        (["runs/demo/ppo", "runs/demo/sac"], ["PPO", "SAC"]),
        (["runs/a/ppo", "runs/b/ppo"], ["runs/a/ppo", "runs/b/ppo"]),  # no two rows share a name
        (["runs/x/long-run", "static:0.1", "λ = 0.1"], ["long-run", "static:0.1", "λ = 0.1"]),
    ],
)
def test_rows_are_called_what_people_call_them(names, said):
    experiment = Experiment("unlearn_gym/Quadratic-v0", tuple(map(entry, names)), (0,))
    assert list(row_names(experiment).values()) == said


def test_a_row_that_was_given_a_name_keeps_it():
    experiment = Experiment("unlearn_gym/Quadratic-v0", (entry("static:0.1", description="ours"),), (0,))
    assert row_names(experiment) == {"static:0.1": "static:0.1"}


@pytest.mark.parametrize(
    ("forgotten", "label", "said"),
    [
        ("ankle boot", "1", "ankle boots among ones"),
        ("trousers", "cat", "trousers among “cat”"),
        ("", "", "the forgotten concept among samples"),
    ],
)
def test_metrics_speak_of_the_request(forgotten, label, said):
    results = replace(made_up(), forgotten=forgotten, label=label)
    assert metric_name(results, "concept_rate") == said
    assert metric_name(results, "return") == "return"


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("concept_rate_at_retain", "ankle boots among ones at equal retain quality"),
        ("quantised_balance_4bit", "balance at 4 bits"),
        ("relearn_auc_mixed", "relearning auc (mixed images)"),
        ("own_{x}", "own_{x}"),  # one that somebody registered
    ],
)
def test_metrics_made_from_others_are_named_after_them(metric, said):
    assert metric_name(made_up(), metric) == said


def test_the_answer_names_the_best_row_and_its_distance_to_the_retrained_model():
    results = made_up()
    assert ranked(results) == ["static:0.1", "runs/demo/ppo", "static:0.9"]
    assert rivals(results) == ["runs/demo/ppo", "static:0.9"]
    said = answer(results)
    assert said.startswith("λ = 0.1 unlearns best: ankle boots among ones 40.0 % → 1.0 % (95 % interval ")
    assert "ones recognised 60.0 % → 94.0 %; other labels recognised 98.0 % → 97.0 %; balance 0.960 (" in said
    assert "The retrained model has ankle boots among ones 2.0 %, ones recognised 97.0 %, " in said
    assert said.endswith(", balance 0.980: λ = 0.1 is 0.020 below it (95 % interval 0.020 to 0.020).")
    assert caveat(results).endswith("Not told apart from it (paired 95 % intervals hold 0): PPO.")


def test_the_answer_says_what_it_cannot_say():
    worse = {name: row for name, row in ROWS.items() if name in ("before", "static:0.9")}
    assert answer(made_up(worse)).startswith(
        "No row improves on the model before unlearning. Of those, λ = 0.9"
    )
    alone = {name: row for name, row in ROWS.items() if name != "retrained"}
    assert answer(made_up(alone)).endswith("There is no retrained model to compare it with.")
    assert "on one seed: another seed may" in caveat(made_up(seeds=1))
    assert "no interval from one seed" in answer(made_up(seeds=1))
    assert answer(replace(made_up(), metrics=())).startswith("Nothing was measured")
    assert "every other row is behind it beyond chance" in caveat(made_up(spread=0.0001))


def test_the_plot_shows_few_metrics_and_the_best_row_first():
    results = made_up()
    assert shown_metrics(results) == [
        "concept_rate",
        "neither_rate",
        "label_accuracy",
        "class_accuracy",
        "balance",
    ]
    plot = intervals(results)
    rows = re.findall(r'<tr class="(\w+)"><th scope="row" title="([^"]*)">([^<]*)<', plot)
    assert [row[1] for row in rows] == ["before", "static:0.1", "runs/demo/ppo", "static:0.9", "retrained"]
    assert rows[1][0] == "best" and rows[2][2] == "PPO"
    assert '<abbr title="concept_rate: Share of' in plot and ">ankle boots among ones</abbr>" in plot
    # A frame reaches from −0.08 to 1.08: 0.5 would stand in the middle, the mean 0.01 at 7.76 %.
    assert '<circle class="mark best" cx="7.76%"' in plot
    assert plot.count('class="before"') == plot.count('class="retrained"') == 5 * len(rows)


def of_many(count=40):
    """Results of more methods, half of them with long names, than the first screen has room for."""
    named = {f"method {k:02}{' of the longest name' if k % 2 else ''}": k / 100 for k in range(count)}
    rows = {name: [0.01, 0.02, 0.9 - less, 0.97, 0.95 - less] for name, less in named.items()}
    return made_up({"before": ROWS["before"], **rows, "retrained": ROWS["retrained"]})


def test_the_plot_has_the_best_of_many_methods_and_the_retrained_model():
    plot = intervals(of_many())
    rows = re.findall(r'scope="row" title="([^"]*)"', plot)
    best = [f"method {k:02}{' of the longest name' if k % 2 else ''}" for k in range(len(rows) - 2)]
    assert rows == ["before", *best, "retrained"] and 15 < len(best) < 23
    assert f" {40 - len(best)} rows behind these are in the tables below." in plot


def test_a_distance_is_no_larger_than_scores_can_be():
    results = made_up(
        {**ROWS, "static:0.1": [0.0, 0.0, 0.9, 0.9, 0.99], "retrained": [0.9, 0.0, 0.1, 0.9, 0.1]}
    )
    for seed, record in enumerate(results.of("retrained")):
        record.values["balance"] = (0.0, 0.0, 0.0, 0.4)[seed]
    assert answer(results).endswith("is 0.890 above it (95 % interval 0.564 to 1.00).")


def test_marks_stay_inside_the_frame():
    rows = {f"static:0.{k}": [0.1 * k, 0, 0, 0, 0] for k in range(1, 6)}
    results = replace(made_up(rows), key_metrics=("fid_retrained",), metrics=("fid_retrained",))
    for record in results.records:
        record.values["fid_retrained"] = (
            1e6 if record.name == "static:0.5" else 1 + record.values["concept_rate"]
        )
    plot = intervals(results)
    places = [float(x) for x in re.findall(r'(?:cx|x1|x2)="([^%"]*)%"', plot)]
    assert min(places) >= 0 and max(places) <= 100
    assert len(set(re.findall(r'cx="([^"]*)"', plot))) == 4  # which are told apart beside the wreck, an arrow
    assert plot.count(">▸</text>") == 1


def test_samples_of_the_best_row_stand_between_before_and_retrained():
    found = samples(made_up())
    assert re.findall(r'<span title="([^"]*)">', found) == [
        "before", "static:0.1", "runs/demo/ppo", "static:0.9", "retrained",
    ]  # fmt: skip
    assert found.count('<img alt="samples of ') == 2 * 5
    bare = made_up()
    for record in bare.records:
        record.pictures.clear()
    assert samples(bare) == ""


def test_sections_are_folded_and_the_setting_comes_last():
    page = folded("<h1>t</h1><p>how</p><h2>a</h2><p>x</p><h2>b</h2>", "<p>first</p>")
    assert page == (
        "<h1>t</h1><p>first</p><details><summary><h2>a</h2></summary><p>x</p></details>"
        "<details><summary><h2>b</h2></summary></details>"
        "<details><summary><h2>Setting</h2></summary><p>how</p></details>"
    )


def test_without_a_first_screen_the_first_section_is_open():
    assert re.findall("<details.*?>", folded("<h1>t</h1><h2>a</h2><h2>b</h2>", "")) == [
        "<details open>",
        "<details>",
    ]


def test_a_row_without_numbers_is_shown_last_and_named():
    results = made_up()
    for record in results.records:
        if record.name == "static:0.1":
            record.values["balance"] = math.nan
    assert caveat(results).endswith("Without a number on some seed: λ = 0.1.")
    assert re.findall(r'scope="row" title="([^"]*)"', intervals(results))[-2:] == ["static:0.1", "retrained"]


def test_names_are_replaced_where_they_stand_for_themselves():
    words = {"static:0.1": ("λ = 0.1", "static:0.1"), "a_b": ("A & B", 'a_b: "x"')}
    body = "<p>static:0.1, static:0.15 xa_b a_b.</p><code>a_b</code>"
    assert renamed(body, words) == (
        '<p><abbr title="static:0.1">λ = 0.1</abbr>, static:0.15 xa_b '
        '<abbr title="a_b: &quot;x&quot;">A &amp; B</abbr>.</p><code>a_b</code>'
    )


@pytest.fixture(params=[made_up])
def page(request, tmp_path):
    results = request.param()
    report = save_report(results, draw_all(results, tmp_path), "command", tmp_path)
    return save_html(report, results, "A note < others.")


def test_the_page_allows_its_own_script_only(page):
    text = page.read_text(encoding="utf-8")
    assert {"trade_off.png", "samples.png", "lambda.png"} <= {file.name for file in page.parent.iterdir()}
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in text
    )
    assert all(address.startswith("data:") for address in re.findall(r'(?:src|href)="([^"]*)"', text))
    assert ": PPO. A note &lt; others.</p>" in text
    assert "<details open" not in text and text.count("<details>") > 5


PROBE = """
document.querySelectorAll("details").forEach(one => one.open = true);
const head = document.querySelector("details table th:nth-child(3) button");
head.click(); head.click();
const body = document.querySelector("details table").tBodies[0];
const found = {
  width: innerWidth, overflow: document.documentElement.scrollWidth - innerWidth,
  first: Math.round(document.querySelector(".first").getBoundingClientRect().bottom),
  order: [...body.rows].map(row => row.cells[0].textContent),
  loaded: performance.getEntriesByType("resource").filter(one => !one.name.startsWith("data:")).length,
};
parent.postMessage(JSON.stringify(found), "*");
"""
OUTSIDE = """<!doctype html><body><script>
addEventListener("message", event => document.body.setAttribute("data-found", event.data));
</script><iframe src="probed.html" style="border: 0" width={width} height=900></iframe>"""
"""A page around the page: a window is never as narrow as a telephone."""
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def browse(page, width, *options):
    """Open a page in a window of this width, without a network, and return what the browser prints."""
    fixed = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=3000")
    size = (f"--window-size={width},900", "--host-rules=MAP * ~NOTFOUND")
    command = [CHROMIUM, *fixed, *size, *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize("width", [1300, 400])
@pytest.mark.parametrize("page", [made_up, of_many], indirect=True)
def test_a_browser_shows_the_page(width, page, tmp_path):
    assert "<th><button>agent</button></th>" in browse(
        page, width, "--dump-dom"
    )  # the policy lets its script run
    picture = tmp_path / "screen.png"
    browse(page, width, f"--screenshot={picture}")
    with Image.open(picture) as shown:
        assert shown.size == (width, 900)
        assert np.asarray(shown.convert("L")).std() > 10
    text = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text(encoding="utf-8"))
    probed = text.replace("</body>", f"<script>{PROBE}</script></body>")
    (tmp_path / "probed.html").write_text(probed, encoding="utf-8")
    (tmp_path / "outside.html").write_text(OUTSIDE.format(width=width), encoding="utf-8")
    printed = browse(tmp_path / "outside.html", width, "--dump-dom")
    found = json.loads(html.unescape(re.search(r'data-found="([^"]*)"', printed)[1]))
    assert found["width"] == width and found["overflow"] == 0 and found["loaded"] == 0
    assert width < 1000 or found["first"] < 900  # the answer is on the first screen
    few = ["before", "λ = 0.9", "PPO", "retrained", "λ = 0.1"]
    assert found["order"] == few or len(found["order"]) == 42
