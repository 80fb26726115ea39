"""`python -m loadtests.deploy_check [NAME …]`: a table for each check; ends with 1 on a fault."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from loadtests.deploy_check.frame import tell
from loadtests.deploy_check.plan import CHECKS
from toolbox.terminal.output import DOES_NOT_HOLD, console

FOLDER = Path(__file__).parents[2] / "build" / "deploy-check"


def main() -> int:
    """Run the checks that are named, or all; return how it ended."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.deploy_check")
    parser.add_argument("names", nargs="*", metavar="NAME", help="check; default: all")
    names = parser.parse_args().names
    if unknown := set(names) - {check.name for check in CHECKS}:
        known = ", ".join(check.name for check in CHECKS)
        parser.error(f"{', '.join(sorted(unknown))}: no such check; there are {known}")
    shutil.rmtree(FOLDER, ignore_errors=True)
    faults = tell([check for check in CHECKS if not names or check.name in names], FOLDER)
    console.print(f"{len(faults)} faults; what was made is in {FOLDER}")
    return DOES_NOT_HOLD if faults else 0


if __name__ == "__main__":
    sys.exit(main())
