"""What crosses a real line, by its own counters: once what is wanted, and hardly a byte
more when the line is cut, or the mirror killed, in the middle of it."""

import pytest

from conftest import UPSTREAM
from lib import images, puller
from lib.clients import Containerd, good, is_installed
from lib.images import MIB
from lib.railhead import registry_at, run
from lib.registry import Registry
from lib.wait import in_background, wait_until
from lib.wan import FRAME_BYTES

MBIT = 40
BYTES_PER_S = MBIT * 125000
LINE = {"rate": f"{2 * MBIT}mbit", "is_plain": True}
FRAMES = 1448 / (1448 + FRAME_BYTES)    # of what is on a plain line, what is payload
CLIENTS = 10


class Site:
    """Debian's registry at the far side, a mirror here."""

    def __init__(self, wan, registry, mirror):
        self.wan, self.registry, self.mirror = wan, registry, mirror

    def parts(self, content):
        kinds = [("manifests", {digest: data for digest, (_, data)
                                in content.manifests.items()}), ("blobs", content.blobs)]
        return [(f"/v2/lib/x/{kind}/{digest}", digest, len(data))
                for kind, held in kinds for digest, data in held.items()]

    def direct(self, content):
        """What one pull without a mirror puts on the line."""
        before = self.wan.bytes_down()
        puller.finish(puller.begin(self.registry.host, self.registry.port,
                                   self.parts(content), 1))
        return self.wan.bytes_down() - before

    def pulled(self, content, times=0, disturb=None):
        """What many through the mirror put there, DISTURBed TIMES times on the way."""
        before = self.wan.bytes_down()
        size = sum(map(len, content.blobs.values()))
        clients = puller.begin("127.0.0.1", self.mirror.port, self.parts(content), CLIENTS)
        for number in range(times):
            goal = before + size * (number + 1) / (times + 1)
            wait_until(lambda: self.wan.bytes_down() >= goal)
            disturb(number)
        puller.finish(clients)
        return self.wan.bytes_down() - before


@pytest.fixture
def site(line, start, tmp_path):
    wan = line(**LINE)
    with Registry(tmp_path / "registry", wan=wan) as registry:
        mirror = start({UPSTREAM: registry_at({"url": registry.url, "link": "wan"})},
                       links={"wan": {"rate": f"{MBIT}Mbit", "stall": "60s"}})
        yield Site(wan, registry, mirror)


@pytest.fixture
def content(site, new_seed):
    made = images.image(layers=4, size=4 * MIB, how="", tag="1.0", seed=new_seed())
    return site.registry.push("lib/x", made)


def test_many_clients_are_one_on_the_line(site, content):
    direct = site.direct(content)
    assert site.pulled(content) <= 1.01 * direct


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_line_that_is_cut(site, content, is_reset):
    """Connections outlast it, or are reset by a box on the way."""
    direct = site.direct(content)
    assert site.pulled(content, 6, lambda _: site.wan.outage(0.3, is_reset)) <= 1.03 * direct


def test_a_mirror_that_is_killed(site, content):
    kills = 4

    def kill(_):
        site.mirror.kill()
        site.mirror.start()
    direct = site.direct(content)
    more = site.pulled(content, kills, kill) - 1.01 * direct
    assert more * FRAMES <= kills * max(MIB, BYTES_PER_S / 4)


@pytest.mark.skipif(not is_installed("containerd", "ctr"), reason="containerd is not installed")
def test_containerd_behind_a_line_that_is_cut(site, content, tmp_path):
    with Containerd(tmp_path / "containerd") as containerd:
        assert run("hosts", "--config", site.mirror.config_file, "--mirror",
                   f"http://127.0.0.1:{site.mirror.port}", "--fallback", "no",
                   "--out", containerd.hosts_dir).returncode == 0
        before = site.wan.bytes_down()
        pull = in_background(containerd.pull, f"{UPSTREAM}/lib/x:1.0")
        wait_until(lambda: site.wan.bytes_down() - before > 4 * MIB)
        site.wan.outage(0.3, is_reset=True)
        good(pull.join())
        assert set(content.layers) <= containerd.digests()
    size = sum(map(len, content.blobs.values()))
    assert site.wan.bytes_down() - before <= 1.03 * size / FRAMES
    assert site.mirror.metric("fill_readers_cut_total") == 0
