"""The store: killed processes, full disks, broken files, private content."""

import subprocess

import pytest

from conftest import UPSTREAM
from lib import images, tokens
from lib.images import MIB
from lib.railhead import Railhead, registry_at
from lib.releases import Releases
from lib.wait import in_background, wait_until
from lib.wire import FIN, WHOLE

SIZE = 8 * MIB


@pytest.fixture
def large(origin, new_blob):
    content = origin.load("lib/x", new_blob(SIZE))
    content.data = content.blobs[content.blob]
    content.target = f"/v2/lib/x/blobs/{content.blob}"
    content.pattern = f"GET .*{content.blob}"
    return content


# ---- kill -9 -------------------------------------------------------------------------

@pytest.mark.parametrize("at", [100, MIB, SIZE // 2 + 12345, SIZE - 1])
def test_killed_while_filling(own, origin, large, at):
    """The same pull afterwards: at most 1 MiB crosses twice."""
    origin.when(large.pattern, times=1, pause_at=at)
    client = in_background(_get_or_fail, own, large.target)
    own.wait_metric("upstream_bytes_total", at)
    own.kill()
    client.join()
    assert not own.has_blob(large.blob)
    own.start()
    answer = own.get(large.target)
    assert (answer.ended, answer.body) == (WHOLE, large.data)
    assert origin.bytes("GET") - SIZE <= MIB


def test_killed_while_bytes_flow(own, origin, large):
    """Not between two bytes, but in full flight."""
    origin.send_buffer = 64 << 10
    origin.when(large.pattern, times=1, rate=8 * MIB)
    client = in_background(_get_or_fail, own, large.target)
    own.wait_metric("upstream_bytes_total", lambda have: have > SIZE // 4)
    own.kill()
    client.join()
    own.start()
    answer = own.get(large.target)
    assert (answer.ended, answer.body) == (WHOLE, large.data)
    assert origin.bytes("GET") - SIZE <= MIB


def test_killed_again_and_again(own, origin, large):
    for round_ in range(1, 5):
        at = round_ * SIZE // 6
        origin.when(large.pattern, times=1, pause_at=at)
        client = in_background(_get_or_fail, own, large.target)
        own.wait_metric("upstream_bytes_total", lambda have: have > 0)
        origin.faults[0].gate.wait_arrival()
        own.wait_metric("upstream_bytes_total", lambda have: have >= SIZE // 6 - MIB // 8)
        own.kill()
        client.join()
        own.start()
    assert own.get(large.target).body == large.data
    assert origin.bytes("GET") - SIZE <= 4 * MIB


def test_draft_whose_bytes_rotted_is_fetched_again(own, origin, large):
    """A resumed draft that does not match is fetched once more from zero."""
    origin.when(large.pattern, times=1, pause_at=SIZE // 2)
    client = in_background(_get_or_fail, own, large.target)
    own.wait_metric("upstream_bytes_total", SIZE // 2)
    own.kill()
    client.join()
    name = large.blob.replace(":", "-")
    draft = own.store / "drafts" / name
    data = bytearray(draft.read_bytes())
    data[1000] ^= 0xff
    draft.write_bytes(data)
    own.start()
    answer = own.get(large.target)
    assert answer.ended == FIN or answer.body == large.data
    assert own.get(large.target).body == large.data


def test_killed_with_a_full_store(own, origin, new_seed):
    """What was committed before is there after; nothing half."""
    content = origin.load("lib/y", images.image(layers=4, size=20_000, tag="1.0", seed=new_seed()))
    own.get("/v2/lib/y/manifests/1.0")
    for digest in content.blobs:
        own.get(f"/v2/lib/y/blobs/{digest}")
    own.wait_stored(len(content.blobs) + 1)
    own.kill()
    origin.forget()
    own.start()
    for digest, data in content.blobs.items():
        assert own.get(f"/v2/lib/y/blobs/{digest}").body == data
    assert origin.count("GET .*blobs") == 0


@pytest.mark.parametrize("damage", ["truncate", "garbage", "remove"])
def test_broken_index_is_rebuilt(own, origin, new_seed, damage):
    """From the layout, which says it all."""
    content = origin.load("lib/y", images.image(layers=2, size=20_000, tag="1.0", seed=new_seed()))
    own.get("/v2/lib/y/manifests/1.0")
    for digest in content.blobs:
        own.get(f"/v2/lib/y/blobs/{digest}")
    own.wait_stored(len(content.blobs) + 1)
    own.stop()
    path = own.store / "index" / "data.mdb"
    assert path.exists()
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "garbage":
        path.write_bytes(b"\xa5" * 20_000)
    else:
        path.unlink()
    own.start()
    for digest, data in content.blobs.items():
        assert own.get(f"/v2/lib/y/blobs/{digest}").body == data
    assert own.get("/v2/lib/y/manifests/1.0").status == 200


# ---- files that broke -----------------------------------------------------------------

@pytest.mark.parametrize("damage", ["missing", "short", "long", "empty"])
def test_broken_file_is_a_miss(own, origin, large, damage):
    assert own.get(large.target).body == large.data
    own.wait_stored(1)
    path = own.blob_file(large.blob)
    if damage == "missing":
        path.unlink()
    elif damage == "short":
        path.write_bytes(large.data[:-1])
    elif damage == "long":
        path.write_bytes(large.data + b"x")
    else:
        path.write_bytes(b"")
    answer = own.get(large.target)
    assert (answer.status, answer.ended, answer.body) == (200, WHOLE, large.data)
    assert own.metric("corrupt_total") == 1
    assert origin.count(large.pattern) == 2


def test_reader_with_an_open_file_is_not_hurt(own, origin, large):
    own.get(large.target)
    own.wait_stored(1)
    with own.wire(receive_buffer=4096) as wire:
        wire.request(large.target)
        answer = wire.body(wire.head(), stop_at=1000)
        own.blob_file(large.blob).unlink()
        assert wire.body(answer).body == large.data


# ---- a full disk -----------------------------------------------------------------------

@pytest.fixture
def small_disk(tmp_path):
    """A file system of a few megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", place])
    if mounted.returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def on_disk(origin, tmp_path, place, **store):
    return Railhead(tmp_path / "mirror", {UPSTREAM: registry_at(origin.url)},
                    store={"path": str(place / "store"), **store})


def test_full_disk(tmp_path, origin, small_disk, new_blob):
    """A right blob or a clear 5xx; what is stored is still served."""
    fits = origin.load("lib/x", new_blob(2 * MIB))
    larger = [origin.load("lib/x", new_blob(5 * MIB)) for _ in range(4)]
    with on_disk(origin, tmp_path, small_disk, min_free="0B") as mirror:
        first = f"/v2/lib/x/blobs/{fits.blob}"
        assert mirror.get(first).body == fits.blobs[fits.blob]
        for content in larger * 2:
            answer = mirror.get(f"/v2/lib/x/blobs/{content.blob}")
            if answer.status == 200:
                assert answer.body == content.blobs[content.blob] or answer.ended == FIN
            else:
                assert 500 <= answer.status < 600 and answer.error_code()
        assert mirror.get(first).body == fits.blobs[fits.blob]
        check_blobs_are_right(mirror, [fits, *larger])


def test_disk_that_fills_up_in_mid_fill(tmp_path, origin, small_disk, new_blob):
    content = origin.load("lib/x", new_blob(6 * MIB))
    target = f"/v2/lib/x/blobs/{content.blob}"
    fault = origin.when("GET .*blobs", pause_at=2 * MIB)
    with on_disk(origin, tmp_path, small_disk, min_free="0B") as mirror:
        client = in_background(mirror.get, target)
        fault.gate.wait_arrival()
        mirror.wait_metric("upstream_bytes_total", 2 * MIB)
        filler = small_disk / "filler"
        with open(filler, "wb", buffering=0) as out:
            try:
                while out.write(b"\0" * 4096):
                    pass
            except OSError:
                pass
        fault.gate.open()
        answer = client.join()
        assert answer.ended in (WHOLE, FIN)
        assert answer.body == content.blobs[content.blob] or answer.ended == FIN \
            or answer.status >= 500
        check_blobs_are_right(mirror, [content])
        filler.unlink()
        origin.heal()
        wait_until(lambda: mirror.get(target).body == content.blobs[content.blob],
                   what="room to be noticed")


def test_floor_of_free_disk(tmp_path, origin, small_disk, new_blob):
    """min_free is left alone."""
    content = origin.load("lib/x", new_blob(5 * MIB))
    with on_disk(origin, tmp_path, small_disk, min_free="9MiB") as mirror:
        answer = mirror.get(f"/v2/lib/x/blobs/{content.blob}")
        assert answer.body == content.blobs[content.blob] or 500 <= answer.status < 600
        assert not mirror.has_blob(content.blob)


def check_blobs_are_right(mirror, contents):
    for content in contents:
        path = mirror.blob_file(content.blob)
        if path.exists():
            assert path.read_bytes() == content.blobs[content.blob]


def test_store_that_can_not_be_written(tmp_path):
    """Refused with a sentence."""
    place = tmp_path / "file"
    place.write_text("I am no folder")
    mirror = Railhead(tmp_path / "mirror", {UPSTREAM: registry_at("http://127.0.0.1:1")},
                      store={"path": str(place)})
    mirror.write_config()
    mirror.daemon.spawn()
    assert mirror.daemon.wait_end() not in (0, -6, -11)
    assert str(place) in mirror.log()


# ---- private content ----------------------------------------------------------------------

def private(origin, tmp_path):
    path = tokens.docker_config(tmp_path / "config.json", origin.authority, "joe", "secret")
    origin.guard = tokens.basic_guard({"joe": "secret"})
    return registry_at(origin.url, auth={"docker_config": str(path)})


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_digest_known_only_from_a_private_repository(start, tmp_path, origin, new_blob, method):
    """It is not to be had by its digest alone, through another repository."""
    secret = origin.load("private/app", new_blob(1000))
    origin.load("other/app", new_blob(1000))
    mirror = start({UPSTREAM: private(origin, tmp_path)})
    assert mirror.get(f"/v2/private/app/blobs/{secret.blob}").status == 200
    assert mirror.get("/v2/private/app/manifests/1.0").status == 200
    for target in (f"/v2/other/app/blobs/{secret.blob}",
                   f"/v2/other/app/manifests/{secret.top}"):
        with mirror.wire() as wire:
            answer = wire.ask(target, method)
            assert answer.status == 404, answer
    assert mirror.get(f"/v2/private/app/blobs/{secret.blob}").status == 200


def test_the_asking_repository_is_confirmed_once(start, tmp_path, origin, new_blob):
    """The same blob in two repositories: one HEAD, no second transfer."""
    shared = new_blob(100_000)
    origin.load("private/one", shared)
    origin.load("private/two", shared)
    mirror = start({UPSTREAM: private(origin, tmp_path)})
    assert mirror.get(f"/v2/private/one/blobs/{shared.blob}").status == 200
    mirror.wait_stored(1)
    for _ in range(3):
        answer = mirror.get(f"/v2/private/two/blobs/{shared.blob}")
        assert answer.body == shared.blobs[shared.blob]
    assert len(origin.requests(f"GET .*{shared.blob}", status=200)) == 1
    assert len(origin.requests(f"HEAD /v2/private/two/blobs/{shared.blob}", status=200)) == 1


def test_what_can_not_be_confirmed_is_503(start, tmp_path, origin, new_blob):
    shared = new_blob(1000)
    origin.load("private/one", shared)
    origin.load("private/two", shared)
    mirror = start({UPSTREAM: private(origin, tmp_path)})
    assert mirror.get(f"/v2/private/one/blobs/{shared.blob}").status == 200
    mirror.wait_stored(1)
    origin.stop()
    assert mirror.get(f"/v2/private/two/blobs/{shared.blob}").status == 503
    assert mirror.get(f"/v2/private/one/blobs/{shared.blob}").status == 200


def test_what_a_manifest_names_belongs_to_its_repository(start, tmp_path, origin, new_blob):
    """No HEAD is needed for it."""
    shared = new_blob(1000)
    for name in ("private/one", "private/two"):
        origin.load(name, shared)
    mirror = start({UPSTREAM: private(origin, tmp_path)})
    assert mirror.get(f"/v2/private/one/blobs/{shared.blob}").status == 200
    mirror.wait_stored(1)
    assert mirror.get("/v2/private/two/manifests/1.0").status == 200
    mirror.wait_stored(2)
    origin.forget()
    assert mirror.get(f"/v2/private/two/blobs/{shared.blob}").status == 200
    assert origin.count("blobs") == 0


def test_public_content_is_shared(start, origin, new_blob):
    shared = new_blob(1000)
    for name in ("one", "two"):
        origin.load(name, shared)
    mirror = start({UPSTREAM: registry_at(origin.url)})
    assert mirror.get(f"/v2/one/blobs/{shared.blob}").status == 200
    mirror.wait_stored(1)
    origin.forget()
    assert mirror.get(f"/v2/two/blobs/{shared.blob}").status == 200
    assert origin.seen == []


def test_private_content_does_not_leak_into_a_public_upstream(start, tmp_path, origin, new_blob):
    from lib.faulty import Faulty
    secret = origin.load("private/app", new_blob(1000))
    with Faulty() as hub:
        hub.load("lib/x", new_blob(10))
        mirror = start({"secret.test": private(origin, tmp_path),
                        "hub.test": registry_at(hub.url)})
        assert mirror.get(f"/v2/private/app/blobs/{secret.blob}?ns=secret.test").status == 200
        mirror.wait_stored(1)
        assert mirror.get(f"/v2/lib/x/blobs/{secret.blob}?ns=hub.test").status == 404


def _get_or_fail(mirror, target):
    """For clients of a mirror that is going to be killed."""
    try:
        return mirror.get(target)
    except OSError:
        return None


# ---- what can't be given its name ----------------------------------------------------

@pytest.mark.parametrize("part", ["manifest", "layer"])
def test_release_of_what_cannot_be_stored(own, origin, new_seed, part):
    """It hears why, and not that all is well."""
    app = origin.load("team/app", images.image(layers=1, seed=new_seed()))
    digest = app.top if part == "manifest" else app.layers[0]
    own.blob_file(digest).mkdir(parents=True)
    releases = Releases(own, UPSTREAM)
    releases.put("r1", releases.reference("team/app", app.top))
    found = releases.wait_state("r1", "failed")
    assert found["digests_missing"] == 1
    assert "can't rename" in found["why"]["text"]
