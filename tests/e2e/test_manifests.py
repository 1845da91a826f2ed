"""Manifests by tag and by digest, of every media type."""

import pytest

from lib import images

KINDS = {
    "oci": lambda seed: images.image(size=1024, tag="1.0", seed=seed),
    "docker": lambda seed: images.image(size=1024, tag="1.0", seed=seed, is_docker=True),
    "zstd": lambda seed: images.image(size=1024, tag="1.0", seed=seed, how="zstd"),
    "index": lambda seed: images.multi_arch(size=1024, tag="1.0", seed=seed),
    "docker-list": lambda seed: images.multi_arch(size=1024, tag="1.0", seed=seed,
                                                  is_docker=True),
    "artifact": lambda seed: images.artifact(payload=b"%d" % seed, tag="1.0"),
    "chart": lambda seed: images.chart(f"demo-{seed}", "1.0"),
    "sha512": lambda seed: images.image(size=1024, tag="1.0", seed=seed, algorithm="sha512"),
}


@pytest.fixture(params=sorted(KINDS))
def shelf(request, upstream, new_seed):
    """(repository, content) that the mirror has not seen."""
    seed = new_seed()
    repository = f"lib/{request.param}-{seed}"
    return repository, upstream.load(repository, KINDS[request.param](seed))


def check_manifest(answer, content, has_body=True):
    media_type, data = content.manifests[content.top]
    assert answer.status == 200, answer
    assert answer["Content-Type"] == media_type
    assert answer["Docker-Content-Digest"] == content.top
    assert answer.length == len(data)
    assert answer["ETag"] == f'"{content.top}"'
    assert answer["OCI-Namespace"] == "registry.test"
    assert answer.body == (data if has_body else b"")


@pytest.mark.parametrize("by", ["tag", "digest"])
@pytest.mark.parametrize("order", [("GET", "HEAD"), ("HEAD", "GET")], ids="-".join)
def test_manifest(mirror, shelf, by, order):
    repository, content = shelf
    reference = content.top if by == "digest" else "1.0"
    with mirror.wire() as wire:
        for method in order * 2:
            answer = wire.ask(f"/v2/{repository}/manifests/{reference}", method)
            check_manifest(answer, content, has_body=method == "GET")


def test_digest_can_be_had_after_a_head_of_the_tag(mirror, shelf, upstream):
    """Some clients loop when it can't."""
    repository, content = shelf
    named = mirror.head(f"/v2/{repository}/manifests/1.0")["Docker-Content-Digest"]
    fault = upstream.when(repository, status=503)
    check_manifest(mirror.get(f"/v2/{repository}/manifests/{named}"), content)
    upstream.faults.remove(fault)


def test_everything_a_manifest_names_can_be_had(mirror, shelf):
    repository, content = shelf
    assert mirror.get(f"/v2/{repository}/manifests/1.0").status == 200
    for digest, (_, data) in content.manifests.items():
        assert mirror.get(f"/v2/{repository}/manifests/{digest}").body == data
    for digest, data in content.blobs.items():
        assert mirror.get(f"/v2/{repository}/blobs/{digest}").body == data


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", images.OCI_MANIFEST,
                                    images.DOCKER_MANIFEST])
def test_media_type_is_the_stored_one_whatever_is_accepted(mirror, shelf, accept):
    repository, content = shelf
    fields = {"accept": accept} if accept else {}
    check_manifest(mirror.get(f"/v2/{repository}/manifests/1.0", **fields), content)


def test_manifest_is_never_encoded(mirror, shelf):
    repository, content = shelf
    answer = mirror.get(f"/v2/{repository}/manifests/1.0",
                        accept_encoding="zstd;q=1.0, gzip;q=0.8, deflate;q=0.5")
    check_manifest(answer, content)
    assert answer["Content-Encoding"] is None


def test_cache_control(mirror, shelf):
    repository, content = shelf
    by_digest = mirror.get(f"/v2/{repository}/manifests/{content.top}")
    assert "immutable" in by_digest["Cache-Control"]
    assert mirror.get(f"/v2/{repository}/manifests/1.0")["Cache-Control"] == "no-cache"


def test_large_manifest(mirror, upstream):
    """Beyond what the index keeps, below what clients refuse."""
    content = images.Content()
    content.top = content.add_manifest(images.OCI_MANIFEST, {
        "schemaVersion": 2, "mediaType": images.OCI_MANIFEST,
        "config": {"mediaType": images.OCI_EMPTY, "digest": content.add_blob(b"{}"), "size": 2},
        "layers": [], "annotations": {f"key-{n}": "x" * 1000 for n in range(1500)}})
    content.tags["1.0"] = content.top
    upstream.load("lib/large", content)
    for _ in range(2):
        check_manifest(mirror.get("/v2/lib/large/manifests/1.0"), content)
        check_manifest(mirror.get(f"/v2/lib/large/manifests/{content.top}"), content)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("reference", ["nosuchtag", "sha256:" + "0" * 64])
def test_unknown_manifest(mirror, upstream, method, reference):
    upstream.load("lib/known", images.image(size=64, tag="1.0"))
    with mirror.wire() as wire:
        answer = wire.ask(f"/v2/lib/known/manifests/{reference}", method)
        assert answer.status == 404
        if method == "GET":
            assert answer.error_code() == "MANIFEST_UNKNOWN"
        assert wire.ask("/v2/").status == 200


def test_unknown_repository(mirror):
    answer = mirror.get("/v2/no/such/manifests/1.0")
    assert answer.status == 404
    assert answer.error_code() in ("NAME_UNKNOWN", "MANIFEST_UNKNOWN")


def test_by_digest_is_asked_upstream_once(mirror, shelf, upstream):
    repository, content = shelf
    for _ in range(5):
        mirror.get(f"/v2/{repository}/manifests/{content.top}")
    assert upstream.count(f"{repository}/manifests") <= 2
    assert upstream.count(f"GET /v2/{repository}/manifests") == 1


def test_wrong_bytes_of_a_manifest_are_not_served(own, origin, new_seed):
    content = origin.load("lib/x", images.image(size=64, tag="1.0", seed=new_seed()))
    origin.when("GET .*/manifests/", wrong_at=40)
    for reference in ("1.0", content.top):
        answer = own.get(f"/v2/lib/x/manifests/{reference}")
        assert answer.status in (502, 503), answer
        assert answer.error_code()
    assert not own.has_blob(content.top)
    origin.heal()
    assert own.get(f"/v2/lib/x/manifests/{content.top}").status == 200
