"""What most tests begin with: an upstream, and a mirror in front of it."""

import itertools
from contextlib import ExitStack

import pytest

from lib import images
from lib.certs import Authority, Certificate
from lib.far import Far
from lib.faulty import Faulty
from lib.ports import raise_file_limit
from lib.railhead import Railhead, registry_at
from lib.wan import Wan, why_not

raise_file_limit()
_seeds = itertools.count(1000)

UPSTREAM = "registry.test"


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def server_certificate(authority):
    return authority.issue("server")


@pytest.fixture(scope="session")
def signer(authority) -> Certificate:
    """Signs the token server's tokens."""
    return authority.ca


@pytest.fixture(scope="module")
def upstream():
    """A registry that all tests of a module share."""
    with Faulty() as server:
        yield server


@pytest.fixture(scope="module")
def mirror(tmp_path_factory, upstream):
    """A mirror of `upstream` that all tests of a module share."""
    folder = tmp_path_factory.mktemp("mirror")
    with Railhead(folder, {UPSTREAM: registry_at(upstream.url)}) as railhead:
        yield railhead


@pytest.fixture
def origin():
    """A registry of the test's own."""
    with Faulty() as server:
        yield server


@pytest.fixture(scope="session")
def _no_lines():
    return why_not()


@pytest.fixture
def line(_no_lines):
    """line(rate, ...): a line with a limit, as lib.wan has it."""
    if _no_lines:
        pytest.skip(_no_lines)
    with ExitStack() as stack:
        yield lambda *how, **more: stack.enter_context(Wan(*how, **more))


@pytest.fixture
def far(line):
    """far(rate, ...): a registry at the far side of a line of its own."""
    with ExitStack() as stack:
        yield lambda *how, **more: stack.enter_context(Far(line(*how, **more)))


@pytest.fixture
def start(tmp_path):
    """Starts mirrors: start(upstreams, **options); they are ended, and their
    logs looked through, when the test is over."""
    started = []

    def start_one(upstreams, **options):
        folder = tmp_path / f"mirror-{len(started)}"
        railhead = Railhead(folder, upstreams, **options)
        started.append(railhead)
        return railhead.start()

    yield start_one
    for railhead in started:
        railhead.stop()


@pytest.fixture
def own(origin, start):
    """A mirror of the test's own, in front of `origin`."""
    return start({UPSTREAM: registry_at(origin.url)})


@pytest.fixture
def new_seed():
    """A number that no other test has: content made from it is cold."""
    return lambda: 10 * next(_seeds)


@pytest.fixture
def new_blob(new_seed):
    """Content around one blob of SIZE bytes that nobody has seen before."""
    def make(size, **more):
        return images.single_blob(images.noise(size, new_seed()), **more)
    return make
