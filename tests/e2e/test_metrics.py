"""What Prometheus is told."""

import json
import re
import shutil
import subprocess

import pytest

from conftest import UPSTREAM
from lib import images
from lib.railhead import ROOT, registry_at


@pytest.fixture
def pulled(own, origin):
    """A mirror that an image was pulled from, twice."""
    content = origin.load("lib/x", images.image(layers=2, size=3000, tag="1.0"))
    own.content = content
    for _ in range(2):
        own.head("/v2/lib/x/manifests/1.0")
        own.wait_stored(1)
        own.get(f"/v2/lib/x/manifests/{content.top}")
        for digest in content.blobs:
            own.get(f"/v2/lib/x/blobs/{digest}")
        own.wait_stored(len(content.blobs) + 1)
    own.wait_clients(0)     # what was sent is counted when it was
    return own


def rows():
    """name -> (type, labels) of include/tbl/metrics.h."""
    text = (ROOT / "include/tbl/metrics.h").read_text()
    found = re.findall(r'^METRIC\((\w+),\s*(\w+),\s*\S+,\s*"([^"]*)"', text, re.M)
    return {name: (kind.lower(), set(labels.split(",")) - {""})
            for kind, name, labels in found}


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_likes_them(pulled):
    done = subprocess.run(["promtool", "check", "metrics"], input=pulled.metrics().text,
                          text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_row_is_published(pulled):
    """One that has labels as soon as it has a cell."""
    types = pulled.metrics().types()
    for name, (kind, labels) in rows().items():
        assert types.get("railhead_" + name, kind if labels else None) == kind, name


def test_nothing_else_is_published(pulled):
    known = {"railhead_" + name for name in rows()}
    for name in pulled.metrics().types():
        assert name in known or name.startswith(("process_", "railhead_process_")), name


def test_labels_are_those_of_the_rows(pulled):
    for name, labels, _ in pulled.metrics().samples:
        base = re.sub(r"_(bucket|sum|count)$", "", name.removeprefix("railhead_"))
        row = rows().get(name.removeprefix("railhead_")) or rows().get(base)
        if row:
            assert set(labels) - {"le"} == row[1], name


def test_labels_are_bounded(pulled):
    """Never a repository, a digest or a tag."""
    text = pulled.metrics().text
    assert "lib/x" not in text
    assert "sha256:" not in text


def test_results_of_a_pull(pulled):
    blobs = len(pulled.content.blobs)
    scrape = pulled.metrics()
    count = lambda **labels: scrape.sum("requests_total", upstream=UPSTREAM, **labels)
    assert count(kind="blob", result="miss") == blobs
    assert count(kind="blob", result="hit") == blobs
    assert count(kind="tag") == 2
    assert count(kind="manifest", result="hit") == 2
    assert count(result="error") == 0
    sizes = sum(len(data) for data in pulled.content.blobs.values())
    assert scrape.sum("response_bytes_total", kind="blob", result="miss") == sizes
    assert scrape.sum("response_bytes_total", kind="blob", result="hit") == sizes


def test_upstream_bytes_are_those_of_the_content(pulled, origin):
    assert pulled.metric("upstream_bytes_total", upstream=UPSTREAM) == origin.bytes()
    assert pulled.metric("link_bytes_total") == origin.bytes()


def test_store(pulled):
    assert pulled.metric("store_objects") == len(pulled.content.blobs) + 1
    assert pulled.metric("store_bytes", state="used") >= pulled.content.unique_bytes()
    assert pulled.metric("store_capacity_bytes") == 20 << 30
    assert pulled.metric("store_commits_total") == len(pulled.content.blobs) + 1


def test_histograms_count_every_request(pulled):
    scrape = pulled.metrics()
    assert scrape.sum("request_duration_seconds_count") == scrape.sum("requests_total")


def test_errors_are_counted(own, origin):
    origin.load("lib/x", images.image(size=64, tag="1.0"))
    own.get("/v2/lib/x/manifests/none")
    own.get("/v2/lib/x/manifests/1.0?ns=nobody.test")
    assert own.metric("requests_total", result="error") >= 1


def test_unknown_names_make_no_labels(own):
    for number in range(30):
        own.get(f"/v2/lib/x/manifests/1.0?ns=guess-{number}.test")
    assert "guess-" not in own.metrics().text


def test_build_info(own):
    samples = [labels for name, labels, _ in own.metrics().samples
               if name == "railhead_build_info"]
    assert len(samples) == 1 and samples[0]["version"]


def test_connections(own):
    held = [own.wire() for _ in range(7)]
    own.wait_clients(7)
    for wire in held:
        wire.close()
    own.wait_clients(0)
    assert own.metric("connections_total") >= 7


def test_head_that_is_refused_is_counted(own):
    with own.wire() as wire:
        wire.send(b"nonsense\r\n\r\n")
        wire.head()
    own.wait_metric("http_requests_refused_total", lambda have: have >= 1)


def test_rate_limit_of_the_upstream(own, origin):
    """As Docker Hub tells it."""
    origin.load("lib/x", images.image(size=64, tag="1.0"))
    origin.when("", fields={"ratelimit-limit": "100;w=21600",
                            "ratelimit-remaining": "93;w=21600"})
    own.get("/v2/lib/x/manifests/1.0")
    assert own.metric("upstream_ratelimit_remaining", upstream=UPSTREAM) == 93


def test_fills(start, origin, new_blob):
    mirror = start({UPSTREAM: registry_at(origin.url)})
    content = origin.load("lib/x", new_blob(2 * images.MIB))
    fault = origin.when("GET .*blobs", pause_at=images.MIB)
    with mirror.wire() as wire:
        wire.request(f"/v2/lib/x/blobs/{content.blob}")
        fault.gate.wait_arrival()
        mirror.wait_metric("fills", 1)
        mirror.wait_metric("fill_readers", 1)
        fault.gate.open()
        wire.body(wire.head())
    mirror.wait_metric("fills", 0)
    mirror.wait_metric("fill_readers", 0)
    assert mirror.metric("fill_seconds_count") >= 1


# ---- the log ---------------------------------------------------------------------

def test_log_is_json_lines(pulled):
    pulled.stop()   # the last line is whole
    lines = [json.loads(line) for line in pulled.log().splitlines()]
    assert lines
    assert all("level" in line or "lvl" in line for line in lines)


def test_access_lines(pulled):
    """One for each request, with its id."""
    pulled.stop()
    lines = [json.loads(line) for line in pulled.log().splitlines()
             if f"blobs/{pulled.content.config}" in line]
    assert sorted(line["result"] for line in lines if line["msg"] == "request") \
        == ["hit", "miss"]


def test_access_lines_can_be_off(start, origin):
    mirror = start({UPSTREAM: registry_at(origin.url)}, log={"access": False, "level": "info"})
    mirror.get("/v2/lib/quiet/manifests/1.0")
    mirror.stop()
    assert "lib/quiet/manifests" not in mirror.log() or '"warn' in mirror.log()


def test_text_log(start, origin):
    mirror = start({UPSTREAM: registry_at(origin.url)}, log={"format": "text"})
    mirror.get("/v2/")
    mirror.stop()
    assert mirror.log() and not mirror.log().startswith("{")
