"""The peak of memory of the fan-out's processes, as Linux keeps it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from local.sandbox import peak_memory_kib

_HANDLER = "stream_processors."
#: proc_pid_clear_refs(5): sets the peak to what is resident now.
_RESET_PEAK = "5"


class FunctionMemory:
    """Looks at the stream's consumers below a process of the local runtime."""

    def __init__(self, runtime_pid: int) -> None:
        self._runtime = psutil.Process(runtime_pid)
        self._dead_peak = 0

    def begin(self) -> None:
        """Forget peaks from before."""
        self._dead_peak = 0
        for pid in self._pids():
            with suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)

    def peak_mib(self) -> float:
        """Return the highest peak since `begin`, that of processes seen before included."""
        self._dead_peak = max([self._dead_peak, *map(peak_memory_kib, self._pids())])
        return self._dead_peak / 1024

    def _pids(self) -> list[int]:
        found = []
        for child in self._runtime.children(recursive=True):
            with suppress(psutil.Error):
                if any(part.startswith(_HANDLER) for part in child.cmdline()):
                    found.append(child.pid)
        return found
