"""What the system has to do for arrays that come and go."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from rasnet.heap import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def masks():
    return [np.ones(2_000_000, np.uint8) for _ in range(4)]
masks()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    masks()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told anything")
def test_masks_get_the_memory_of_those_before() -> None:
    left, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True).stdout)
        for how in ("left", "kept")
    )
    assert left > 20 * 4 * 400  # pages of 4 kB
    assert kept < 400
