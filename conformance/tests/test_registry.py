"""The registry of the suite: its protocol, its patience, and what is said where it is no use."""

from __future__ import annotations

import http.client
import json
from dataclasses import replace

import pytest

from ..address import parse_address
from ..check import CHECKS
from ..registry.ed25519 import verify
from ..registry.ledger import Asked, Ledger, Manners, Refusal, Reply, read_query
from ..registry.server import registry_server
from ..registry.stock import digest_of, marked, scripted
from ..run import UNKNOWING, judge, load_checks, prepare
from ..script import weights
from ..setup import Provision, Setup
from .carrier import Key
from .honest import Answer, Lie, serving
from .lies import hears, with_answers

load_checks()
HOME, ELSEWHERE = "http://127.0.0.1:1", "http://localhost:1"
REPOSITORY = "library/m"


@pytest.fixture
def ledger() -> Ledger:
    """A registry with one model."""
    made = Ledger(HOME, ELSEWHERE)
    made.offer(REPOSITORY, "latest", scripted("0123456789"))
    return made


def ask(ledger: Ledger, method: str, target: str, body: bytes = b"", **headers: str) -> Reply:
    """Ask for a path."""
    path, _, query = target.removeprefix(HOME).removeprefix(ELSEWHERE).partition("?")
    return ledger.answer(Asked(method, path, read_query(query), headers, body, target))


def header(reply: Reply, name: str) -> str:
    """A header of a reply."""
    return dict(reply.headers)[name]


def test_blob_is_found_at_the_other_host(ledger: Ledger) -> None:
    """A blob is redirected, and the range that is asked for comes."""
    layer = scripted("0123456789").config
    there = ask(ledger, "GET", f"/v2/{REPOSITORY}/blobs/{layer.digest}")
    assert (there.status, header(there, "Location")) == (307, f"{ELSEWHERE}/direct/{layer.digest}")
    part = ask(ledger, "GET", header(there, "Location"), range="bytes=2-5")
    assert (part.status, part.body) == (206, layer.content[2:6])


def test_detours_end_at_the_other_host(ledger: Ledger) -> None:
    """So many redirects, and then the one that leads away."""
    ledger.manners = Manners(detours=2)
    place = f"/v2/{REPOSITORY}/blobs/{scripted('0123456789').config.digest}"
    hosts = []
    for _ in range(3):
        place = header(ask(ledger, "GET", place), "Location")
        hosts.append(place.startswith(HOME))
    assert hosts == [True, True, False]


def test_nothing_without_a_token(ledger: Ledger) -> None:
    """With a token wanted, only the right one opens."""
    ledger.manners = Manners(token=True)
    path = f"/v2/{REPOSITORY}/manifests/latest"
    refused = ask(ledger, "GET", path)
    assert (refused.status, "realm=" in header(refused, "WWW-Authenticate")) == (401, True)
    given = json.loads(ask(ledger, "GET", "/token").body)["token"]
    assert ask(ledger, "GET", path, authorization=f"Bearer {given}").status == 200


def test_upload_moves_on(ledger: Ledger) -> None:
    """Each chunk goes where the last answer said, and a stale address is none."""
    first = header(ask(ledger, "POST", f"/v2/{REPOSITORY}/blobs/uploads/"), "Location")
    second = header(ask(ledger, "PATCH", first, b"ab"), "Location")
    assert ask(ledger, "PATCH", first, b"cd").status == 404
    third = header(ask(ledger, "PATCH", second, b"cd"), "Location")
    assert ask(ledger, "PUT", f"{third}&digest={digest_of(b'abcd')}").status == 201
    assert ledger.blobs[digest_of(b"abcd")] == b"abcd"


def test_upload_is_what_its_digest_says(ledger: Ledger) -> None:
    """Other bytes are refused."""
    place = header(ask(ledger, "POST", f"/v2/{REPOSITORY}/blobs/uploads/"), "Location")
    place = header(ask(ledger, "PATCH", place, b"ab"), "Location")
    assert ask(ledger, "PUT", f"{place}&digest={digest_of(b'abc')}").status == 400


def test_refusals_are_counted(ledger: Ledger) -> None:
    """What is refused once is served the second time."""
    ledger.manners = Manners(refusals=(Refusal("manifest", 503, b"{}", times=1),))
    path = f"/v2/{REPOSITORY}/manifests/latest"
    assert [ask(ledger, "GET", path).status for _ in "123"] == [503, 200, 200]


def test_mark_changes_nothing_but_the_name() -> None:
    """Marked weights are as long as they were, and differ in the mark alone."""
    mark, content = "0123456789", weights()
    found = marked(content, mark)
    assert len(found) == len(content)
    assert sum(one != other for one, other in zip(found, content, strict=True)) <= len(mark)


def test_signature_of_the_rfc() -> None:
    """The first test of RFC 8032, and the same with a bit turned."""
    key = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
        "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert verify(key, b"", signature)
    assert not verify(key, b"x", signature)
    assert not verify(key, b"", signature[:-1] + b"\xff")


def test_honest_key_signs() -> None:
    """What the honest server signs is right."""
    key = Key()
    signature = key.sign(b"hello").partition(":")[2]
    import base64

    assert verify(key.public, b"hello", base64.b64decode(signature))


def test_server_notes_tls_and_hangs_up() -> None:
    """A handshake is no request."""
    with registry_server("127.0.0.1", "127.0.0.1", "localhost") as server:
        connection = http.client.HTTPSConnection(server.authority, timeout=5)
        with pytest.raises(OSError, match=r"EOF|SSL|reset"):
            connection.request("GET", "/")
        connection.close()
        assert (server.handshakes, server.ledger.asked) == (1, [])


def test_server_cuts_once() -> None:
    """The first part is cut, the second is whole."""
    with registry_server("127.0.0.1", "127.0.0.1", "localhost") as server:
        package = scripted("0123456789")
        server.ledger.offer(REPOSITORY, "latest", package)
        server.ledger.manners = Manners(cut_after=1000)
        lengths = []
        for _ in range(2):
            connection = http.client.HTTPConnection(server.authority, timeout=5)
            path, wanted = f"/direct/{package.weights.digest}", {"Range": "bytes=0-200000"}
            connection.request("GET", path, headers=wanted)
            try:
                lengths.append(len(connection.getresponse().read()))
            except http.client.IncompleteRead as cut:
                lengths.append(len(cut.partial))
            connection.close()
    assert lengths == [1000, 200_001]


def plainly(url: str) -> Setup:
    """A setup without models and probes."""
    return Setup(url, "registry", None, None, True, UNKNOWING, Provision(True), silence_s=2.0)


def test_target_on_another_machine_is_not_testable() -> None:
    """Without --registry-host nothing is opened and nothing asked."""
    line = judge(CHECKS["pull/stream"], plainly("http://192.0.2.1:11434"))
    assert line["verdict"] == "not_testable"
    assert "--registry-host" in line["reason"]


def test_host_that_is_not_ours_is_not_testable() -> None:
    """Where we cannot listen, the reason is told."""
    setup = replace(plainly("http://127.0.0.1:1"), registry_host="192.0.2.1")
    line = judge(CHECKS["pull/stream"], setup)
    assert (line["verdict"], "--registry-bind" in line["reason"]) == ("not_testable", True)


def test_registry_may_listen_elsewhere() -> None:
    """The host is what the target is told, the address is where we listen."""
    with serving() as url:
        setup = replace(plainly(url), registry_host="localhost", registry_bind="127.0.0.1")
        assert judge(CHECKS["pull/stream"], setup)["verdict"] == "passed"


def test_target_that_does_not_come_is_not_testable() -> None:
    """A target whose connection fails may be behind a wall: that is no finding about pulls."""
    walled = hears(lambda fields: {**fields, "model": "127.0.0.1:1/n/m"}, "/api/pull")
    with serving(walled) as url:
        line = judge(CHECKS["pull/order"], plainly(url))
    assert (line["verdict"], "does not come" in line["reason"]) == ("not_testable", True)


def test_target_that_goes_astray_fails() -> None:
    """One that asks another registry than the name says is wrong."""
    astray = Answer(500, value={"error": "pull model manifest: lookup registry.ollama.ai: no"})
    lie = with_answers(lambda heard, one: astray if heard.path == "/api/pull" else one)
    with serving(lie) as url:
        assert judge(CHECKS["pull/order"], plainly(url))["verdict"] == "failed"


def test_target_without_transfer_does_not_offer_it() -> None:
    """501 to pull and push is a class that is absent."""
    none = Answer(501, value={"error": "not supported"})
    lie = Lie(say=lambda heard, one: none if heard.path in ("/api/pull", "/api/push") else one)
    with serving(lie) as url:
        setup = prepare(parse_address(url), None)
    assert "501" in setup.absent["transfer"]
    assert judge(CHECKS["pull/stream"], setup)["verdict"] == "not_offered"
