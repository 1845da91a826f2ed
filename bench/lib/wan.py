"""A line with a real limit: the upstream in a network namespace, a veth to it,
and on its side a token bucket."""

import os
import subprocess
from pathlib import Path


def _run(*words):
    done = subprocess.run([str(word) for word in words], text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")


class Wan:
    """Addresses are of 198.18.0.0/15, which is set aside for benchmarks.
    RATE is as tc has it, like 1gbit; None: whatever the machine can do."""

    _count = 0

    def __init__(self, rate=None):
        number = (os.getpid() * 8 + Wan._count) % (1 << 13)
        Wan._count += 1
        self.rate = rate
        self.name = f"bench-{os.getpid()}-{Wan._count}"
        self._veth = f"bv{number}"
        net = f"198.18.{number >> 5}.{(number & 31) << 2}".rsplit(".", 1)
        self.near = f"{net[0]}.{int(net[1]) + 1}"
        self.far = f"{net[0]}.{int(net[1]) + 2}"
        self.prefix = ["ip", "netns", "exec", self.name]

    def __enter__(self):
        _run("ip", "netns", "add", self.name)
        try:
            self._set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "link", "del", self._veth], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)

    def _set_up(self):
        far = f"{self._veth}f"
        _run("ip", "link", "add", self._veth, "type", "veth", "peer", "name", far,
             "netns", self.name)
        _run("ip", "address", "add", f"{self.near}/30", "dev", self._veth)
        _run("ip", "link", "set", self._veth, "up")
        for words in (["ip", "address", "add", f"{self.far}/30", "dev", far],
                      ["ip", "link", "set", far, "up"], ["ip", "link", "set", "lo", "up"]):
            _run(*self.prefix, *words)
        if self.rate:
            _run(*self.prefix, "tc", "qdisc", "add", "dev", far, "root", "tbf",
                 "rate", self.rate, "burst", "256kb", "latency", "50ms")

    def bytes_down(self):
        """What has come over the line, with what TCP and IP add to it."""
        return int(Path(f"/sys/class/net/{self._veth}/statistics/rx_bytes").read_text())
