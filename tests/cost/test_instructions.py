"""How many instructions a warm request takes, against the figures that are committed.

A change that costs more than 5 % fails here.  `RAILHEAD_COST=write tests/run cost` writes
new figures down: after a change that saves some, or one that is worth what it costs.
"""

import json
import os
from pathlib import Path

import pytest

from lib import images

FIGURES = Path(__file__).with_name("figures.json")
ROOM = 0.05
PACE_ROOM = 0.5        # where it depends on how fast the client reads
WARM_UP, TIMES = 50, 400
MIB = 1 << 20
FIELDS = {"User-Agent": "containerd/1.6.20", "Accept-Encoding": "gzip",
          "Accept": f"{images.OCI_INDEX}, {images.OCI_MANIFEST}, */*"}


def manifest(counted, method="GET", name=None):
    name = name or counted.content.top
    return method, f"/v2/library/app/manifests/{name}", 200


def blob(counted, size, method="GET"):
    return method, f"/v2/library/app/blobs/{counted.blobs[size]}", 200


CASES = {
    "manifest by digest": manifest,
    "manifest by tag": lambda counted: manifest(counted, name="1.0"),
    "HEAD of a manifest": lambda counted: manifest(counted, "HEAD"),
    "blob of 4 KiB": lambda counted: blob(counted, 4096),
    "HEAD of a blob": lambda counted: blob(counted, 4096, "HEAD"),
}
BAD = {
    "a digest too short": ("GET", "/v2/library/app/manifests/sha256:12", 400),
    "a bad name": ("GET", "/v2/Library/app/manifests/latest", 400),
    "a path of nobody": ("GET", "/nothing/here", 404),
    "a method that is not served": ("PUT", "/v2/library/app/manifests/latest", 405),
}


def per_request(counted, method, target, status, times=TIMES):
    """Of many on one connection, each sent when the one before it is answered."""
    with counted.wire() as wire:
        def ask(count):
            for _ in range(count):
                assert wire.ask(target, method, FIELDS).status == status
        ask(WARM_UP if times == TIMES else 2)
        return counted.count(lambda: ask(times)) / times


def check(what, count, room=ROOM):
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if os.environ.get("RAILHEAD_COST") == "write":
        figures[what] = round(count)
        FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    figure = figures[what]
    assert count <= (1 + room) * figure, \
        f"{what}: {count:.0f} instructions, and {figure} are written down"


@pytest.mark.parametrize("what", CASES)
def test_request(counted, what):
    check(what, per_request(counted, *CASES[what](counted)))


def test_mebibyte_of_a_blob(counted):
    """Nearly all of it is the kernel's: what is counted is how often it is asked."""
    size = 8 * MIB
    head = per_request(counted, *blob(counted, size, "HEAD"))
    whole = per_request(counted, *blob(counted, size), times=20)
    check("MiB of a blob", (whole - head) / (size / MIB), PACE_ROOM)


def test_request_on_a_connection_of_its_own(counted):
    method, target, _ = manifest(counted)

    def ask(count=TIMES):
        for _ in range(count):
            assert counted.get(target).status == 200, method
    ask(WARM_UP)
    check("manifest, one request a connection", counted.count(ask) / TIMES)


@pytest.mark.parametrize("what", BAD)
def test_bad_request_is_as_cheap(counted, what):
    good = per_request(counted, *manifest(counted))
    bad = per_request(counted, *BAD[what])
    assert bad <= good, f"{bad:.0f} instructions; a good one takes {good:.0f}"
