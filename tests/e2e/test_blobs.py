"""Blobs: whole ones, their headers, and what is not there."""

import pytest

from lib import images

SIZES = [0, 1, 100, 65535, 65536, 65537, images.MIB - 1, images.MIB, images.MIB + 1,
         3 * images.MIB + 7]


@pytest.fixture
def blob_at(upstream, new_blob):
    def place(size, **more):
        content = upstream.load(f"lib/blob-{size}", new_blob(size, **more))
        return f"/v2/lib/blob-{size}/blobs/{content.blob}", content
    return place


def check_blob(answer, content, has_body=True):
    data = content.blobs[content.blob]
    assert answer.status == 200, answer
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Docker-Content-Digest"] == content.blob
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["ETag"] == f'"{content.blob}"'
    assert answer["OCI-Namespace"] == "registry.test"
    assert answer.length == len(data)
    assert answer.body == (data if has_body else b"")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("size", SIZES)
def test_blob_of_any_size(mirror, blob_at, size, algorithm):
    target, content = blob_at(size, algorithm=algorithm)
    with mirror.wire() as wire:
        for method in ("HEAD", "GET", "HEAD", "GET"):
            check_blob(wire.ask(target, method), content, has_body=method == "GET")


def test_blob_is_never_encoded(mirror, blob_at):
    target, content = blob_at(1000)
    answer = mirror.get(target, accept_encoding="zstd;q=1.0, gzip;q=0.8, deflate;q=0.5")
    check_blob(answer, content)
    assert answer["Content-Encoding"] is None


def test_blob_is_cacheable_for_ever(mirror, blob_at):
    target, _ = blob_at(1000)
    assert "immutable" in mirror.get(target)["Cache-Control"]


def test_blob_crosses_once(mirror, blob_at, upstream):
    target, content = blob_at(2 * images.MIB)
    for _ in range(5):
        check_blob(mirror.get(target), content)
    assert upstream.count(f"GET {target}") == 1


def test_empty_blob_needs_a_right_digest(own, origin, new_blob):
    """No bytes at all are right only for one digest."""
    content = origin.load("lib/x", new_blob(1000))
    origin.when(f"GET .*{content.blob}", status=200)
    assert own.get(f"/v2/lib/x/blobs/{content.blob}").status in (502, 503)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("algorithm, length", [("sha256", 64), ("sha512", 128)])
def test_unknown_blob(mirror, upstream, method, algorithm, length):
    upstream.load("lib/known", images.image(size=64, tag="1.0"))
    with mirror.wire() as wire:
        answer = wire.ask(f"/v2/lib/known/blobs/{algorithm}:{'0' * length}", method)
        assert answer.status == 404
        if method == "GET":
            assert answer.error_code() == "BLOB_UNKNOWN"
        assert wire.ask("/v2/").status == 200


def test_the_store_is_an_image_layout(own, origin):
    content = origin.load("lib/x", images.image(size=1024, tag="1.0"))
    own.get("/v2/lib/x/manifests/1.0")
    for digest in content.blobs:
        own.get(f"/v2/lib/x/blobs/{digest}")
    own.wait_stored(len(content.blobs) + 1)
    assert (own.store / "oci-layout").exists()
    assert (own.store / "index.json").exists()
    for digest, data in content.blobs.items():
        assert own.blob_file(digest).read_bytes() == data
    for digest, (_, data) in content.manifests.items():
        assert own.blob_file(digest).read_bytes() == data
