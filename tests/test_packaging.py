"""The installed package is whole: every folder with code is listed, and the data files come along."""

import configparser
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAPPED = {"envs", "agents", "configs"}


def packages_on_disk():
    found = {path.parent.relative_to(ROOT) for path in ROOT.glob("unlearn_gym/**/*.py")}
    found |= {Path(name) for name in MAPPED}
    dotted = (".".join(path.parts) for path in found)
    return {f"unlearn_gym.{name}" if name in MAPPED else name for name in dotted}


def test_every_package_is_listed():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert set(config["options"]["packages"].split()) == packages_on_disk()


@pytest.mark.slow
def test_wheel_holds_configs_and_assets(tmp_path):
    import subprocess
    import sys

    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert "unlearn_gym/configs/ppo.yaml" in names and "unlearn_gym/envs/diffusion.py" in names
    assert any(name.startswith("unlearn_gym/data/assets/") for name in names)
    models = ROOT / "unlearn_gym" / "models" / "shipped"
    shipped = {path.relative_to(ROOT).as_posix() for path in models.rglob("*") if path.is_file()}
    assert shipped and shipped <= set(names)
    assert not any(name.startswith(("envs/", "agents/", "tests/")) for name in names)
