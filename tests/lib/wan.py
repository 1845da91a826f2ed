"""A line with a real limit: the far side in a network namespace, a veth to it,
and on its side a token bucket."""

import ctypes
import os
import random
import shutil
import subprocess
import threading
from pathlib import Path

CLONE_NEWNET = 0x40000000
# Of a full packet: what Ethernet, IP and TCP (with time stamps) put around it.
FRAME_BYTES = 66


def _run(*words):
    done = subprocess.run([str(word) for word in words], text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")


def why_not():
    """Why there can be no such line here; empty: there can."""
    if not shutil.which("ip") or not shutil.which("tc"):
        return "iproute2 is not installed"
    try:
        with Wan("10mbit"):
            return ""
    except RuntimeError as error:
        return f"no network namespaces: {error}"


class Wan:
    """Addresses are of 198.18.0.0/15, which is set aside for benchmarks.
    RATE is as tc has it, like 1gbit; None: whatever the machine can do.
    IS_PLAIN: packets are of 1,500 bytes, as on a real line, and counted so."""

    _count = 0

    def __init__(self, rate=None, burst="256kb", is_plain=False):
        Wan._count += 1
        self.rate = rate
        self.burst = burst
        self.is_plain = is_plain
        self.name = f"wan-{os.getpid()}-{Wan._count}"
        self.prefix = ["ip", "netns", "exec", self.name]

    def __enter__(self):
        _run("ip", "netns", "add", self.name)
        try:
            self._connect()
            self._set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "link", "del", self._veth], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)

    def _connect(self):
        """Numbers that others have at the moment are taken, and so are their addresses."""
        for tries_left in reversed(range(16)):
            number = random.SystemRandom().randrange(1 << 13)
            self._veth = f"wv{number}"
            subnet, first = f"198.18.{number >> 5}", (number & 31) << 2
            self.near, self.far = f"{subnet}.{first + 1}", f"{subnet}.{first + 2}"
            try:
                _run("ip", "link", "add", self._veth, "type", "veth", "peer", "name",
                     f"{self._veth}f", "netns", self.name)
                return
            except RuntimeError:
                if not tries_left:
                    self._veth = "none"
                    raise

    def _set_up(self):
        far = f"{self._veth}f"
        _run("ip", "address", "add", f"{self.near}/30", "dev", self._veth)
        _run("ip", "link", "set", self._veth, "up")
        for words in (["ip", "address", "add", f"{self.far}/30", "dev", far],
                      ["ip", "link", "set", far, "up"], ["ip", "link", "set", "lo", "up"]):
            _run(*self.prefix, *words)
        if self.is_plain:
            _run(*self.prefix, "ip", "link", "set", far, "gso_max_segs", 1)
        if self.rate:
            _run(*self.prefix, "tc", "qdisc", "add", "dev", far, "root", "tbf",
                 "rate", self.rate, "burst", self.burst, "latency", "50ms")

    # ---- what crosses it ----------------------------------------------------

    def _count_of(self, what):
        return int(Path(f"/sys/class/net/{self._veth}/statistics/{what}").read_text())

    def bytes_down(self):
        """What has come over the line, with what TCP and IP add to it."""
        return self._count_of("rx_bytes")

    def payload_down(self):
        """The same without that; packets may be larger than a line's."""
        return self.bytes_down() - FRAME_BYTES * self._count_of("rx_packets")

    # ---- what happens to it -------------------------------------------------

    def cut(self):
        """Nothing passes any more; nobody is told.  Not on the near side: without a
        route there, what is for the far side would go wherever all else goes."""
        self._set_far("down")

    def mend(self):
        self._set_far("up")

    def _set_far(self, how):
        _run(*self.prefix, "ip", "link", "set", f"{self._veth}f", how)

    def outage(self, seconds, is_reset=False):
        """Cut and mended; IS_RESET: a box on the way has forgotten all connections."""
        self.cut()
        threading.Event().wait(seconds)
        self.mend()
        if is_reset:
            _run(*self.prefix, "ss", "-K", "dst", self.near)

    # ---- on its far side ----------------------------------------------------

    def call(self, work, *args):
        """WORK(*ARGS) in a thread of the far side: sockets that it makes stay there."""
        done = []
        thread = threading.Thread(target=lambda: done.append(self._call(work, args)))
        thread.start()
        thread.join()
        return done[0]

    def _call(self, work, args):
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/run/netns/{self.name}") as space:
            if libc.setns(space.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns to {self.name}")
        return work(*args)
