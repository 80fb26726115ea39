"""Runs the whole suite again and again while other processes take the cores.

`python -m tests.stress --times 5 --busy 8`. A test that fails here depends on how fast the machine
is. Inputs of property tests are searched anew in each run. With `--at-once`, runs stand beside
each other, each in a clone of its own: the harder case, and the shorter one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).parents[1]
_BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(10**5))"
_MAKE = ("make", "--no-print-directory")


def main() -> int:
    """Run it; the exit status is 1 where a run failed."""
    parser = argparse.ArgumentParser(description="The suite while other processes take the cores.")
    parser.add_argument("--times", type=int, default=5, help="how often the suite runs")
    parser.add_argument("--busy", type=int, default=8, help="how many processes take the cores")
    parser.add_argument("--at-once", type=int, default=1, help="how many runs stand side by side")
    options = parser.parse_args()
    with ExitStack() as stack:
        checkouts = [ROOT]
        if options.at_once > 1:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stress ")))
            checkouts = [_clone(folder / str(number)) for number in range(options.at_once)]
        stack.enter_context(_busy(options.busy))
        free: Queue[Path] = Queue()
        for checkout in checkouts:
            free.put(checkout)
        # The outputs of runs that stand side by side would be mixed.
        run = _run_shown if options.at_once == 1 else _run_kept
        with ThreadPoolExecutor(options.at_once) as pool:
            failed = sum(
                not passed
                for passed in pool.map(
                    lambda number: run(free, number), range(1, options.times + 1)
                )
            )
    print(f"stress-test: {options.times - failed} runs passed, {failed} runs failed", flush=True)
    return 1 if failed else 0


@contextmanager
def _busy(processes: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(processes):
            busy = stack.enter_context(subprocess.Popen([sys.executable, "-c", _BUSY]))
            stack.callback(busy.kill)
        yield


def _clone(folder: Path) -> Path:
    """What is committed, with an environment of its own: each run is that of a new machine."""
    print(f"stress-test: setting up {folder}", flush=True)
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    subprocess.run([*_MAKE, "setup"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder


def _run_shown(free: Queue[Path], number: int) -> bool:
    return _passed(free, number, None)


def _run_kept(free: Queue[Path], number: int) -> bool:
    log = ROOT / "build" / "stress" / f"{number}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    print(f"stress-test: run {number} writes {log.relative_to(ROOT)}", flush=True)
    with log.open("wb") as output:
        return _passed(free, number, output.fileno())


def _passed(free: Queue[Path], number: int, output: int | None) -> bool:
    checkout = free.get()
    start = time.monotonic()
    done = subprocess.run(
        [*_MAKE, "test", "KEEP_GOING=1"],
        cwd=checkout,
        env={**os.environ, "HYPOTHESIS_PROFILE": "random"},
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        check=False,
    )
    free.put(checkout)
    said = f"failed with {done.returncode}" if done.returncode else "passed"
    print(f"stress-test: run {number} {said} in {time.monotonic() - start:.0f} s", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
