"""The stress run at a tiny scale, and that it sees faults."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAULTY = """
from functools import partial
from tests.stress.cases import Case, run_cases, workplace
from tests.stress.inputs import check
from tests.stress.trials import Call, Trial, Words
from unlearn_gym.errors import UserError

def refuse(place):
    (place.folder / "kept").touch()
    def body():
        (place.folder / "kept").unlink()
        raise UserError("This is refused, and yet a file is gone.")
    return Call(body)

def sound(place):
    def body():
        raise UserError("This is refused, and nothing is changed.")
    return Call(body)

def talk(place):
    (place.folder / "talk.py").write_text("import sys; sys.stderr.write('error: one\\\\nand two\\\\n'); sys.exit(2)")
    return Words((str(place.folder / "talk.py"),))

trials = {
    "taken": lambda place: Call(lambda: None),
    "traceback": lambda place: Call(lambda: 1 / 0),
    "deleted": refuse,
    "lines": talk,
    "sound": sound,
}
cases = [Case("inputs", n, t, t, partial(check, Trial(t, make, True))) for n, (t, make) in enumerate(trials.items())]
with workplace() as root:
    for outcome in run_cases(cases, 0, root, 2, lambda outcome: None):
        print(outcome.case.title, "|", outcome.fault)
"""


def python(*words):
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


NUMBERS = {
    "kills": (3,),
    "inputs": (1, 102, 159, 232, 292),
    "caches": (0, 2),
    "faults": (11, 25),
}


def test_some_cases_of_each_section_are_green():
    names = [f"{section}/{number}" for section, numbers in NUMBERS.items() for number in numbers]
    done = python("-m", "tests.stress", "--seed", "5", "--case", *names)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(names)} of {len(names)} green, seed 5" in done.stdout


def test_faults_are_seen():
    lines = python("-c", FAULTY).stdout.splitlines()
    faults = dict(line.split(" | ") for line in lines)
    assert faults["taken"] == "it was taken without a word"
    assert faults["traceback"].startswith("ZeroDivisionError")
    assert faults["deleted"] == "refused, but on the disk: gone: kept"
    assert faults["lines"].startswith("no single line")
    assert faults["sound"] == "None"
