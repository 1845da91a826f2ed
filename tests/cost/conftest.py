"""One mirror under callgrind, warm, for all that is counted."""

import pytest

from lib import images
from lib.callgrind import Counted
from lib.faulty import Faulty
from lib.railhead import registry_at

REPOSITORY = "library/app"
MIB = 1 << 20


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """.content: an image of it; its blobs by size in .blobs."""
    with Faulty() as upstream:
        mirror = Counted(tmp_path_factory.mktemp("cost"),
                         {"registry.test": registry_at(upstream.url)}, serve_loops=1,
                         log={"level": "warn", "access": False})
        mirror.content = upstream.load(REPOSITORY, images.image(layers=8))
        mirror.blobs = {}
        for size in (4096, 8 * MIB):
            content = upstream.load(REPOSITORY, images.single_blob(images.noise(size, size)))
            mirror.blobs[size] = content.blob
        with mirror:
            for digest in mirror.blobs.values():
                mirror.get(f"/v2/{REPOSITORY}/blobs/{digest}")
            mirror.wait_stored(len(mirror.blobs))
            yield mirror
