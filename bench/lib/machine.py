"""Where this was measured."""

import os
import platform
import re
import subprocess
import time
from pathlib import Path

from lib.railhead import BINARY


def _version(*argv):
    done = subprocess.run(argv, text=True, capture_output=True)
    return (re.search(r"\d+\.\d+[\w.+-]*", done.stdout + done.stderr) or [""])[0]


def _railhead():
    """What is measured, which need not be what the checkout holds by now."""
    said = subprocess.run([BINARY, "version"], text=True, capture_output=True).stdout
    return " ".join(said.split("\n")[0].split())


def line():
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
    return (f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, {_railhead()}, "
            f"{os.cpu_count()} × {cpu[1] if cpu else platform.machine()}, "
            f"{memory / (1 << 20):.0f} GiB, Linux {platform.release()}, "
            f"nginx {_version('nginx', '-v')}, "
            f"docker-registry {_version('docker-registry', '--version')}, "
            f"load average {os.getloadavg()[0]:.1f}")
