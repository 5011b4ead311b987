"""What is told to the C library and the collector holds, and ends where it should."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys

import pytest

from unlearn_gym.runtime.memory import settled_objects

PAGES = """
import resource, sys
from unlearn_gym.runtime.memory import keep_freed_memory
if sys.argv[1] == "keep" and not keep_freed_memory():
    sys.exit(3)
bytearray(2**26)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    bytearray(2**26)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""Asks for 64 MiB again and again, and prints how many pages came new."""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_freed_memory_is_used_again() -> None:
    def pages(word: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", PAGES, word], capture_output=True, text=True, check=False
        )

    kept = pages("keep")
    if kept.returncode == 3:
        pytest.skip("no glibc")
    own = 2**26 // resource.getpagesize()
    assert int(kept.stdout) < own < int(pages("leave").stdout)


def test_what_exists_is_left_out_of_collections_for_a_while() -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    before = gc.get_freeze_count()
    with settled_objects():
        assert gc.get_freeze_count() > before
        assert not any(each is cycle for each in gc.get_objects())
    assert any(each is cycle for each in gc.get_objects())
