"""Processes that do without the main module, as the programs that people write have one that runs when imported."""

import subprocess
import sys
from pathlib import Path

from rasnet.spawning import fresh_processes

PROGRAM = """
import sys
from concurrent.futures import ProcessPoolExecutor
from math import factorial
from rasnet.spawning import fresh_processes
print("the program runs")
main = sys.modules["__main__"]
with ProcessPoolExecutor(2, fresh_processes()) as pool:
    print(list(pool.map(factorial, [3, 4, 5])))
assert sys.modules["__main__"] is main
"""


def test_a_program_without_a_guard_runs_once(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.splitlines()) == (0, ["the program runs", "[6, 24, 120]"]), done.stderr


def test_they_start_others_of_their_kind() -> None:
    process = fresh_processes().Process(target=start_one)
    process.start()
    process.join()
    assert process.exitcode == 0


def start_one() -> None:
    process = fresh_processes().Process(target=len, args=([],))
    process.start()
    process.join()
    sys.exit(process.exitcode)
