"""Real clients pull real images: containerd, skopeo, podman, buildah."""

import json

import pytest

from conftest import UPSTREAM
from lib import images
from lib.clients import Containerd, Containers, good, is_installed
from lib.registry import Registry
from lib.railhead import Railhead, registry_at, run
from lib.tap import Tap



class Site:
    """docker-registry, a mirror of it, and what is in it."""

    def __init__(self, folder, registry, tap):
        self.registry, self.tap = registry, tap
        self.multi = images.multi_arch(("amd64", "arm64"), layers=3, size=200_000, tag="1.0")
        self.zstd = images.image(layers=2, size=150_000, how="zstd", tag="1.0", seed=41)
        self.docker = images.image(layers=2, size=50_000, is_docker=True, tag="1.0", seed=42)
        self.chart = images.chart(version="1.0")
        self.multi.add(images.artifact(self.multi.descriptor(self.multi.top), tag="sbom"))
        registry.push("lib/multi", self.multi)
        registry.push("lib/zstd", self.zstd)
        registry.push("lib/docker", self.docker)
        registry.push("charts/demo", self.chart)
        self.mirror = Railhead(folder / "mirror", {
            UPSTREAM: registry_at(f"http://127.0.0.1:{tap.port}")}, default_upstream=None)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.mirror.port}"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with Registry(folder / "registry") as registry, Tap(registry.port) as tap:
        made = Site(folder, registry, tap)
        with made.mirror:
            yield made




# ---- containerd --------------------------------------------------------------------

@pytest.fixture(scope="module")
def containerd(site, tmp_path_factory):
    if not is_installed("containerd", "ctr"):
        pytest.skip("containerd is not installed")
    with Containerd(tmp_path_factory.mktemp("containerd")) as daemon:
        done = run("hosts", "--config", site.mirror.config_file, "--mirror", site.url,
                   "--fallback", "no", "--out", daemon.hosts_dir)
        assert done.returncode == 0, done.stderr
        yield daemon


@pytest.mark.parametrize("name", ["multi", "zstd", "docker"])
def test_containerd_pulls(site, containerd, name):
    content = getattr(site, name)
    containerd.forget()
    good(containerd.pull(f"{UPSTREAM}/lib/{name}:1.0", "--platform", "linux/amd64"))
    have = containerd.digests()
    assert content.top in have
    listed = good(containerd.ctr("images", "ls"))
    assert content.top in listed


def test_containerd_pulls_all_platforms(site, containerd):
    containerd.forget()
    good(containerd.pull(f"{UPSTREAM}/lib/multi:1.0", "--all-platforms"))
    wanted = {digest for digest in site.multi.blobs} - {images.digest_of(b"{}")}
    assert wanted <= containerd.digests()


def test_containerd_pulls_by_digest(site, containerd):
    containerd.forget()
    good(containerd.pull(f"{UPSTREAM}/lib/multi@{site.multi.top}", "--platform", "linux/amd64"))


def test_second_pull_is_all_hits(site, containerd):
    """And not one byte crosses the WAN."""
    image = f"{UPSTREAM}/lib/multi:1.0"
    good(containerd.pull(image, "--platform", "linux/amd64"))
    containerd.forget()
    site.mirror.restart()
    before, scraped = site.tap.bytes_down, site.mirror.metrics()
    good(containerd.pull(image, "--platform", "linux/amd64"))
    assert site.tap.bytes_down == before
    after = site.mirror.metrics()
    for result in ("miss", "join", "stale", "error"):
        assert after.sum("requests_total", result=result) \
            == scraped.sum("requests_total", result=result)
    assert after.sum("requests_total", result="hit") > scraped.sum("requests_total", result="hit")


def test_containerd_pulls_a_chart(site, containerd):
    containerd.forget()
    good(containerd.fetch(f"{UPSTREAM}/charts/demo:1.0"))
    assert set(site.chart.blobs) <= containerd.digests()


def test_containerd_asks_for_what_is_not_there(site, containerd):
    done = containerd.pull(f"{UPSTREAM}/lib/none:1.0")
    assert done.returncode != 0
    assert "not found" in done.stderr


def test_containerd_pulls_with_the_registry_down(site, containerd):
    """What is here is served, also after the registry is gone."""
    image = f"{UPSTREAM}/lib/zstd:1.0"
    good(containerd.pull(image))
    containerd.forget()
    site.registry.stop()
    try:
        good(containerd.pull(image))
    finally:
        site.registry.start()


# ---- skopeo, podman, buildah ----------------------------------------------------------

@pytest.fixture
def containers(site, tmp_path):
    """With the registries.conf that `railhead hosts` prints."""
    done = run("hosts", "--config", site.mirror.config_file, "--mirror", site.url,
               "--fallback", "no", "--format", "registries")
    assert done.returncode == 0, done.stderr
    return Containers(tmp_path / "containers", done.stdout)


def needs(command):
    return pytest.mark.skipif(not is_installed(command), reason=f"{command} is not installed")


@needs("skopeo")
@pytest.mark.parametrize("name", ["multi", "zstd", "docker"])
def test_skopeo_copies(site, containers, tmp_path, name):
    content = getattr(site, name)
    good(containers.skopeo("copy", "--all", "--preserve-digests",
                           f"docker://{UPSTREAM}/lib/{name}:1.0", f"dir:{tmp_path}/out"))
    for digest, data in content.blobs.items():
        if data != b"{}":
            assert (tmp_path / "out" / digest.split(":")[1]).read_bytes() == data


@needs("skopeo")
def test_skopeo_inspects(site, containers):
    told = json.loads(good(containers.skopeo(
        "inspect", "--tls-verify=false",
        f"docker://127.0.0.1:{site.mirror.port}/{UPSTREAM}/lib/multi:1.0")))
    assert told["Digest"] == site.multi.top
    assert set(told["RepoTags"]) == {"1.0", "sbom"}
    assert len(told["Layers"]) == 3


@needs("skopeo")
def test_skopeo_by_a_plain_path_prefix(site, containers, tmp_path):
    """No registries.conf: the mirror's own name, then the upstream's."""
    good(containers.skopeo(
        "copy", "--src-tls-verify=false",
        f"docker://127.0.0.1:{site.mirror.port}/{UPSTREAM}/lib/zstd:1.0", f"dir:{tmp_path}/out"))


@needs("skopeo")
def test_skopeo_copies_an_artifact(site, containers, tmp_path):
    raw = good(containers.skopeo("inspect", "--raw", f"docker://{UPSTREAM}/lib/multi:sbom"))
    assert json.loads(raw)["artifactType"] == "application/vnd.example.sbom"
    raw = good(containers.skopeo("inspect", "--raw", f"docker://{UPSTREAM}/charts/demo:1.0"))
    assert json.loads(raw)["config"]["mediaType"] == images.HELM_CONFIG


@needs("skopeo")
def test_skopeo_through_tls(site, tmp_path, authority, server_certificate, start):
    from lib.ports import free_port
    port = free_port()
    start({UPSTREAM: registry_at(f"http://127.0.0.1:{site.tap.port}")},
          listen=[{"address": f"127.0.0.1:{port}",
                   "tls": {"certificate": str(server_certificate.crt),
                           "key": str(server_certificate.key)}}])
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "ca.crt").write_bytes(authority.ca.crt.read_bytes())
    good(Containers(tmp_path / "c").skopeo(
        "copy", "--src-cert-dir", tmp_path / "certs",
        f"docker://127.0.0.1:{port}/{UPSTREAM}/lib/zstd:1.0", f"dir:{tmp_path}/out"))


@needs("podman")
@pytest.mark.parametrize("name", ["multi", "zstd"])
def test_podman_pulls(site, containers, name):
    image = f"{UPSTREAM}/lib/{name}:1.0"
    good(containers.podman("pull", "-q", image))
    told = json.loads(good(containers.podman("image", "inspect", image)))
    assert told[0]["Architecture"] == "amd64"


@needs("buildah")
@pytest.mark.parametrize("name", ["multi", "docker"])
def test_buildah_pulls(site, containers, name):
    good(containers.buildah("pull", "-q", f"{UPSTREAM}/lib/{name}:1.0"))


@needs("podman")
def test_insecure_pull_is_not_slow(site, containers):
    """Clients try TLS first: they are told that it is none, and do not wait for
    ten seconds until they give it up themselves."""
    def told():
        return site.mirror.metric("http_requests_refused_total", reason="bad_request")
    before = told()
    good(containers.podman("pull", "-q", f"{UPSTREAM}/lib/docker:1.0"))
    assert told() > before
