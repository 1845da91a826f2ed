"""Headers that may come twice are joined in the request's memory, which ends."""

import pytest

from lib import images
from lib.wire import Wire

SIZES = [1000, *range(5000, 8300, 8), 12_000, 15_000]


class Client:
    """Asks with a header that comes twice; a new line after each refusal."""

    def __init__(self, mirror):
        self.mirror, self.wire = mirror, Wire(mirror.port)

    def ask(self, target, name, size):
        self.wire.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n{name}: {'a' * size}\r\n"
                       f"{name}: b\r\n\r\n".encode())
        answer = self.wire.body(self.wire.head())
        if answer.status >= 400:
            self.close()
            self.wire = Wire(self.mirror.port)
        return answer

    def close(self):
        self.wire.close()


@pytest.fixture
def client(mirror):
    made = Client(mirror)
    yield made
    made.close()


@pytest.fixture(scope="module", autouse=True)
def small(mirror, upstream):
    content = upstream.load("lib/small", images.single_blob(b"small"))
    content.tags.update({"0": content.top, "2.0": content.top})
    upstream.load("lib/small", content)
    assert mirror.get("/v2/lib/small/manifests/1.0").status == 200
    assert mirror.get(f"/v2/lib/small/blobs/{content.blob}").status == 200
    return content


@pytest.mark.parametrize("name", ["If-None-Match", "X-Forwarded-For"])
@pytest.mark.parametrize("target", [
    "/v2/", "/v2/lib/small/manifests/1.0?ns=registry.test", "/v2/lib/small/blobs/BLOB",
    "/v2/lib/small/tags/list?last=%30&n=1&ns=registry.test", "/v2/lib/%73mall/manifests/nosuch",
    "/v2/lib/small/referrers/BLOB?artifactType=a%2Fb"])
def test_header_twice(client, mirror, small, target, name):
    """However little memory is left for the rest: served right, or refused."""
    target = target.replace("BLOB", small.blob)
    plain = mirror.get(target)
    answers = {size: client.ask(target, name, size) for size in SIZES}
    for size, answer in answers.items():
        if answer.status >= 400:
            assert answer.status < 500 and answer.error_code(), (size, answer)
        else:
            assert (answer.status, answer.body) == (plain.status, plain.body), (size, answer)
    assert answers[1000].status == plain.status
    is_joined = name == "If-None-Match"
    assert answers[12_000].status == (431 if is_joined else plain.status)
    assert mirror.get("/v2/").status == 200
