"""Runs the whole suite again and again while other processes take the cores.

`python -m tests.stress --times 5 --busy 8`. A test that fails here depends on how fast the machine
is. Inputs of property tests are searched anew in each run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(10**5))"


def main() -> int:
    """Run it; the exit status is 1 where a run failed."""
    parser = argparse.ArgumentParser(description="The suite while other processes take the cores.")
    parser.add_argument("--times", type=int, default=5, help="how often the suite runs")
    parser.add_argument("--busy", type=int, default=8, help="how many processes take the cores")
    options = parser.parse_args()
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "random"}
    failed = 0
    with ExitStack() as stack:
        for _ in range(options.busy):
            busy = stack.enter_context(subprocess.Popen([sys.executable, "-c", _BUSY]))
            stack.callback(busy.kill)
        for number in range(1, options.times + 1):
            start = time.monotonic()
            done = subprocess.run(
                ["make", "--no-print-directory", "test", "KEEP_GOING=1"],
                cwd=ROOT,
                env=environment,
                check=False,
            )
            failed += done.returncode != 0
            took = time.monotonic() - start
            said = f"failed with {done.returncode}" if done.returncode else "passed"
            print(
                f"stress-test: run {number} of {options.times} {said} in {took:.0f} s", flush=True
            )
    print(f"stress-test: {options.times - failed} runs passed, {failed} runs failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
