"""A region of its own: a network namespace, and a WAN line out of it."""

import ctypes
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _ip(*words):
    done = subprocess.run(["ip", *words], text=True, capture_output=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


def can_be_made():
    if os.geteuid() != 0:
        return False
    name = f"railhead-probe-{os.getpid()}"
    done = subprocess.run(["ip", "netns", "add", name], capture_output=True)
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return done.returncode == 0


def _enter(namespace):
    if _libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"setns {namespace.name}")


class Region:
    """Addresses are of 198.18.0.0/15, which is set aside for tests of networks.
    OUTSIDE is how the rest of the world is reached from within."""

    _count = 0

    def __init__(self):
        number = (os.getpid() * 8 + Region._count) % (1 << 13)
        Region._count += 1
        self.name = f"railhead-{os.getpid()}-{Region._count}"
        self._veth = f"rv{number}"
        net = f"198.19.{number >> 5}"
        self.outside = f"{net}.{((number & 31) << 2) + 1}"
        self._inside = f"{net}.{((number & 31) << 2) + 2}"

    def __enter__(self):
        _ip("netns", "add", self.name)
        _ip("link", "add", self._veth, "type", "veth", "peer", "name", "wan", "netns", self.name)
        _ip("address", "add", f"{self.outside}/30", "dev", self._veth)
        _ip("link", "set", self._veth, "up")
        within = ["-n", self.name]
        _ip(*within, "address", "add", f"{self._inside}/30", "dev", "wan")
        _ip(*within, "link", "set", "wan", "up")
        _ip(*within, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "link", "del", self._veth], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)

    @contextmanager
    def entered(self):
        """This thread, and what it starts from here on, lives in the region."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}") as there:
            _enter(there)
            try:
                yield
            finally:
                _enter(home)

    def cut(self):
        """The line is dead; nobody is told."""
        _ip("-n", self.name, "link", "set", "wan", "down")

    def bytes_on_wan(self):
        """That have crossed the line, both ways."""
        folder = Path(f"/sys/class/net/{self._veth}/statistics")
        return sum(int((folder / name).read_text()) for name in ("rx_bytes", "tx_bytes"))
