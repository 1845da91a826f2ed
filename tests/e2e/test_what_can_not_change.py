"""Configurations that a start or a reload refuses, each with one sentence."""

import json

import pytest

from conftest import UPSTREAM
from lib import images
from lib.ports import free_port
from lib.railhead import REPORT, Railhead, registry_at, run
from lib.wait import wait_until

LISTENS_MAX = 16


def with_tls(certificate, key=None):
    return {"address": f"127.0.0.1:{free_port()}",
            "tls": {"certificate": str(certificate.crt),
                    "key": str((key or certificate).key)}}


# ---- a start ---------------------------------------------------------------------------

@pytest.fixture
def refused(tmp_path):
    """What a mirror of these options says when it does not start."""
    def start(**options):
        mirror = Railhead(tmp_path / "mirror", {UPSTREAM: registry_at("http://127.0.0.1:9")},
                          **options)
        mirror.write_config()
        done = run("serve", "--config", mirror.config_file)
        said = done.stdout + done.stderr
        assert not REPORT.search(said), said
        assert done.returncode == 1, done
        lines = [line for line in said.splitlines() if not line.startswith("{")]
        lines += errors_in(said)
        assert len(lines) == 1, said
        return lines[0]
    return start


@pytest.fixture(scope="module")
def keys(authority):
    """A certificate and another one, whose key does not fit the first."""
    return authority.issue("fits"), authority.issue("does-not-fit")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_key_that_does_not_fit(refused, keys, place):
    """One of three; the contexts made before it are not ours any more."""
    good, other = keys
    listen = [with_tls(good), with_tls(good), with_tls(good)]
    listen[place] = with_tls(good, other)
    said = refused(listen=listen)
    assert str(good.crt) in said or str(other.key) in said


def test_key_that_does_not_fit_behind_a_good_admin(refused, keys):
    good, other = keys
    admin = with_tls(good)
    said = refused(admin=admin, listen=[with_tls(good), with_tls(good, other)])
    assert str(good.crt) in said or str(other.key) in said


def test_admin_key_that_does_not_fit(refused, keys):
    good, other = keys
    said = refused(admin=with_tls(good, other), listen=[with_tls(good)])
    assert str(good.crt) in said or str(other.key) in said


@pytest.mark.parametrize("count", [LISTENS_MAX + 1, LISTENS_MAX + 2, 40])
@pytest.mark.parametrize("is_tls", [False, True])
def test_too_many_listeners(refused, keys, count, is_tls):
    listen = [with_tls(keys[0]) for _ in range(count)]
    if not is_tls:
        for each in listen:
            del each["tls"]
    said = refused(listen=listen)
    assert str(count) in said and str(LISTENS_MAX) in said, said


def test_as_many_listeners_as_may_be(start, keys):
    mirror = start({UPSTREAM: registry_at("http://127.0.0.1:9")},
                   listen=[with_tls(keys[0]) for _ in range(LISTENS_MAX)])
    assert mirror.admin("/readyz").status == 200


# ---- a reload --------------------------------------------------------------------------

@pytest.fixture
def small(origin):
    return origin.load("lib/small", images.image(size=64, tag="1.0"))


def change(mirror, name, certificate):
    """Something that is bound or opened at the start; the word that names it."""
    config = mirror.config
    more = {"certificate": str(certificate.crt), "key": str(certificate.key)}
    if name == "store-path":
        config["store"]["path"] = str(mirror.folder / "another")
        return "store"
    if name in ("capacity", "min_free"):
        config["store"][name] = "3GiB"
        return name
    if name == "serve-loops":
        config["serve_loops"] = 7
        return "serve_loops"
    if name == "admin-tls":
        config["admin"]["tls"] = more
        return "admin"
    if name == "admin-address":
        config["admin"]["address"] = f"127.0.0.1:{free_port()}"
        return "admin"
    if name == "listen-tls":
        config["listen"][0]["tls"] = more
        return "listen"
    if name == "listen-address":
        config["listen"][0]["address"] = f"127.0.0.1:{free_port()}"
        return "listen"
    config["listen"].append({"address": f"127.0.0.1:{free_port()}"})
    return "listen"


def errors_in(log):
    return [line for line in log.splitlines() if '"level":"error"' in line]


CHANGES = ["store-path", "capacity", "min_free", "serve-loops", "admin-tls", "admin-address",
           "listen-tls", "listen-address", "one-listener-more"]


def test_reload_that_needs_a_restart(own, origin, small, keys):
    """Refused whole, with a sentence; the old configuration stays, and a good
    one is taken afterwards."""
    kept = json.loads(json.dumps(own.config))
    for number, name in enumerate(CHANGES, 1):
        own.config = json.loads(json.dumps(kept))
        word = change(own, name, keys[0])
        own.config["upstreams"]["second.test"] = registry_at(origin.url)
        before = len(own.log())
        own.reload()
        assert own.metric("config_reloads_total", result="refused") == number, name
        told = wait_until(lambda: errors_in(own.log()[before:]), what="a sentence on it")
        assert len(told) == 1, (name, told)
        assert word in told[0] and "railhead.yaml" in told[0] and "restart" in told[0], told
        assert own.get("/v2/lib/small/manifests/1.0").status == 200
        assert own.get("/v2/lib/small/manifests/1.0?ns=second.test").status == 404
    assert not (own.folder / "another").exists()
    own.config = {**kept, "upstreams": {**kept["upstreams"],
                                        "second.test": registry_at(origin.url)}}
    own.reload()
    assert own.metric("config_reloads_total", result="good") == 1
    assert own.get("/v2/lib/small/manifests/1.0?ns=second.test").status == 200


def test_reload_of_a_mirror_with_tls(start, origin, small, keys):
    """What has TLS can't do without it; another certificate is no such change."""
    good, other = keys
    mirror = start({UPSTREAM: registry_at(origin.url)},
                   listen=[{"address": f"127.0.0.1:{free_port()}"}, with_tls(good)])
    tls = mirror.config["listen"][1].pop("tls")
    mirror.reload()
    assert mirror.metric("config_reloads_total", result="refused") == 1
    mirror.config["listen"][1]["tls"] = {**tls, "key": str(other.key)}
    mirror.reload()
    assert mirror.metric("config_reloads_total", result="refused") == 2
    mirror.config["listen"][1]["tls"] = {"certificate": str(other.crt), "key": str(other.key)}
    mirror.reload()
    assert mirror.metric("config_reloads_total", result="good") == 1
