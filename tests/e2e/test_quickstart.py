"""deploy/quickstart: the first thing that anybody does with Railhead."""

import os
import socket
import subprocess

import pytest

from lib import images
from lib.clients import is_installed
from lib.ports import is_free
from lib.railhead import ROOT

PORTS = (5000, 5001)
QUICKSTART = ROOT / "deploy/quickstart"
DEMO_LAYOUT = ROOT / "deploy/quickstart.d/demo-layout"


@pytest.fixture
def are_free():
    if not all(map(is_free, PORTS)):
        pytest.skip("its ports are in use on this machine")


def quickstart(*words):
    env = {key: value for key, value in os.environ.items() if key != "RAILHEAD_BINARY"}
    return subprocess.run([QUICKSTART, *words], text=True, capture_output=True, timeout=900,
                          stdin=subprocess.DEVNULL, env=env)


@pytest.mark.usefixtures("are_free")
@pytest.mark.skipif(not is_installed("skopeo"), reason="skopeo is not installed")
def test_once():
    """A miss, then a hit for which nothing crosses; and nothing is left."""
    done = quickstart("--once")
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = [line.split() for line in done.stdout.splitlines()
                     if line.startswith(("  first", "  second"))]
    assert first[1] == "miss" and second[1] == "hit"
    assert first[2:4] == second[2:4]
    assert second[4:6] == ["0", "B"] and first[4] != "0"
    assert all(map(is_free, PORTS))


@pytest.mark.usefixtures("are_free")
@pytest.mark.parametrize("port", PORTS)
def test_port_that_is_taken(port):
    with socket.create_server(("127.0.0.1", port)):
        done = quickstart("--once")
    assert done.returncode == 1
    assert f"port {port}" in done.stderr and "taken" in done.stderr


def test_wrong_use():
    done = quickstart("--twice")
    assert done.returncode == 1
    assert "usage" in done.stderr


def test_demo_layout(tmp_path, start):
    """An image like others, served from its layout; a new one each time."""
    tops = set()
    for round_ in range(2):
        layout = tmp_path / "layout"
        subprocess.run([DEMO_LAYOUT, layout, "demo.local/hello:1.0"], check=True)
        mirror = start({"demo.local": {"endpoints": [{"layout": str(layout)}]}})
        manifest = mirror.get("/v2/hello/manifests/1.0")
        assert manifest["Content-Type"] == images.OCI_MANIFEST
        tops.add(manifest["Docker-Content-Digest"])
        for part in (manifest.json()["config"], *manifest.json()["layers"]):
            assert mirror.get(f"/v2/hello/blobs/{part['digest']}").length == part["size"]
    assert len(tops) == 2
