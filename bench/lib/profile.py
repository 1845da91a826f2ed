"""Where a server's time goes, as perf sees it."""

import re
import shutil
import subprocess

from bench.lib import load

FUNCTIONS = 18
_ROW = re.compile(r"^\s+(\d+\.\d+)%\s+(\S+)\s+(\[[k.]\])\s+(\S+)")


def is_possible():
    if not shutil.which("perf"):
        return False
    done = subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-o", "/dev/null", "true"],
                          capture_output=True)
    return done.returncode == 0


def top(server, plan_path, folder, *options):
    """The functions that SERVER spends most time in under this load."""
    path = folder / "perf.data"
    argv = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-o", path,
            "-p", ",".join(map(str, server.pids)), "--",
            *load.command(server, plan_path, *options)]
    done = subprocess.run([str(word) for word in argv], text=True, capture_output=True)
    if done.returncode:
        raise load.Failed(done.stderr.strip())
    report = subprocess.run(
        ["perf", "report", "-i", str(path), "--stdio", "--no-children", "--sort", "dso,symbol"],
        text=True, capture_output=True).stdout
    path.unlink()
    rows = [found.groups() for found in map(_ROW.match, report.splitlines()) if found]
    kernel = sum(float(row[0]) for row in rows if row[2] == "[k]")
    lines = [f"{share:>6} %  {where:<20} {name}" for share, where, _, name in rows[:FUNCTIONS]]
    return (f"{server.name}: {kernel:.0f} % in the kernel\n" + "\n".join(lines))
