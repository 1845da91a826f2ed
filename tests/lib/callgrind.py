"""The mirror under callgrind: how many instructions a request takes.

Seconds differ from run to run and from machine to machine; instructions of the same
binary hardly do.  The kernel's are not counted.
"""

import re
import subprocess

from lib.railhead import Railhead


class Counted(Railhead):
    """A mirror that runs under callgrind."""

    def __init__(self, folder, upstreams, **options):
        super().__init__(folder, upstreams, **options)
        self._profile = self.folder / "callgrind.out"
        self.daemon.argv = ["valgrind", "--tool=callgrind", "--quiet",
                            f"--callgrind-out-file={self._profile}", *self.daemon.argv]

    def count(self, work):
        """Instructions that the mirror takes for WORK()."""
        self._dump()
        work()
        self._dump()
        newest = max(self.folder.glob("callgrind.out.*"),
                     key=lambda path: int(path.suffix[1:]))
        return int(re.search(r"^(?:totals|summary): (\d+)", newest.read_text(), re.M).group(1))

    def _dump(self):
        """Writes down what was counted since the last time."""
        done = subprocess.run(["callgrind_control", "-d", str(self.daemon.pid)],
                              text=True, capture_output=True, timeout=60)
        assert done.returncode == 0 and "OK" in done.stdout, done.stdout + done.stderr
