"""The installed package is whole, and is the same in an empty folder, inside a clone, and for a type checker."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import yaml

import unlearn_gym

ROOT = Path(__file__).parent.parent
MAPPED = ("agents", "configs", "envs")
SCRIPT = """
from unlearn_gym import agents
from unlearn_gym.envs.base import UnlearningEnv


def look(env: UnlearningEnv) -> None:
    reveal_type(env.horizon)
    reveal_type(agents.make("static:0.5", env))
"""


@pytest.mark.parametrize("name", MAPPED)
def test_the_folders_of_a_clone_are_packages_of_it(name):
    link = ROOT / "unlearn_gym" / name
    assert link.is_symlink() and link.resolve() == ROOT / name
    assert os.readlink(link) == f"../{name}"  # relative, so that it holds in every clone


def test_every_folder_with_code_is_a_package():
    folders = {path.parent for path in (ROOT / "unlearn_gym").rglob("*.py")} | {
        ROOT / name for name in MAPPED
    }
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_version_is_the_same_everywhere():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert settings["metadata"]["version"] == cited["version"] == unlearn_gym.__version__
    assert settings["metadata"]["license"] == cited["license"]
    assert f"## {cited['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_workflow_makes_what_the_makefile_has():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
    steps = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    wanted = [word.split()[1] for word in steps if word.startswith("make ")]
    assert wanted == ["test", "docs"] and set(wanted) <= set(targets)


def run(*command, cwd, **variables):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout + done.stderr


def pip(python, *words, cwd=ROOT):
    """Call pip for an environment that need not have it; setuptools comes from here."""
    wanted = ("--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    return run(sys.executable, "-m", "pip", "--python", python, *words, *wanted, cwd=cwd)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    shutil.rmtree(ROOT / "build" / "lib", ignore_errors=True)  # setuptools would add what an older build left
    said = pip(sys.executable, "wheel", "-v", "-w", folder, ROOT)
    assert "would be ignored" not in said and "absent from the `packages`" not in said
    return next(folder.glob("*.whl"))


def fresh(folder):
    """An environment that has this one's libraries but not the package."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=ROOT)
    python = folder / "bin" / "python"
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    here = {sysconfig.get_path(name) for name in ("purelib", "platlib")} | {path for path in sys.path if path}
    libraries = [
        path for path in here if Path(path).is_dir() and not _is_ours(path) and "lib-dynload" not in path
    ]
    Path(site, "libraries.pth").write_text("\n".join(sorted(libraries)) + "\n")
    return python


def _is_ours(path):
    return Path(path).resolve() == ROOT or (Path(path) / "unlearn_gym").exists()


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The interpreter of an environment with the wheel."""
    python = fresh(tmp_path_factory.mktemp("installed"))
    pip(python, "install", wheel)
    return python


@pytest.mark.slow
def test_the_wheel_is_whole_and_has_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    folders = {ROOT / "unlearn_gym": "unlearn_gym"} | {ROOT / name: f"unlearn_gym/{name}" for name in MAPPED}
    own = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for folder, package in folders.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == own


@pytest.mark.slow
@pytest.mark.parametrize("place", ["an empty folder", "a clone"])
def test_the_commands_of_the_wheel_run_anywhere(place, installed, tmp_path):
    folder = tmp_path if place == "an empty folder" else ROOT
    command = installed.parent / "unlearn-gym"
    assert "unlearn_gym/SISS-Digits-v0" in run(command, "list", cwd=folder)
    assert "ppo" in run(installed, "-m", "unlearn_gym", "list", cwd=folder)
    small = ("--env", "Quadratic-v0", "--output")
    steps = (
        "--hyperparameters.n_steps",
        "10",
        "--hyperparameters.batch_size",
        "5",
        "--total-timesteps",
        "20",
    )
    said = run(command, "train", *small, tmp_path / "run", *steps, "--n-envs", "2", cwd=folder)
    assert "Trained ppo" in said
    agents = ("--agents", "static:0.5", tmp_path / "run")
    run(command, "evaluate", *small, tmp_path / "report", *agents, "--seeds", "2", "--jobs", "2", cwd=folder)
    assert "unlearn-gym evaluate --env" in (tmp_path / "report" / "results.json").read_text()
    code = "import unlearn_gym.agents, unlearn_gym.envs, unlearn_gym.configs as c; print(c.table('ppo'))"
    assert "default" in run(installed, "-c", code, cwd=folder)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["wheel", "editable"])
def test_a_type_checker_sees_the_types(way, request, tmp_path):
    if way == "wheel":
        python = request.getfixturevalue("installed")
    else:
        python = fresh(tmp_path / "editable")
        pip(python, "install", "-e", ".")
    (tmp_path / "script.py").write_text(SCRIPT)
    command = (sys.executable, "-m", "mypy", "--python-executable", python, "script.py")
    said = run(*command, cwd=tmp_path, MYPYPATH="")
    assert 'Revealed type is "builtins.int"' in said or 'Revealed type is "int"' in said
    assert 'Revealed type is "unlearn_gym.agents.common.base.Agent"' in said
    assert "Success" in said


@pytest.mark.slow
def test_an_editable_install_adds_one_package_and_nothing_else(tmp_path):
    python = fresh(tmp_path / "editable")
    pip(python, "install", "-e", ".")
    code = "import importlib.util as u; print([n for n in {!r} if u.find_spec(n)])".format(
        (*MAPPED, "unlearn_gym", "tests", "evaluate")
    )
    assert run(python, "-c", code, cwd=tmp_path).strip() == "['unlearn_gym']"
