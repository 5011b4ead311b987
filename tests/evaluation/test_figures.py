from collections import Counter
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.patches import Ellipse
from PIL import Image

from unlearn_gym.evaluation import Entry, evaluate, statistics
from unlearn_gym.evaluation.report.drawing import looks
from unlearn_gym.evaluation.report.figures import classes, draw_all, runs, scores
from unlearn_gym.evaluation.report.figures.runs import read_progress
from unlearn_gym.evaluation.report.figures.samples import samples_figure, strip
from unlearn_gym.evaluation.report.figures.scores import ellipse_patch
from unlearn_gym.evaluation.report.html import save_html
from unlearn_gym.evaluation.report.markdown import save_report
from unlearn_gym.evaluation.report.names import row_names
from unlearn_gym.evaluation.report.results_file import as_json

from .tiny_agents import Constant, constant


def pixels(path):
    return np.asarray(Image.open(path).convert("L"))


@pytest.fixture
def trained(experiment, tmp_path):
    """The experiment with a run folder for one of its agents."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "progress.csv").write_text(
        "rollout/ep_rew_mean,time/total_timesteps,train/loss\n,100,\n0.1,200,3\n0.3,400,1\n", encoding="utf-8"
    )
    agents = tuple(replace(c, run_folder=folder) if c.name == "noisy" else c for c in experiment.entries)
    return replace(experiment, entries=agents)


def test_pictures_and_report(trained, tmp_path):
    results = evaluate(trained, tmp_path, progress=False)
    pictures = draw_all(results, tmp_path)
    assert [p.path.name for p in pictures] == ["metrics.png", "trade_off.png", "learning.png", "lambda.png"]
    for picture in pictures:
        drawn = pixels(picture.path)
        assert min(drawn.shape) > 300
        assert 0.005 < (drawn < 200).mean() < 0.5  # neither blank nor a blot
        assert picture.caption.endswith(".")
    text = save_report(results, pictures, "the command", tmp_path).read_text()
    assert "the command" in text
    assert "| static:0.7 |" in text
    assert all(f"({picture.path.name})" in text for picture in pictures)


def test_a_diverged_run_is_drawn_as_far_as_it_went(experiment, tmp_path):
    results = evaluate(experiment, tmp_path, progress=False)
    run = results.runs("noisy")[0]
    run.diverged = True
    run.lambdas, run.observations = run.lambdas[:4], run.observations[:5]
    assert draw_all(results, tmp_path)
    text = save_report(results, [], "", tmp_path).read_text()
    assert "1 of the runs of noisy diverged" in text


def test_every_group_gets_its_own_lambda(experiment, tmp_path):
    first, *others = experiment.entries
    grouped = replace(experiment, entries=(replace(first, group="a"), *others))
    results = evaluate(grouped, tmp_path, progress=False)
    names = [picture.path.name for picture in draw_all(results, tmp_path)]
    assert names[-2:] == ["lambda-a.png", "lambda.png"]


def test_class_by_class_and_the_data_are_drawn(experiment, tmp_path):
    results = evaluate(experiment, tmp_path, progress=False)
    for record in results.records:
        record.classes["fid"] = {"0": 1.0 + record.seed % 3, "1": 2.0}
    examples = {"forget": np.zeros((3, 8, 8, 1), np.uint8), "retain": np.full((5, 8, 8, 1), 200, np.uint8)}
    results = replace(results, examples=examples)
    pictures = {picture.path.name: picture for picture in draw_all(results, tmp_path)}
    assert {"classes.png", "data.png"} <= set(pictures)
    assert min(pixels(pictures["classes.png"].path).shape) > 200
    text = save_report(results, [pictures["data.png"]], "", tmp_path).read_text()
    assert "## Class by class" in text and "### fid" in text and "(data.png)" in text


def test_the_legend_of_classes_names_the_bars(experiment, tmp_path, monkeypatch):
    results = evaluate(experiment, tmp_path, progress=False)
    names = ["before", *(entry.name for entry in experiment.entries)]
    for record in results.records:
        record.classes["fid"] = {"0": 1.0 + names.index(record.name)}
    drawn = []
    monkeypatch.setattr(classes, "save", lambda figure, path, caption: drawn.append(figure))
    classes.classes_figure(results, tmp_path)
    panel = drawn[0].axes[0]
    legend, called = panel.get_legend(), row_names(experiment)
    heights = {bar.get_facecolor(): bar.get_height() for bar in panel.patches}
    shown = {
        text.get_text(): heights[handle.get_facecolor()]
        for text, handle in zip(legend.get_texts(), legend.get_patches(), strict=True)
    }
    expected = {called.get(name, name): 1.0 + place for place, name in enumerate(names)}
    assert len(shown) > 1 and shown.items() <= expected.items()


def test_the_html_report_holds_its_pictures(experiment, tmp_path):
    results = evaluate(experiment, tmp_path, progress=False)
    report = save_report(results, draw_all(results, tmp_path), "a < b", tmp_path)
    page = save_html(report, results).read_text(encoding="utf-8")
    assert page.count('src="data:image/png;base64,') == report.read_text().count("](") == 3
    assert "<table>" in page and '.png"' not in page and "://" not in page
    assert "<code>a &lt; b</code>" in page


def test_the_trade_off_has_a_panel_an_agent(experiment, tmp_path, monkeypatch):
    results = evaluate(experiment, tmp_path, progress=False)
    drawn = []
    monkeypatch.setattr(scores, "save", lambda figure, *rest: drawn.append(figure))
    scores.trade_off_figure(results, tmp_path)
    panels = [panel for panel in drawn[0].axes if panel.get_visible()]
    assert [panel.get_title() for panel in panels] == ["λ = 0.5", "λ = 0.7", "noisy"]
    ellipses = [sum(isinstance(one, Ellipse) for one in panel.get_children()) for panel in panels]
    assert ellipses == [1, 1, 1]
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["before"]


def test_sample_rows_share_their_columns(experiment, tmp_path):
    results = evaluate(experiment, tmp_path, progress=False)
    assert samples_figure(results, tmp_path) is None
    rng = np.random.default_rng(0)
    for record in results.records:
        record.pictures["forget label"] = rng.integers(0, 255, (6, 8, 8, 1), np.uint8)
        record.pictures["other labels"] = rng.integers(0, 255, (3, 8, 8, 1), np.uint8)
    picture = samples_figure(results, tmp_path)
    assert picture is not None and pixels(picture.path).std() > 20


def test_strip_keeps_every_pixel():
    images = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3, 1)
    joined = strip(images)
    assert joined.shape == (3, 7)
    np.testing.assert_array_equal(joined[:, :3], images[0, ..., 0])
    np.testing.assert_array_equal(joined[:, 4:], images[1, ..., 0])
    assert (joined[:, 3] == 255).all()
    assert strip(np.zeros((2, 3, 3, 3), np.uint8)).shape == (3, 7, 3)


def test_ellipse_patch_is_hotellings_region():
    points = np.random.default_rng(0).normal(size=(8, 2)) @ np.array([[2.0, 1.0], [0.0, 0.5]])
    patch = ellipse_patch(points)
    mean, inverse = points.mean(0), np.linalg.inv(np.cov(points, rowvar=False))
    angles = np.linspace(0.0, 6.0, 20)
    edge = patch.get_patch_transform().transform(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    values = [8 * (point - mean) @ inverse @ (point - mean) for point in edge]
    # 2 (n − 1) / (n − 2) · F(0.95; 2, n − 2) with F(0.95; 2, 6) = 5.143 from the tables.
    assert values == pytest.approx([2 * 7 / 6 * 5.143253] * 20, rel=1e-5)
    assert ellipse_patch(points[:3]) is None


def test_every_number_is_computed_once(experiment, tmp_path, monkeypatch):
    found = evaluate(replace(experiment, baseline="static:0.5"), tmp_path, progress=False)
    counts = Counter()
    for name in ("summarize", "paired_difference"):
        monkeypatch.setattr(
            f"unlearn_gym.evaluation.results.{name}",
            lambda *values, name=name: counts.update([name]) or getattr(statistics, name)(*values),
        )
    save_report(found, draw_all(found, tmp_path), "the command", tmp_path)
    as_json(found, "the command", tmp_path)
    assert counts["summarize"] == sum(len(found.row(name)) for name in found.names)
    assert counts["paired_difference"] == len(found.against_static) + len(found.against_baseline)


def test_style_stays_inside(experiment, tmp_path):
    before = dict(matplotlib.rcParams)
    draw_all(evaluate(experiment, tmp_path, progress=False), tmp_path)
    assert dict(matplotlib.rcParams) == before


def test_every_agent_looks_different(experiment):
    many = replace(experiment, entries=tuple(Entry(str(k), object) for k in range(28)))
    assert len(set(looks(many).values())) == 28


def test_progress_files(tmp_path):
    assert read_progress(None) == {}
    assert read_progress(tmp_path) == {}
    (tmp_path / "progress.csv").write_text("time/total_timesteps,a\n1,2\n,3\n4,\n", encoding="utf-8")
    columns = read_progress(tmp_path)
    assert columns["time/total_timesteps"].tolist() == [1, 4]
    assert columns["a"][0] == 2 and np.isnan(columns["a"][1])


class Seeing(Constant):
    """An agent that says what it expects to see."""

    def __init__(self, env):
        super().__init__(0.3, env)
        self.observation_space = env.observation_space


def test_rows_that_see_other_numbers_are_drawn(experiment, tmp_path, monkeypatch):
    other = Entry("seeing", Seeing, env_kwargs={"observation": "relative"})
    drawn = []
    monkeypatch.setattr(runs, "save", lambda figure, path, caption: drawn.append((figure, caption)))
    for entries, panels in (((constant(0.5), other), 6), ((other, constant(0.5)), 9)):
        results = evaluate(
            replace(experiment, entries=entries), tmp_path / entries[0].name.replace(":", ""), progress=False
        )
        runs.lambda_figure(results, tmp_path)
        figure, caption = drawn[-1]
        assert caption.endswith("Rows that see other numbers are drawn on the left only.")
        main, *others = figure.subfigs[0].axes + figure.subfigs[1].axes
        assert len(main.get_lines()) == 2 and len(others) == panels
        assert all(len(panel.get_lines()) == 1 for panel in others)
