"""Which upstream is meant: ns, path prefix, Host, default."""

import pytest

from lib import images
from lib.faulty import Faulty
from lib.railhead import Railhead, registry_at
from lib.wire import ask


class Town:
    """Three upstreams with the same repositories, and a mirror of them all."""

    def __init__(self, folder):
        self.registries = {name: Faulty() for name in
                           ("docker.io", "one.test", "two.test:5000")}
        self.tops = {}
        for seed, (name, registry) in enumerate(self.registries.items()):
            made = images.image(size=64, tag="1.0", seed=900 + seed)
            self.tops[name] = made.top
            official = "library/nginx" if name == "docker.io" else "nginx"
            for repository in ("lib/app", official, "one.test/lib/app"):
                registry.load(repository, made)
            registry.start()
        upstreams = {name: registry_at(registry.url)
                     for name, registry in self.registries.items()}
        upstreams["docker.io"]["aliases"] = ["index.docker.io", "registry-1.docker.io"]
        upstreams["two.test:5000"]["aliases"] = ["two.example", "mirror.two.test"]
        self.mirror = Railhead(folder, upstreams, default_upstream="docker.io")

    def asked(self, path, host="127.0.0.1", method="GET"):
        """The upstream that a request ended at, and the repository there."""
        for registry in self.registries.values():
            registry.forget()
        answer = ask(self.mirror.port, path, method, {"Host": host})
        assert answer.status == 200, answer
        by_digest = {top: name for name, top in self.tops.items()}
        name = by_digest[answer["Docker-Content-Digest"]]
        assert answer["OCI-Namespace"] == name
        return name


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    made = Town(tmp_path_factory.mktemp("town"))
    with made.mirror:
        yield made
    for registry in made.registries.values():
        registry.stop()


@pytest.mark.parametrize("path, name", [
    # the name in ns, as containerd sends it
    ("/v2/lib/app/manifests/1.0?ns=one.test", "one.test"),
    ("/v2/lib/app/manifests/1.0?ns=two.test%3A5000", "two.test:5000"),
    ("/v2/lib/app/manifests/1.0?ns=two.test:5000", "two.test:5000"),
    ("/v2/library/nginx/manifests/1.0?ns=docker.io", "docker.io"),
    ("/v2/lib/app/manifests/1.0?ns=ONE.Test", "one.test"),
    ("/v2/lib/app/manifests/1.0?ns=one.test%3A443", "one.test"),
    ("/v2/lib/app/manifests/1.0?ns=one.test:80", "one.test"),
    ("/v2/library/nginx/manifests/1.0?ns=registry-1.docker.io", "docker.io"),
    ("/v2/library/nginx/manifests/1.0?ns=INDEX.docker.io:443", "docker.io"),
    ("/v2/lib/app/manifests/1.0?x=y&ns=two.example", "two.test:5000"),
    # the name as the path's first segment
    ("/v2/one.test/lib/app/manifests/1.0", "one.test"),
    ("/v2/docker.io/library/nginx/manifests/1.0", "docker.io"),
    ("/v2/two.example/lib/app/manifests/1.0", "two.test:5000"),
    ("/v2/mirror.two.test/lib/app/manifests/1.0", "two.test:5000"),
    ("/v2/index.docker.io/library/nginx/manifests/1.0", "docker.io"),
    # both: ns wins, a prefix that says the same is taken off
    ("/v2/one.test/lib/app/manifests/1.0?ns=one.test", "one.test"),
    ("/v2/two.example/lib/app/manifests/1.0?ns=two.test%3A5000", "two.test:5000"),
    ("/v2/one.test/lib/app/manifests/1.0?ns=docker.io", "docker.io"),
    # neither
    ("/v2/lib/app/manifests/1.0", "docker.io"),
    # Docker Hub's official images
    ("/v2/nginx/manifests/1.0", "docker.io"),
    ("/v2/docker.io/nginx/manifests/1.0", "docker.io"),
    ("/v2/nginx/manifests/1.0?ns=docker.io", "docker.io"),
    ("/v2/nginx/manifests/1.0?ns=one.test", "one.test"),
])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_which_upstream(town, path, name, method):
    assert town.asked(path, method=method) == name


@pytest.mark.parametrize("host, name", [
    ("one.test", "one.test"), ("ONE.test:443", "one.test"), ("two.test:5000", "two.test:5000"),
    ("mirror.two.test", "two.test:5000"), ("registry-1.docker.io", "docker.io"),
    ("10.0.0.7:5000", "docker.io"), ("localhost", "docker.io")])
def test_by_host(town, host, name):
    assert town.asked("/v2/lib/app/manifests/1.0", host) == name


def test_ns_beats_host(town):
    assert town.asked("/v2/lib/app/manifests/1.0?ns=two.example", "one.test") == "two.test:5000"


def test_prefix_beats_host(town):
    assert town.asked("/v2/two.example/lib/app/manifests/1.0", "one.test") == "two.test:5000"


@pytest.mark.parametrize("tail", ["manifests/1.0", "tags/list"])
def test_library_is_added_for_docker_hub_only(town, tail):
    for name, repository in (("docker.io", "library/nginx"), ("one.test", "nginx")):
        town.registries[name].forget()
        assert ask(town.mirror.port, f"/v2/nginx/{tail}?ns={name}").status == 200
        assert all(f"/v2/{repository}/" in request.target
                   for request in town.registries[name].seen)


def test_the_same_content_under_all_its_names(town):
    """A hit by one name is a hit by another."""
    for path in ("/v2/nginx/manifests/1.0", "/v2/docker.io/library/nginx/manifests/1.0",
                 "/v2/library/nginx/manifests/1.0?ns=index.docker.io"):
        town.asked(path)
    town.registries["docker.io"].forget()
    town.asked("/v2/docker.io/nginx/manifests/1.0")
    assert town.registries["docker.io"].seen == []


def test_client_never_names_an_address(town):
    """ns is a key, never dialled: even that of a registry that is there."""
    registry = town.registries["one.test"]
    registry.forget()
    answer = ask(town.mirror.port, f"/v2/lib/app/manifests/1.0?ns=127.0.0.1:{registry.port}")
    assert (answer.status, answer.error_code()) == (404, "NAME_UNKNOWN")
    assert registry.seen == []


@pytest.mark.parametrize("path", ["/v2/lib/app/manifests/1.0", "/v2/lib/app/tags/list",
                                  "/v2/other.test/lib/app/manifests/1.0"])
def test_without_a_default(tmp_path, path):
    with Railhead(tmp_path, {"one.test": registry_at("http://127.0.0.1:9")},
                  default_upstream=None) as mirror:
        answer = mirror.get(path)
        assert (answer.status, answer.error_code()) == (404, "NAME_UNKNOWN")
