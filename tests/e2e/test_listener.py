"""Addresses, TLS, client certificates, ceilings, timeouts, drain."""

import os
import signal
import ssl
import subprocess

import pytest

from conftest import UPSTREAM
from lib import images
from lib.ports import free_port
from lib.railhead import BINARY, SANITIZERS, registry_at
from lib.wait import in_background, wait_until
from lib.wire import FIN, WHOLE, Wire, ask, trusting


def tls_options(certificate, client_ca=None):
    made = {"certificate": str(certificate.crt), "key": str(certificate.key)}
    if client_ca:
        made["client_ca"] = str(client_ca)
    return made


@pytest.fixture
def small(origin):
    return origin.load("lib/small", images.image(size=2000, tag="1.0"))


@pytest.fixture
def on(start, origin):
    """Starts a mirror that listens on one port more, with these options."""
    def launch(host="127.0.0.1", **listen):
        port = free_port()
        text = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        plain = {"address": f"127.0.0.1:{free_port()}"}
        mirror = start({UPSTREAM: registry_at(origin.url)},
                       listen=[plain, {"address": text, **listen}])
        mirror.port = int(plain["address"].split(":")[1])
        mirror.second_port = port
        return mirror
    return launch


# ---- addresses --------------------------------------------------------------------

def test_ipv6(on, small):
    mirror = on("::1")
    for host, port in (("::1", mirror.second_port), ("127.0.0.1", mirror.port)):
        assert ask(port, "/v2/lib/small/manifests/1.0", host=host).status == 200


def test_all_addresses(on, small):
    mirror = on("")
    for host in ("127.0.0.1", "::1"):
        assert ask(mirror.second_port, "/v2/", host=host).status == 200


@pytest.mark.threads
@pytest.mark.parametrize("loops", [1, 2, 5])
def test_serve_loops(start, origin, small, loops):
    mirror = start({UPSTREAM: registry_at(origin.url)}, serve_loops=loops)
    clients = [in_background(mirror.get, f"/v2/lib/small/blobs/{digest}")
               for digest in list(small.blobs) * 20]
    assert all(client.join().status == 200 for client in clients)
    assert origin.count("GET .*blobs") == len(small.blobs)


def serve_again(mirror, **changes):
    """What a second process says that is started beside MIRROR."""
    path = mirror.folder / "second.yaml"
    import json
    path.write_text(json.dumps({**mirror.config, **changes}))
    return subprocess.run([BINARY, "serve", "--config", path], capture_output=True, text=True,
                          timeout=60, env={**os.environ, **SANITIZERS})


def test_second_on_the_same_address_is_refused(own):
    done = serve_again(own, store={**own.config["store"], "path": str(own.folder / "other")},
                       admin={"address": f"127.0.0.1:{free_port()}"})
    assert done.returncode != 0
    assert str(own.port) in done.stderr
    assert own.get("/v2/").status == 200


def test_second_on_the_same_store_is_refused(own):
    done = serve_again(own, listen=[{"address": f"127.0.0.1:{free_port()}"}],
                       admin={"address": f"127.0.0.1:{free_port()}"})
    assert done.returncode != 0
    assert str(own.store) in done.stderr
    assert own.get("/v2/").status == 200


# ---- TLS --------------------------------------------------------------------------

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3],
                         ids=["1.2", "1.3"])
def test_tls(on, small, authority, server_certificate, version):
    mirror = on(tls=tls_options(server_certificate))
    context = trusting(authority)
    context.minimum_version = context.maximum_version = version
    with Wire(mirror.second_port, tls=context) as wire:
        assert wire.ask("/v2/lib/small/manifests/1.0").body == small.manifests[small.top][1]
        for digest, data in small.blobs.items():
            assert wire.ask(f"/v2/lib/small/blobs/{digest}").body == data
    assert mirror.get("/v2/").status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1],
                         ids=["1.0", "1.1"])
def test_old_tls_is_refused(on, authority, server_certificate, version):
    mirror = on(tls=tls_options(server_certificate))
    context = trusting(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Wire(mirror.second_port, tls=context)


def test_large_blob_over_tls(on, origin, authority, server_certificate, new_blob):
    content = origin.load("lib/x", new_blob(5 * images.MIB + 3))
    mirror = on(tls=tls_options(server_certificate))
    for _ in range(2):
        with Wire(mirror.second_port, tls=trusting(authority)) as wire:
            answer = wire.ask(f"/v2/lib/x/blobs/{content.blob}")
            assert answer.body == content.blobs[content.blob]
            assert wire.ask("/v2/").status == 200


def test_plain_request_to_a_tls_port(on, server_certificate):
    mirror = on(tls=tls_options(server_certificate))
    with Wire(mirror.second_port) as wire:
        wire.send(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.is_closed_by_peer()


def test_handshake_that_never_comes(on, server_certificate):
    """It may not keep others out, nor stay for ever."""
    mirror = on(tls=tls_options(server_certificate))
    with Wire(mirror.second_port) as silent:
        assert mirror.get("/v2/").status == 200
        silent.send(b"\x16\x03\x01\x02")
        assert silent.is_closed_by_peer()


def test_client_certificate(on, small, authority, server_certificate):
    mirror = on(tls=tls_options(server_certificate, authority.ca.crt))
    store = authority.issue("store-17", is_client=True)
    with Wire(mirror.second_port, tls=trusting(authority, store)) as wire:
        assert wire.ask("/v2/lib/small/manifests/1.0").status == 200
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with Wire(mirror.second_port, tls=trusting(authority)) as wire:
            wire.ask("/v2/")


def test_client_certificate_of_another_authority(on, tmp_path, authority, server_certificate):
    from lib.certs import Authority
    stranger = Authority(tmp_path / "other-ca", "Other CA").issue("stranger", is_client=True)
    mirror = on(tls=tls_options(server_certificate, authority.ca.crt))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with Wire(mirror.second_port, tls=trusting(authority, stranger)) as wire:
            wire.ask("/v2/")


def test_ring_of_a_client_certificate(start, origin, small, authority, server_certificate):
    port = free_port()
    mirror = start({UPSTREAM: registry_at(origin.url)},
                   listen=[{"address": f"127.0.0.1:{port}",
                            "tls": tls_options(server_certificate, authority.ca.crt)}],
                   sites=[{"match": "store-*", "ring": "retail"}])
    store = authority.issue("store-18", is_client=True)
    with Wire(port, tls=trusting(authority, store)) as wire:
        assert wire.ask("/v2/lib/small/manifests/1.0").status == 200
    mirror.wait_metric("requests_total", 1, kind="tag", ring="retail")


def test_ring_of_a_header(start, origin, small):
    mirror = start({UPSTREAM: registry_at(origin.url)},
                   sites=[{"match": "store-*", "ring": "retail"}])
    mirror.get("/v2/lib/small/manifests/1.0", x_railhead_site="store-19")
    mirror.get("/v2/lib/small/manifests/1.0", x_railhead_site="office")
    mirror.wait_metric("requests_total", 1, kind="tag", ring="retail")
    mirror.wait_metric("requests_total", 1, kind="tag", ring="")


# ---- reload ----------------------------------------------------------------------

def peer_certificate(port, authority):
    with Wire(port, tls=trusting(authority)) as wire:
        return wire.socket.getpeercert(binary_form=True)


def test_certificate_is_read_again(on, tmp_path, authority):
    from lib.certs import Certificate
    old, new = authority.issue("old"), authority.issue("new")
    used = Certificate(tmp_path / "used.crt", tmp_path / "used.key")
    used.crt.write_bytes(old.crt.read_bytes())
    used.key.write_bytes(old.key.read_bytes())
    mirror = on(tls=tls_options(used))
    assert peer_certificate(mirror.second_port, authority) == old.der()
    with Wire(mirror.second_port, tls=trusting(authority)) as kept:
        assert kept.ask("/v2/").status == 200
        used.crt.write_bytes(new.crt.read_bytes())
        used.key.write_bytes(new.key.read_bytes())
        mirror.reload()
        assert peer_certificate(mirror.second_port, authority) == new.der()
        assert kept.ask("/v2/").status == 200


def test_broken_certificate_keeps_the_old_one(on, tmp_path, authority):
    from lib.certs import Certificate
    old = authority.issue("old-2")
    used = Certificate(tmp_path / "used.crt", tmp_path / "used.key")
    used.crt.write_bytes(old.crt.read_bytes())
    used.key.write_bytes(old.key.read_bytes())
    mirror = on(tls=tls_options(used))
    used.crt.write_text("not a certificate")
    mirror.reload()
    assert peer_certificate(mirror.second_port, authority) == old.der()


def test_reload_brings_an_upstream(own, origin, small):
    target = "/v2/lib/small/manifests/1.0?ns=second.test"
    assert own.get(target).status == 404
    own.config["upstreams"]["second.test"] = registry_at(origin.url)
    own.reload()
    assert own.get(target).status == 200


def test_bad_reload_keeps_the_old_configuration(own, small):
    own.config["upstreams"]["second.test"] = {"endpoinds": []}
    own.reload()
    assert own.get("/v2/lib/small/manifests/1.0").status == 200
    own.wait_log("endpoinds")
    assert own.metric("config_reloads_total") == 1
    del own.config["upstreams"]["second.test"]
    own.reload()
    assert own.metric("config_reloads_total") == 2


def test_file_that_is_gone_at_reload(own, small):
    path = own.config_file
    kept = path.read_text()
    path.unlink()
    before = own.metric("config_reloads_total")
    own.daemon.signal(signal.SIGHUP)
    own.wait_metric("config_reloads_total", lambda have: have > before)
    assert own.get("/v2/lib/small/manifests/1.0").status == 200
    path.write_text(kept)


@pytest.mark.threads
def test_many_reloads_under_load(own, small):
    """A request keeps the configuration it began with."""
    stop = []

    def pull():
        count = 0
        while not stop:
            assert own.get("/v2/lib/small/manifests/1.0").status == 200
            count += 1
        return count

    clients = [in_background(pull) for _ in range(4)]
    for round_ in range(10):
        own.config["upstreams"][f"more-{round_}.test"] = registry_at("http://127.0.0.1:9")
        own.reload()
    stop.append(True)
    assert all(client.join() > 0 for client in clients)


def test_request_in_flight_survives_a_reload(own, origin, new_blob):
    content = origin.load("lib/x", new_blob(2 * images.MIB))
    fault = origin.when("GET .*blobs", pause_at=images.MIB)
    with own.wire() as wire:
        wire.request(f"/v2/lib/x/blobs/{content.blob}")
        fault.gate.wait_arrival()
        own.config["upstreams"] = {"other.test": registry_at("http://127.0.0.1:9")}
        own.config["default_upstream"] = "other.test"
        own.reload()
        fault.gate.open()
        assert wire.body(wire.head()).body == content.blobs[content.blob]


# ---- ceilings and timeouts ---------------------------------------------------------

def test_keep_alive_for_many_requests(own, small):
    before = own.metric("connections_total")
    with own.wire() as wire:
        for _ in range(500):
            assert wire.ask("/v2/lib/small/manifests/1.0", "HEAD").status == 200
    # This one, and that of the second scrape.
    assert own.metric("connections_total") == before + 2


def test_head_timeout(start, origin):
    mirror = start({UPSTREAM: registry_at(origin.url)}, limits={"head_timeout": "500ms"})
    with mirror.wire() as wire:
        wire.send(b"GET /v2/ HTTP/1.1\r\nHo")
        assert wire.is_closed_by_peer()
    # A busy machine may keep a client from sending for as long.
    wait_until(lambda: _is_served(mirror), what="a whole head to be answered")


def test_idle_timeout(start, origin):
    mirror = start({UPSTREAM: registry_at(origin.url)}, limits={"idle_timeout": "2s"})
    with mirror.wire() as wire:
        assert wire.ask("/v2/").status == 200
        assert wire.is_closed_by_peer() == FIN


def test_connections_in_all(start, origin):
    mirror = start({UPSTREAM: registry_at(origin.url)}, limits={"connections": 5})
    held = [mirror.wire() for _ in range(5)]
    for wire in held:
        assert wire.ask("/v2/").status == 200
    with mirror.wire() as one_more:
        try:
            one_more.request("/v2/")
            assert one_more.head().status == 503
        except ConnectionError:
            pass
    mirror.wait_metric("connections_refused_total", lambda have: have >= 1)
    held.pop().close()
    wait_until(lambda: _is_served(mirror), what="a free place")
    for wire in held:
        assert wire.ask("/v2/").status == 200
        wire.close()


def _is_served(mirror):
    try:
        return mirror.get("/v2/").status == 200
    except ConnectionError:
        return False


def test_connections_of_one_address(start, origin):
    mirror = start({UPSTREAM: registry_at(origin.url)},
                   limits={"connections_per_address": 3})
    held = [mirror.wire() for _ in range(3)]
    for wire in held:
        assert wire.ask("/v2/").status == 200
    assert not _is_served(mirror)
    for wire in held:
        wire.close()
    wait_until(lambda: _is_served(mirror), what="a free place")


def test_head_limit(start, origin):
    mirror = start({UPSTREAM: registry_at(origin.url)}, limits={"head": "2KiB"})
    assert mirror.get("/v2/", x_y="a" * 1000).status == 200
    assert mirror.get("/v2/", x_y="a" * 3000).status == 431


# ---- the end -------------------------------------------------------------------------

@pytest.fixture
def patient(start, origin):
    """A mirror that would wait for replies longer than any test does."""
    return start({UPSTREAM: registry_at(origin.url)}, limits={"drain": "10m"})


def test_sigterm_finishes_replies(patient, origin, new_blob):
    content = origin.load("lib/x", new_blob(2 * images.MIB))
    fault = origin.when("GET .*blobs", pause_at=images.MIB)
    wire, idle = patient.wire(), patient.wire()
    assert idle.ask("/v2/").status == 200
    wire.request(f"/v2/lib/x/blobs/{content.blob}")
    fault.gate.wait_arrival()
    patient.daemon.signal(signal.SIGTERM)
    assert idle.is_closed_by_peer() == FIN
    wait_until(lambda: not _accepts(patient), what="the listener to close")
    fault.gate.open()
    answer = wire.body(wire.head())
    assert (answer.ended, answer.body) == (WHOLE, content.blobs[content.blob])
    assert patient.daemon.wait_end() == 0


def _accepts(mirror):
    try:
        mirror.wire().close()
        return True
    except OSError:
        return False


def test_sigterm_does_not_wait_for_ever(start, origin, new_blob):
    """Behind `drain` what is left is cut; the draft stays."""
    mirror = start({UPSTREAM: registry_at(origin.url)}, limits={"drain": "500ms"})
    content = origin.load("lib/x", new_blob(2 * images.MIB))
    fault = origin.when("GET .*blobs", pause_at=images.MIB)
    with mirror.wire() as wire:
        wire.request(f"/v2/lib/x/blobs/{content.blob}")
        fault.gate.wait_arrival()
        mirror.wait_metric("upstream_bytes_total", images.MIB)
        mirror.daemon.signal(signal.SIGTERM)
        assert mirror.daemon.wait_end() == 0
        answer = wire.body(wire.head())
        assert answer.ended == FIN
    assert mirror.drafts() != []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_at_once_when_idle(patient, number):
    patient.daemon.signal(number)
    assert patient.daemon.wait_end() == 0


def test_readyz_while_draining(patient, origin, new_blob):
    content = origin.load("lib/x", new_blob(2 * images.MIB))
    fault = origin.when("GET .*blobs", pause_at=images.MIB)
    with patient.wire() as wire:
        wire.request(f"/v2/lib/x/blobs/{content.blob}")
        fault.gate.wait_arrival()
        patient.daemon.signal(signal.SIGTERM)
        wait_until(lambda: patient.admin("/readyz").status == 503, what="readyz to say no")
        assert patient.admin("/healthz").status == 200
        fault.gate.open()
        assert wire.body(wire.head()).ended == WHOLE


def test_restart_serves_what_it_had(own, origin, small):
    own.get("/v2/lib/small/manifests/1.0")
    for digest in small.blobs:
        own.get(f"/v2/lib/small/blobs/{digest}")
    own.wait_stored(len(small.blobs) + 1)
    own.stop()
    origin.stop()
    own.start()
    assert own.get("/v2/lib/small/manifests/1.0").status == 200
    for digest, data in small.blobs.items():
        assert own.get(f"/v2/lib/small/blobs/{digest}").body == data
