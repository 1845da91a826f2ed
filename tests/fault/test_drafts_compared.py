"""Three drafts of one blob: a reader only goes on in one that was compared with
the very draft that its bytes are from.
"""

import pytest

from conftest import UPSTREAM
from lib.faulty import Faulty
from lib.images import MIB
from lib.railhead import registry_at
from lib.wait import in_background
from lib.wire import FIN, WHOLE

SIZE = 4 * MIB
HELD_BACK = 64 << 10


@pytest.fixture
def spares():
    """Two registries more."""
    with Faulty() as second, Faulty() as third:
        yield second, third


@pytest.fixture
def blob(origin, spares, new_blob):
    """Nobody was asked for its manifest, so its size is the endpoints' word."""
    def load(size):
        content = new_blob(size)
        for server in (origin, *spares):
            server.load("lib/x", content)
        content.data = content.blobs[content.blob]
        content.target = f"/v2/lib/x/blobs/{content.blob}"
        content.pattern = f"GET .*{content.blob}"
        return content
    return load


def check_right_or_error(answer, data):
    if answer.status == 200 and answer.ended == WHOLE:
        assert answer.body == data
    else:
        assert answer.status >= 500 or answer.ended == FIN, answer


# (where the first endpoint's wrong byte is, how the second one's first body ends)
DRAFTS = {
    "chunked-cut-near-the-end": (0, {"is_chunked": True, "cut_at": SIZE - 32768}),
    "chunked-cut-at-1-MiB": (0, {"is_chunked": True, "cut_at": MIB}),
    "chunked-cut-before-the-wrong-byte": (SIZE // 2, {"is_chunked": True, "cut_at": MIB}),
    "cut-at-1-MiB": (0, {"cut_at": MIB}),
    "cut-before-the-wrong-byte": (SIZE // 2, {"cut_at": MIB}),
    "cut-behind-the-wrong-byte": (SIZE // 2, {"cut_at": 3 * MIB}),
}


@pytest.mark.threads
@pytest.mark.parametrize("refusal", [400, 416])
@pytest.mark.parametrize("drafts", sorted(DRAFTS))
def test_second_draft_is_not_the_readers(start, origin, spares, blob, drafts, refusal):
    """A reader of wrong bytes hears of two drafts more, which are alike."""
    content, (second, _) = blob(SIZE), spares
    wrong_at, first_body = DRAFTS[drafts]
    fault = origin.when(content.pattern, wrong_at=wrong_at, pause_at=SIZE - 10)
    second.when(content.pattern, times=1, status=refusal)  # in answer to a Range
    second.when(content.pattern, times=1, **first_body)
    mirror = start({UPSTREAM: registry_at(origin.url, second.url)})
    with mirror.wire() as wire:
        wire.request(content.target)
        answer = wire.body(wire.head(), stop_at=SIZE - HELD_BACK)
        assert answer.body[wrong_at] != content.data[wrong_at]
        fault.gate.open()
        wire.body(answer)
        assert answer.ended == FIN
        assert len(answer.body) < SIZE
    assert mirror.metric("fill_readers_cut_total") == 1
    check_right_or_error(mirror.get(content.target), content.data)
    mirror.wait_metric("fills", 0)
    if refusal == 416:
        assert second.count(content.pattern) == 3  # it brought in a third draft
    for server in (origin, second):
        server.heal()
    answer = mirror.get(content.target)
    assert (answer.status, answer.ended, answer.body) == (200, WHOLE, content.data)


@pytest.mark.threads
def test_three_endpoints_in_three_ways(start, origin, spares, blob):
    """The first two are wrong at different places: who has passed none of
    them may go on, who has is cut."""
    size = 16 * MIB
    content, (second, third) = blob(size), spares
    fault = origin.when(content.pattern, wrong_at=12 * MIB, pause_at=size - 10)
    second.when(content.pattern, wrong_at=14 * MIB)
    mirror = start({UPSTREAM: registry_at(origin.url, second.url, third.url)})
    with mirror.wire(receive_buffer=4096) as slow, mirror.wire() as fast:
        slow.request(content.target)
        slow_answer = slow.body(slow.head(), stop_at=1000)
        fast.request(content.target)
        fast_answer = fast.body(fast.head(), stop_at=13 * MIB)
        fault.gate.open()
        assert fast.body(fast_answer).ended == FIN
        check_right_or_error(slow.body(slow_answer), content.data)
    answer = mirror.get(content.target)
    assert (answer.status, answer.ended, answer.body) == (200, WHOLE, content.data)


@pytest.mark.threads
def test_disk_that_fails_while_bytes_come(start, origin, spares, blob):
    """What the second draft is compared with can't be read any more: an error,
    and the mirror goes on."""
    content, (second, _) = blob(SIZE), spares
    origin.when(content.pattern, wrong_at=SIZE - 100_000)
    fault = second.when(content.pattern, pause_at=MIB, rate=8 * MIB)
    mirror = start({UPSTREAM: registry_at(origin.url, second.url)})
    client = in_background(mirror.get, content.target)
    fault.gate.wait_arrival()
    with open(mirror.store / "drafts" / content.blob.replace(":", "-"), "r+b") as draft:
        draft.truncate(0)
    fault.gate.open()
    check_right_or_error(client.join(), content.data)
    mirror.wait_metric("fills", 0)
    for server in (origin, second):
        server.heal()
    answer = mirror.get(content.target)
    assert (answer.status, answer.ended, answer.body) == (200, WHOLE, content.data)
