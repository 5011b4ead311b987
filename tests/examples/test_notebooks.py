"""The notebooks are clean, small, executed as they stand, and run from an empty folder."""

import configparser
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
REPOSITORY = "unlearn-gym/unlearn-gym"
"""Owner and name: a placeholder until the repository has an address, which setup.cfg then says."""
LARGEST = 300_000


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell):
    return "".join(cell["source"])


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["own_model", "quickstart"]


def test_the_repository_is_that_of_the_package():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    url = config["metadata"].get("url", f"https://github.com/{REPOSITORY}")
    assert url.rstrip("/") == f"https://github.com/{REPOSITORY}"


def test_it_opens_in_colab_and_installs_the_package_there(path, notebook):
    text = "\n".join(map(source, notebook["cells"]))
    badge = f"(https://colab.research.google.com/github/{REPOSITORY}/blob/main/notebooks/{path.name})"
    assert badge in source(notebook["cells"][0]) and f"git+https://github.com/{REPOSITORY}" in text
    assert set(re.findall(r"github\.com/([\w-]+/[\w-]+)", text)) == {REPOSITORY}
    pages = re.findall(rf"github\.com/{REPOSITORY}/blob/main/(docs/[^)#]+)", text)
    assert all((ROOT / page).is_file() for page in pages)


def test_its_outputs_are_of_one_execution_and_small(path, notebook):
    assert path.stat().st_size < LARGEST
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert {output["output_type"] for output in outputs} <= {"stream", "execute_result", "display_data"}
    assert not re.search(r"/(home|root|tmp|work|usr)/", json.dumps(outputs))


@pytest.mark.slow
def test_it_runs_and_prints_what_is_committed(path, tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="needs the extra notebooks")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    committed, notebook = (nbformat.read(path, as_version=4) for _ in range(2))
    nbformat.validate(notebook)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=1800, kernel_name="python3", resources=resources).execute()
    for old, new in zip(committed.cells, notebook.cells, strict=True):
        assert printed(old) == printed(new)


def printed(cell):
    """Return what a cell printed, without its numbers, which another processor rounds otherwise."""
    outputs = cell.get("outputs", [])
    text = "".join(output.text for output in outputs if output.get("name") == "stdout")
    return re.sub(r"[-\d. ]+", " ", text)
