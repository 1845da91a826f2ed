"""What processes take: processor time, memory, bytes."""

import os
import re
import threading
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def family(pid):
    """PID and its children: nginx works in those."""
    pids = [pid]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            pids.append(int(stat.parent.name))
    return pids


def cpu_seconds(pids):
    """User and system time of those of PIDS that run."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / _TICK


def memory(pids, row):
    """A row of /proc/PID/status, summed, in bytes: VmRSS, RssAnon, ..."""
    total = 0
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        found = re.search(rf"^{row}:\s+(\d+) kB", status, re.M)
        total += int(found.group(1)) * 1024 if found else 0
    return total


def written_bytes(pids):
    """Bytes given to write() and sendfile(), sockets too."""
    total = 0
    for pid in pids:
        counts = Path(f"/proc/{pid}/io").read_text()
        total += int(re.search(r"^wchar: (\d+)", counts, re.M).group(1))
    return total


class PeakMemory:
    """The most memory that PIDS had, looked at 50 times a second."""

    STEP_S = 0.02

    def __init__(self, pids, row="RssAnon"):
        self.pids, self.row = pids, row
        self.most = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()

    def _watch(self):
        while True:
            self.most = max(self.most, memory(self.pids, self.row))
            if self._is_over.wait(self.STEP_S):
                return
