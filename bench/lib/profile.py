"""Where a server's time goes, as perf sees it."""

import re
import shutil
import subprocess

from bench.lib import load

CALLS, OWN, KERNEL = 12, 10, 8      # so many rows of each
_ROW = re.compile(r"^\s+(\d+\.\d+)%(?:\s+\d+\.\d+%)?\s+(\S+)\s+(\[[k.]\])\s+(\S+)")
_CALL = re.compile(r"^(?:__x64_sys_|__sys_|do_(?=writev$))(\w+)$")


def is_possible():
    if not shutil.which("perf"):
        return False
    done = subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-o", "/dev/null", "true"],
                          capture_output=True)
    return done.returncode == 0


def top(server, plan_path, folder, *options):
    """Where SERVER's time goes under this load: by system call with all that it leads to,
    and by function."""
    path = folder / "perf.data"
    argv = ["perf", "record", "-q", "-g", "-e", "cpu-clock", "-F", "1999", "-o", path,
            "-p", ",".join(map(str, server.pids)), "--",
            *load.command(server, plan_path, *options)]
    done = subprocess.run([str(word) for word in argv], text=True, capture_output=True)
    if done.returncode:
        raise load.Failed(done.stderr.strip())
    calls = _calls(_report(path, "--children"))
    functions = _report(path, "--no-children")
    path.unlink()
    own, kernel = _by_name(functions, "[.]"), _by_name(functions, "[k]")
    return "\n".join([
        f"{server.name}: {_sum(kernel):.0f} % in the kernel, {_sum(own):.0f} % outside",
        _line("calls", calls[:CALLS]), _line("functions outside", own[:OWN]),
        _line("in the kernel", kernel[:KERNEL])])


def _report(path, *options):
    said = subprocess.run(
        ["perf", "report", "-i", str(path), "--stdio", "-g", "none", "--sort", "dso,symbol",
         *options],
        text=True, capture_output=True).stdout
    return [found.groups() for found in map(_ROW.match, said.splitlines()) if found]


def _by_name(functions, where):
    """Functions without a name count as their library."""
    shares = {}
    for share, library, place, name in functions:
        if place == where:
            name = library if name.startswith("0x") else name
            shares[name] = shares.get(name, 0) + float(share)
    return sorted(((share, name) for name, share in shares.items()), reverse=True)


def _calls(functions):
    """System calls; the compiler leaves one or another of their outer functions out."""
    shares = {}
    for share, _, _, name in functions:
        if found := _CALL.match(name):
            shares[found[1]] = max(float(share), shares.get(found[1], 0))
    return sorted(((share, name) for name, share in shares.items()), reverse=True)


def _sum(rows):
    return sum(share for share, _ in rows)


def _line(title, rows):
    return f"  {title}: " + ", ".join(f"{name} {share:.1f}" for share, name in rows)
