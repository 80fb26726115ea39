"""A handler in a fresh interpreter, as Lambda starts it: import, then one invocation an event.

Run by its path, and it imports nothing of the project itself, so that nothing is there before the
handler asks for it. Arguments: the handler's module, the file for the figures, and a JSON file for
each event.
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any


class BareContext:
    """What Lambda hands to a handler beside the event."""

    function_name = "bench"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-west-2:000000000000:function:bench"
    aws_request_id = "bench"

    def get_remaining_time_in_millis(self) -> int:
        """Return a minute, always."""
        return 60_000


def peak_memory_mb() -> float:
    """Return the most memory that this process held.

    From `VmHWM` (proc_pid_status(5)). `ru_maxrss` would be wrong: a process that was just started
    has the peak of the one that started it (getrusage(2), exec(2) in Linux).
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def milliseconds() -> float:
    """Return the CPU time of this process and its threads."""
    return time.process_time() * 1000


def main() -> None:
    """Import, invoke, write down what it took."""
    module, figures, *files = sys.argv[1:]
    start, begun = milliseconds(), time.perf_counter()
    handler = importlib.import_module(module).handler
    imported, there = milliseconds(), time.perf_counter()
    took, results = [], []
    for file in files:
        # As Lambda's runtime for Python: the text of an event is held while the handler works.
        text = Path(file).read_bytes()
        began = milliseconds()
        event: Any = json.loads(text)
        results.append(handler(event, BareContext()))
        took.append(milliseconds() - began)
    found = {
        "import_ms": imported - start,
        "import_wall_ms": (there - begun) * 1000,
        "invocation_ms": took,
        "peak_memory_mb": peak_memory_mb(),
        "results": results,
    }
    Path(figures).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
