"""The command as a user runs it, on small models."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.applying.conftest import made  # noqa: F401 (a fixture)
from tests.applying.small import QUICK, copied
from unlearn_gym.cli import main

CLASSIFIER = ("--model", "net.safetensors", "--factory", "factory.py:build")


def words(model=("--model", "plain"), keep="keep", forget="forget", output="out", quick=QUICK):
    return ["apply", *model, "--retain", keep, "--forget", forget, "--output", output, *quick]


@pytest.fixture
def place(made, tmp_path, monkeypatch):  # noqa: F811
    folder = copied(made, tmp_path)
    monkeypatch.chdir(folder)
    return folder


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("model", ["plain", "conditional"])
def test_a_diffusion_model_comes_back_unlearned_with_a_report(model, place, capsys):
    inputs = {name: (place / model / name).read_bytes() for name in files(place / model)}
    assert main(words(("--model", model))) == 0
    said = capsys.readouterr().out
    assert (
        "57 images to keep, 3 more held out, 8 to forget; posterior, λ by static:0.5, learning rate 0.0001"
        in said
    )
    out = place / "out"
    expected = {"report.html", "report.md", "results.json", "log.csv", "before-after.png", "losses.png"}
    assert expected < files(out) and not (place / "out.unfinished").exists()
    assert {name: (place / model / name).read_bytes() for name in files(place / model)} == inputs
    old, new = (DDPMPipeline.from_pretrained(folder) for folder in (place / model, out / "model"))
    assert old.unet.config.num_class_embeds == new.unet.config.num_class_embeds
    changed = [
        not torch.equal(a, b) for a, b in zip(old.unet.parameters(), new.unet.parameters(), strict=True)
    ]
    assert any(changed)
    results = json.loads((out / "results.json").read_text())
    assert results["numbers"]["retain_loss"]["examples"] == 3 and results["learning_rate"] == 1e-4
    assert (out / "log.csv").read_text().count("\n") == 5
    page = (out / "report.html").read_text()
    assert "unlearn-gym apply --model" in page and "Membership was not tested" in page
    assert page.count("data:image/png") == 2 + 2 * (1 if model == "plain" else 2)
    before = (out / "results.json").stat().st_mtime_ns
    assert main(words(("--model", model), quick=[*QUICK[:-1], "0.0001"])) == 0  # again: nothing is left to do
    assert "out is there already." in capsys.readouterr().out
    assert (out / "results.json").stat().st_mtime_ns == before
    assert main(words(("--model", model), quick=[*QUICK, "--seed", "1"])) == 2
    assert "that of another request (seed=0 there, 1 here)" in capsys.readouterr().err


def test_a_classifier_comes_back_unlearned_with_a_report(place, capsys):
    quick = ["--steps", "4", "--non-members", "unseen"]
    shutil.rmtree(place / "unseen")
    shutil.copytree(place / "flat", place / "unseen")
    for file in (place / "unseen").iterdir():  # images of no side
        Image.fromarray(255 - np.asarray(Image.open(file))).save(file)
    assert main(words(CLASSIFIER, quick=quick)) == 0
    numbers = json.loads((place / "out" / "results.json").read_text())["numbers"]
    assert numbers["forget_loss"]["after"] > numbers["forget_loss"]["before"]
    assert {"retain_acc", "forget_acc", "membership_auc"} < set(numbers)
    old, new = load_file(place / "net.safetensors"), load_file(place / "out" / "model.safetensors")
    assert old.keys() == new.keys() and not torch.equal(old["1.weight"], new["1.weight"])
    page = (place / "out" / "report.md").read_text()
    for said in ("Membership was tested against images", "cross entropy", "of classes that are kept"):
        assert said in page


def test_early_warnings_are_printed_and_reported(place, capsys):
    assert main(words(quick=[*QUICK[:-1], "1e-9"])) == 0
    printed = capsys.readouterr().err
    assert "warning: After 1 of 4 updates the denoising loss of the images to forget is" in printed
    assert printed.count("warning: ") == 1
    for name in ("report.html", "report.md", "results.json"):
        assert "hardly anything is forgotten yet" in (place / "out" / name).read_text()


def test_killed_it_goes_on_to_the_same_weights(place):
    long = ["--steps", "120", "--samples", "0", "--learning-rate", "1e-4", "--policy", "random"]
    command = [sys.executable, "-m", "unlearn_gym", *words(output="out", quick=long)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    killed = subprocess.Popen(command, cwd=place, env=environment, stderr=subprocess.PIPE)
    checkpoints = place / "out.unfinished" / "checkpoints"
    while not list(checkpoints.glob("[0-9]*/manifest.json")):
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    assert not (place / "out").exists()
    for output in ("out", "whole"):
        assert main(words(output=output, quick=long)) == 0
    for name in ("model/unet/diffusion_pytorch_model.safetensors", "log.csv"):
        assert (place / "out" / name).read_bytes() == (place / "whole" / name).read_bytes()


def test_a_signal_is_one_sentence(place, monkeypatch, capsys):
    def stop(*_):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("unlearn_gym.applying.running.Policy.choose", stop)
    assert main(words()) == 130
    printed = capsys.readouterr().err.splitlines()[-1]
    assert printed.startswith("stopped by SIGINT; what was finished is kept: run the same command again")
    assert not (place / "out").exists()


def spoil_image(place):
    (place / "forget" / "1" / "0003.png").write_bytes(b"no image")


def enlarge(place):
    with Image.open(place / "forget" / "1" / "0003.png") as image:
        image.resize((9, 9)).save(place / "forget" / "1" / "0003.png")


def colour(place):
    Image.new("RGB", (8, 8), "red").save(place / "keep" / "1" / "red.png")


def same(place):
    shutil.copy(place / "forget" / "1" / "0003.png", place / "keep" / "1" / "copy.png")


def predict_v(place):
    scheduler = DDPMScheduler(prediction_type="v_prediction")
    scheduler.save_pretrained(place / "plain" / "scheduler")


def predict_nothing(place):
    file = place / "plain" / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(
        {name: -weight if name == "conv_out.weight" else weight for name, weight in load_file(file).items()},
        file,
    )


def empty(place):
    shutil.rmtree(place / "forget")
    (place / "forget").mkdir()


def foreign(place):
    (place / "out").mkdir()
    (place / "out" / "thesis.txt").write_text("mine")


CONDITIONAL = {"model": ("--model", "conditional")}
REFUSED = [
    (spoil_image, {}, "forget/1/0003.png is not a readable image"),
    (enlarge, {}, "forget/1/0003.png is 9x9 pixels, grey, and the network's images are 8x8 pixels, grey"),
    (colour, {}, "keep/1/red.png is 8x8 pixels, coloured, and the network's images are 8x8 pixels, grey"),
    (same, {}, "1 of the 8 images to forget are among those to keep too, forget/1/0003.png for one"),
    (predict_v, {}, "v_prediction"),
    (predict_nothing, {}, "The model does not predict the noise of the images to keep: its loss is "),
    (empty, {}, "The folder forget has no images"),
    (foreign, {}, "The output out holds thesis.txt"),
    (None, {"forget": "flat", **CONDITIONAL}, "forget_data has no labels and the model has 10 classes"),
    (None, {"output": "keep/new"}, "The output keep/new and the input keep are one or lie in each other"),
    (None, {"output": "plain"}, "The output plain and the input plain are one or lie in each other"),
    (None, {"output": "."}, "The output . and the input plain are one or lie in each other"),
    (None, {"forget": "nowhere"}, "There is no nowhere"),
    (None, {"model": ("--model", "nowhere")}, "There is no model folder nowhere"),
    (None, {"model": ("--model", "net.safetensors")}, "give --factory path/to/file.py:function"),
    (None, {"model": (*CLASSIFIER[:3], "factory.py")}, "give path/to/file.py:function"),
    (None, {"model": (*CLASSIFIER[:3], "factory.py:none")}, "factory.py defines no function 'none'"),
    (None, {"model": (*CLASSIFIER[:3], "factory.py:number")}, "returned a int; return an nn.Module"),
    (None, {"model": (*CLASSIFIER[:3], "factory.py:fails")}, "The factory factory.py:fails failed: "),
    (None, {"model": (*CLASSIFIER, "--image-shape", "1", "7", "8")}, "applied to inputs of shape (2, 1, 7, 8)"),
    (None, {"model": ("--model", "plain", "--factory", "factory.py:build")}, "belong to a classifier"),
    (None, {"quick": ["--learning-rate", "fast"]}, "learning_rate='fast' was given; give auto or a number above 0"),
    (None, {"quick": ["--policy", "nobody"]}, "The agent 'nobody' is not known"),
    (None, {"quick": ["--objective", "nothing"]}, "nothing"),
    (None, {"quick": ["--device", "cuda:99"]}, "device='cuda:99' cannot be used here"),
    (None, {"quick": ["--env-kwargs.horizon", "3"]}, "horizon"),
    (None, {"quick": ["--non-members", "keep"]}, "Images of keep are among those to be kept"),
    (None, {"quick": ["--steps", "0"]}, "steps"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "changes", "sentence"), REFUSED, ids=[case[2][:40] for case in REFUSED])
def test_what_is_wrong_is_one_sentence_before_any_work(spoil, changes, sentence, place, capsys, monkeypatch):
    monkeypatch.setattr("unlearn_gym.applying.work.unlearn", None)
    if spoil:
        spoil(place)
    before = files(place)
    assert main(words(**changes)) == 2
    printed = capsys.readouterr().err
    assert printed.splitlines()[-1].startswith("error: ") and sentence in printed
    assert "Traceback" not in printed and files(place) == before


def test_the_four_are_needed(capsys):
    assert main(["apply", "--model", "x"]) == 2
    assert (
        capsys.readouterr().err
        == "error: --retain is missing; give --model, --retain, --forget and --output.\n"
    )


def test_other_sizes_are_taken_when_asked(place):
    enlarge(place)
    colour(place)
    assert main(words(quick=[*QUICK, "--convert"])) == 0


def test_a_run_of_another_request_is_not_continued(place, monkeypatch, capsys):
    def broken(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("unlearn_gym.applying.work.unlearn", broken)
        assert main(words()) == 130
    assert main(words(quick=[*QUICK, "--seed", "3"])) == 2
    assert (
        "out.unfinished holds an unfinished run of another request (seed=0 there, 3 here)"
        in capsys.readouterr().err
    )
    assert main(words()) == 0
