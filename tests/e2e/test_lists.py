"""Content discovery: tag lists and referrers."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from conftest import UPSTREAM
from lib import images
from lib.faulty import Faulty
from lib.railhead import registry_at

TAGS = ["latest", "1.0", "1.10", "1.2", "v2", "Zeta", "alpha", "_x"]


@pytest.fixture(scope="module")
def tagged(upstream):
    content = images.image(size=64)
    content.tags = {tag: content.top for tag in TAGS}
    upstream.load("lib/tagged", content)
    return content


def next_page(answer):
    link = answer["Link"]
    if link is None:
        return None
    assert link.endswith('; rel="next"'), link
    return link[link.index("<") + 1:link.index(">")]


# ---- tags/list ----------------------------------------------------------------

def test_tags_are_sorted(mirror, tagged):
    answer = mirror.get("/v2/lib/tagged/tags/list")
    assert answer.status == 200
    assert answer["Content-Type"].startswith("application/json")
    assert answer.json() == {"name": "lib/tagged", "tags": sorted(TAGS)}
    assert answer["Link"] is None


@pytest.mark.parametrize("n", [1, 3, 7, 8, 9, 1000])
def test_tags_by_pages(mirror, tagged, n):
    target, have = f"/v2/lib/tagged/tags/list?n={n}", []
    while target:
        answer = mirror.get(target)
        page = answer.json()["tags"]
        assert len(page) <= n
        have += page
        target = next_page(answer)
    assert have == sorted(TAGS)


def test_link_of_a_page_names_n_and_last(mirror, tagged):
    link = next_page(mirror.get("/v2/lib/tagged/tags/list?n=2"))
    assert urlsplit(link).path == "/v2/lib/tagged/tags/list"
    query = parse_qs(urlsplit(link).query)
    assert query["n"] == ["2"] and query["last"] == [sorted(TAGS)[1]]


def test_link_keeps_the_namespace(mirror, tagged):
    """A next page without it would be another upstream's."""
    link = next_page(mirror.get(f"/v2/lib/tagged/tags/list?n=2&ns={UPSTREAM}"))
    assert parse_qs(urlsplit(link).query)["ns"] == [UPSTREAM]
    assert mirror.get(link).json()["tags"] == sorted(TAGS)[2:4]


def test_link_keeps_the_path_prefix(mirror, tagged):
    link = next_page(mirror.get(f"/v2/{UPSTREAM}/lib/tagged/tags/list?n=2"))
    assert mirror.get(link).json()["tags"] == sorted(TAGS)[2:4]


def test_no_tags_asked_for(mirror, tagged):
    assert mirror.get("/v2/lib/tagged/tags/list?n=0").json()["tags"] == []


def test_last_alone(mirror, tagged):
    answer = mirror.get("/v2/lib/tagged/tags/list?last=alpha")
    assert answer.json()["tags"] == [tag for tag in sorted(TAGS) if tag > "alpha"]


def test_last_behind_the_end(mirror, tagged):
    assert mirror.get("/v2/lib/tagged/tags/list?last=zzz").json()["tags"] == []


def test_last_that_is_no_tag_of_it(mirror, tagged):
    answer = mirror.get("/v2/lib/tagged/tags/list?last=1.1&n=2")
    assert answer.json()["tags"] == ["1.10", "1.2"]


@pytest.mark.parametrize("n", ["-1", "abc", "1x", "99999999999999999999"])
def test_odd_n(mirror, tagged, n):
    answer = mirror.get(f"/v2/lib/tagged/tags/list?n={n}")
    assert answer.status in (200, 400)
    if answer.status == 400:
        assert answer.error_code()


def test_head_of_tags(mirror, tagged):
    with mirror.wire() as wire:
        answer = wire.ask("/v2/lib/tagged/tags/list", "HEAD")
        assert answer.status in (200, 405)
        assert wire.ask("/v2/").status == 200


def test_tags_of_an_unknown_repository(mirror):
    answer = mirror.get("/v2/no/such/tags/list")
    assert (answer.status, answer.error_code()) == (404, "NAME_UNKNOWN")


def test_tags_of_an_upstream_that_pages(start):
    """All pages are followed."""
    content = images.image(size=64)
    content.tags = {f"v{number:04}": content.top for number in range(95)}
    with Faulty(page=10) as origin:
        origin.load("lib/x", content)
        mirror = start({UPSTREAM: registry_at(origin.url)})
        assert mirror.get("/v2/lib/x/tags/list").json()["tags"] == sorted(content.tags)
        assert origin.count("tags/list") == 10
        assert mirror.get("/v2/lib/x/tags/list?n=5").json()["tags"] == sorted(content.tags)[:5]
        assert origin.count("tags/list") == 10


def test_tags_are_stale_when_the_upstream_is_down(start, origin):
    content = images.image(size=64)
    content.tags = {tag: content.top for tag in TAGS}
    origin.load("lib/x", content)
    mirror = start({UPSTREAM: registry_at(origin.url)},
                   tags=[{"match": "*", "ttl": "0s", "stale": "1h"}])
    fresh = mirror.get("/v2/lib/x/tags/list")
    mirror.stop()
    origin.stop()
    mirror.start()
    stale = mirror.get("/v2/lib/x/tags/list")
    assert (stale.status, stale.body) == (200, fresh.body)
    assert stale["Warning"].startswith("299 ")


# ---- referrers -----------------------------------------------------------------

SBOM, SIGNATURE = "application/vnd.example.sbom", "application/vnd.example.signature"


def family(seed):
    """An image, and what refers to it."""
    content = images.image(size=64, tag="1.0", seed=seed)
    content.subject = content.top
    subject = content.descriptor(content.top)
    for kind, note in ((SBOM, "first"), (SBOM, "second"), (SIGNATURE, "third")):
        content.add(images.artifact(subject, kind, payload=note.encode(),
                                    annotations={"org.example.note": note}))
    return content


@pytest.fixture(scope="module", params=["api", "tag"])
def referred(request, tmp_path_factory):
    """(mirror, content) over an upstream with and without the API."""
    from lib.railhead import Railhead
    content = family(77)
    with Faulty(has_referrers=request.param == "api") as origin:
        if request.param == "tag":
            add_fallback_tag(content)
        origin.load("lib/x", content)
        with Railhead(tmp_path_factory.mktemp("referrers"),
                      {UPSTREAM: registry_at(origin.url)}) as mirror:
            yield mirror, content


def add_fallback_tag(content):
    """What clients keep where there is no API: an index under sha256-<hex>."""
    index = {"schemaVersion": 2, "mediaType": images.OCI_INDEX,
             "manifests": content.referrers(content.subject)}
    content.tags[content.subject.replace(":", "-")] = \
        content.add_manifest(images.OCI_INDEX, index)


def notes(index):
    return sorted(row["annotations"]["org.example.note"] for row in index["manifests"])


def test_referrers(referred):
    mirror, content = referred
    answer = mirror.get(f"/v2/lib/x/referrers/{content.subject}")
    assert (answer.status, answer["Content-Type"]) == (200, images.OCI_INDEX)
    index = answer.json()
    assert index["schemaVersion"] == 2 and index["mediaType"] == images.OCI_INDEX
    assert notes(index) == ["first", "second", "third"]
    assert answer["OCI-Filters-Applied"] is None
    for row in index["manifests"]:
        assert row["artifactType"] in (SBOM, SIGNATURE)
        assert mirror.get(f"/v2/lib/x/manifests/{row['digest']}").length == row["size"]


@pytest.mark.parametrize("kind, want", [(SBOM, ["first", "second"]), (SIGNATURE, ["third"]),
                                        ("application/vnd.example.none", [])])
def test_referrers_of_a_type(referred, kind, want):
    mirror, content = referred
    answer = mirror.get(f"/v2/lib/x/referrers/{content.subject}?artifactType={kind}")
    assert answer.status == 200
    assert answer["OCI-Filters-Applied"] == "artifactType"
    assert notes(answer.json()) == want


def test_referrers_of_what_nobody_refers_to(referred):
    mirror, _ = referred
    answer = mirror.get(f"/v2/lib/x/referrers/sha256:{'0' * 64}")
    assert (answer.status, answer["Content-Type"]) == (200, images.OCI_INDEX)
    assert answer.json()["manifests"] == []


def test_referrers_in_an_unknown_repository(referred):
    """Never a 404: there are none."""
    mirror, _ = referred
    answer = mirror.get(f"/v2/no/such/referrers/sha256:{'0' * 64}")
    assert (answer.status, answer["Content-Type"]) == (200, images.OCI_INDEX)
    assert answer.json()["manifests"] == []


@pytest.mark.parametrize("digest", ["sha256:zz", "latest", "md5:" + "0" * 32,
                                    "sha256:" + "0" * 63])
def test_referrers_of_a_bad_digest(referred, digest):
    mirror, _ = referred
    answer = mirror.get(f"/v2/lib/x/referrers/{digest}")
    assert (answer.status, answer.error_code()) == (400, "DIGEST_INVALID")


def test_referrers_are_remembered(own, origin):
    content = origin.load("lib/x", family(78))
    for _ in range(3):
        answer = own.get(f"/v2/lib/x/referrers/{content.subject}")
        assert notes(answer.json()) == ["first", "second", "third"]
    assert origin.count("referrers/") == 1


def test_referrers_are_stale_when_the_upstream_is_down(start, origin):
    content = origin.load("lib/x", family(79))
    mirror = start({UPSTREAM: registry_at(origin.url)},
                   tags=[{"match": "*", "ttl": "0s", "stale": "1h"}])
    target = f"/v2/lib/x/referrers/{content.subject}"
    fresh = mirror.get(target)
    mirror.stop()
    origin.stop()
    mirror.start()
    stale = mirror.get(target)
    assert (stale.status, json.loads(stale.body)) == (200, fresh.json())
    assert stale["Warning"].startswith("299 ")
