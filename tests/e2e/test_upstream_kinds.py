"""What an upstream can be: docker-registry, a layout, a tar, another Railhead."""

import tarfile

import pytest

from conftest import UPSTREAM
from lib import images
from lib.registry import Registry
from lib.tokens import TokenServer, docker_config
from lib.railhead import registry_at
from lib.tap import Tap


@pytest.fixture(scope="module")
def shelf():
    """repository -> content: one of each kind."""
    multi = images.multi_arch(size=3000, tag="1.0")
    multi.add(images.artifact(multi.descriptor(multi.top), payload=b"sbom"))
    return {
        "lib/multi": multi,
        "lib/zstd": images.image(size=3000, how="zstd", tag="1.0"),
        "lib/docker": images.image(size=3000, is_docker=True, tag="1.0"),
        "charts/demo": images.chart(version="1.0"),
    }


def check_pull(mirror, shelf, prefix=""):
    for repository, content in shelf.items():
        top = mirror.get(f"/v2/{repository}/manifests/1.0{prefix}")
        assert (top.status, top["Docker-Content-Digest"]) == (200, content.top), top
        for digest, (media_type, data) in content.manifests.items():
            answer = mirror.get(f"/v2/{repository}/manifests/{digest}{prefix}")
            assert (answer["Content-Type"], answer.body) == (media_type, data)
        for digest, data in content.blobs.items():
            assert mirror.head(f"/v2/{repository}/blobs/{digest}{prefix}").length == len(data)
            assert mirror.get(f"/v2/{repository}/blobs/{digest}{prefix}").body == data
        tags = mirror.get(f"/v2/{repository}/tags/list{prefix}").json()["tags"]
        assert tags == sorted(content.tags)


def check_unknown(mirror):
    assert mirror.get("/v2/lib/none/manifests/1.0").status == 404
    assert mirror.get("/v2/lib/multi/manifests/none").status == 404
    assert mirror.get(f"/v2/lib/multi/blobs/sha256:{'0' * 64}").status == 404


def check_referrers(mirror, content):
    rows = mirror.get(f"/v2/lib/multi/referrers/{content.top}").json()["manifests"]
    assert [row["artifactType"] for row in rows] == ["application/vnd.example.sbom"]


# ---- Debian's docker-registry ------------------------------------------------------

def test_plain_registry(start, tmp_path, shelf):
    with Registry(tmp_path / "registry") as registry, Tap(registry.port) as tap:
        for repository, content in shelf.items():
            registry.push(repository, content)
        mirror = start({UPSTREAM: registry_at(f"http://127.0.0.1:{tap.port}")})
        check_pull(mirror, shelf)
        check_unknown(mirror)
        mirror.restart()
        before = tap.bytes_down
        check_pull(mirror, shelf)
        assert tap.bytes_down == before


def test_registry_behind_tls(start, tmp_path, shelf, authority, server_certificate):
    with Registry(tmp_path / "registry", server_certificate, authority=authority) as registry:
        for repository, content in shelf.items():
            registry.push(repository, content)
        endpoint = {"url": registry.url, "ca": str(authority.ca.crt)}
        check_pull(start({UPSTREAM: registry_at(endpoint)}), shelf)


def test_registry_whose_certificate_is_not_trusted(start, tmp_path, authority,
                                                   server_certificate):
    with Registry(tmp_path / "registry", server_certificate, authority=authority) as registry:
        mirror = start({UPSTREAM: registry_at(registry.url)})
        answer = mirror.get("/v2/lib/x/manifests/1.0")
        assert (answer.status, answer.error_code()) == (503, "UNAVAILABLE")


@pytest.mark.parametrize("account", ["anonymous", "joe"])
def test_registry_behind_a_token_server(start, tmp_path, shelf, signer, account):
    with TokenServer(signer, accounts={"joe": "secret-of-joe"}) as tokens, \
            Registry(tmp_path / "registry", tokens=tokens) as registry:
        for repository, content in shelf.items():
            registry.push(repository, content)
        tokens.granted.clear()
        auth = {}
        if account == "joe":
            tokens.is_anonymous_allowed = False
            path = docker_config(tmp_path / "config.json", f"127.0.0.1:{registry.port}",
                                 "joe", "secret-of-joe")
            auth = {"auth": {"docker_config": str(path)}}
        mirror = start({UPSTREAM: registry_at(registry.url, **auth)})
        check_pull(mirror, shelf)
        scopes = [scope for _, scope in tokens.granted]
        assert sorted(scopes) == sorted({f"repository:{name}:pull" for name in shelf})
        assert {name for name, _ in tokens.granted} == {None if account == "anonymous" else "joe"}


# ---- layouts -------------------------------------------------------------------------

@pytest.fixture
def layout(tmp_path, shelf):
    return images.write_layout(tmp_path / "layout", {
        f"{repository}:1.0": content for repository, content in shelf.items()})


def test_layout_folder(start, layout, shelf):
    mirror = start({UPSTREAM: {"endpoints": [{"layout": str(layout)}]}})
    check_pull(mirror, shelf)
    check_unknown(mirror)


def test_layout_tar(start, layout, shelf, tmp_path):
    path = tmp_path / "layout.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(layout, arcname=".")
    mirror = start({UPSTREAM: {"endpoints": [{"layout": str(path)}]}})
    check_pull(mirror, shelf)
    check_unknown(mirror)


def test_layout_tar_by_skopeo(start, shelf, tmp_path, layout):
    """What a common tool writes."""
    from lib.clients import Containers, good, is_installed
    if not is_installed("skopeo"):
        pytest.skip("skopeo is not installed")
    content = shelf["lib/zstd"]
    source = images.write_layout(tmp_path / "one", {"1.0": content})
    path = tmp_path / "skopeo.tar"
    good(Containers(tmp_path / "containers").skopeo(
        "copy", f"oci:{source}:1.0", f"oci-archive:{path}:1.0"))
    mirror = start({UPSTREAM: {"endpoints": [{"layout": str(path)}]}})
    assert mirror.get("/v2/any/name/manifests/1.0")["Docker-Content-Digest"] == content.top
    assert mirror.get(f"/v2/any/name/blobs/{content.config}").status == 200


def test_layout_with_a_wrong_blob(start, layout, shelf):
    content = shelf["lib/zstd"]
    algorithm, encoded = content.layers[0].split(":")
    path = layout / "blobs" / algorithm / encoded
    data = bytearray(path.read_bytes())
    data[100] ^= 0xff
    path.write_bytes(data)
    mirror = start({UPSTREAM: {"endpoints": [{"layout": str(layout)}]}})
    assert mirror.get("/v2/lib/zstd/manifests/1.0").status == 200
    assert mirror.get(f"/v2/lib/zstd/blobs/{content.layers[0]}").status in (502, 503)
    assert not mirror.has_blob(content.layers[0])
    assert mirror.get(f"/v2/lib/zstd/blobs/{content.layers[1]}").status == 200


def test_layout_that_is_missing(start, tmp_path):
    """It starts all the same; the answer is a clear 503."""
    mirror = start({UPSTREAM: {"endpoints": [{"layout": str(tmp_path / "none")}]}})
    answer = mirror.get("/v2/lib/x/manifests/1.0")
    assert (answer.status, answer.error_code()) == (503, "UNAVAILABLE")


def test_registry_then_layout(start, layout, shelf):
    """Endpoints are tried in order, of whatever kind."""
    mirror = start({UPSTREAM: {"endpoints": [{"url": "http://127.0.0.1:1"},
                                             {"layout": str(layout)}]}})
    check_pull(mirror, shelf)


# ---- tiers -----------------------------------------------------------------------------

def test_another_railhead(start, origin, shelf):
    for repository, content in shelf.items():
        origin.load(repository, content)
    upper = start({UPSTREAM: registry_at(origin.url)})
    lower = start({UPSTREAM: registry_at(f"http://127.0.0.1:{upper.port}")})
    check_pull(lower, shelf)
    check_referrers(lower, shelf["lib/multi"])
    lower.restart()
    asked = len(origin.seen)
    check_pull(lower, shelf)
    assert len(origin.seen) == asked


def test_tiers_of_several_upstreams(start, origin, shelf):
    """The lower one says which upstream it means."""
    for repository, content in shelf.items():
        origin.load(repository, content)
    other = "http://127.0.0.1:1"
    upper = start({"first.test": registry_at(other), "second.test": registry_at(origin.url)})
    url = f"http://127.0.0.1:{upper.port}"
    lower = start({"first.test": registry_at(url), "second.test": registry_at(url)})
    check_pull(lower, shelf, "?ns=second.test")


# ---- several endpoints --------------------------------------------------------------------

def test_second_endpoint_when_the_first_is_down(start, origin, shelf):
    origin.load("lib/zstd", shelf["lib/zstd"])
    mirror = start({UPSTREAM: registry_at("http://127.0.0.1:1", origin.url)})
    check_pull(mirror, {"lib/zstd": shelf["lib/zstd"]})


@pytest.mark.parametrize("status", [500, 502, 503, 429, 401, 403, 404])
def test_second_endpoint_when_the_first_refuses(start, origin, shelf, status):
    from lib.faulty import Faulty
    origin.load("lib/zstd", shelf["lib/zstd"])
    with Faulty() as first:
        first.when("", status=status)
        mirror = start({UPSTREAM: registry_at(first.url, origin.url)})
        check_pull(mirror, {"lib/zstd": shelf["lib/zstd"]})
        assert first.seen


def test_first_endpoint_is_preferred(start, origin, shelf):
    from lib.faulty import Faulty
    with Faulty() as first:
        for server in (first, origin):
            server.load("lib/zstd", shelf["lib/zstd"])
        mirror = start({UPSTREAM: registry_at(first.url, origin.url)})
        check_pull(mirror, {"lib/zstd": shelf["lib/zstd"]})
        assert first.seen and not origin.seen
