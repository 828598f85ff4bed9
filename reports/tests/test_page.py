"""What is on a page, and what must never be."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from ..page import render
from ..read import Document, read
from . import bench_examples, examples
from .example_checks import FINDINGS

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'><b>{{ 7*7 }}</b>"


class Elements(HTMLParser):
    """The elements of a page as a browser sees them, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.shown: list[str] = []  # blanks between elements, no style and no script
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.found[-1:] and self.found[-1][0] not in ("style", "script"):
            self.shown += [" ", data]

    def count(self, tag: str, **attributes: str) -> int:
        return sum(
            name == tag and all(had.get(key) == wanted for key, wanted in attributes.items())
            for name, had in self.found
        )


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Document]:
    """One of each, valid by their schemas."""
    folder = tmp_path_factory.mktemp("documents")
    return {
        "run": read(examples.write_lines(folder / "run", examples.run_records())),
        "summary": read(examples.write_json(folder / "summary", bench_examples.summary())),
    }


def page_of_run(path: Path, judged: list[examples.Record], **target: object) -> str:
    return render(
        [read(examples.write_lines(path / "run", examples.run_records(judged, **target)))]
    )


def words_of(page: str) -> str:
    return " ".join("".join(Elements(page).shown).split())


def test_page_loads_nothing_from_elsewhere(documents: dict[str, Document]) -> None:
    """Every reference is a place on the page itself."""
    elements = Elements(render(list(documents.values())))
    for tag, attributes in elements.found:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "audio", "video")
        assert not {"src", "srcset", "action", "data", "style"} & attributes.keys()
        assert (attributes.get("href") or "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)


def test_style_loads_nothing_from_elsewhere(documents: dict[str, Document]) -> None:
    """Neither fonts nor pictures."""
    style = render([documents["run"]]).split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_policy_forbids_everything_but_our_own(documents: dict[str, Document]) -> None:
    """A browser runs the one script and the one style whose hashes the page names."""
    page = render([documents["run"]])
    (policy,) = [a["content"] for t, a in Elements(page).found if t == "meta" and "http-equiv" in a]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_page_is_light(documents: dict[str, Document]) -> None:
    """Seventy verdicts and a bench fit in what a mail takes."""
    assert len(render(list(documents.values())).encode()) < 250_000


@pytest.mark.parametrize(
    "field", ["id", "title", "class", "reason", "curl", "source", "expected", "actual"]
)
def test_text_of_a_verdict_is_never_markup(tmp_path: Path, field: str) -> None:
    """Whatever a server puts into an answer, the page has the same elements and shows the text."""
    calm = examples.verdict(
        "core/a", "MUST", "A.", verdict="failed", expected="x", actual="x", reason="x", curl="x"
    )
    plain = Elements(page_of_run(tmp_path, [{**calm, field: "harmless"}]))
    evil = Elements(page_of_run(tmp_path, [{**calm, field: EVIL}]))
    assert [tag for tag, _ in evil.found] == [tag for tag, _ in plain.found]
    assert EVIL in evil.text


@pytest.mark.parametrize("field", ["url", "version", "server", "model"])
def test_text_of_a_target_is_never_markup(tmp_path: Path, field: str) -> None:
    """A model may be named anything."""
    elements = Elements(page_of_run(tmp_path, [], **{field: EVIL}))
    assert elements.count("script") == 1
    assert EVIL in elements.text


def test_evidence_is_never_markup(tmp_path: Path) -> None:
    """Bodies, headers and paths come from the wire."""
    exchange = examples.exchange(
        method=EVIL, path=EVIL, request=EVIL, headers=[[EVIL, EVIL]], body=EVIL, error=EVIL
    )
    judged = examples.verdict(
        "core/a", "MUST", "A.", verdict="failed", evidence=[exchange], breaks=[EVIL], covers=[EVIL]
    )
    elements = Elements(page_of_run(tmp_path, [judged]))
    assert (elements.count("script"), elements.count("img"), elements.count("b")) == (1, 0, 0)
    assert elements.text.count(EVIL) >= 9


def test_backticks_of_a_sentence_are_code(tmp_path: Path) -> None:
    """And what is between them is text all the same."""
    page = page_of_run(tmp_path, [examples.verdict("core/a", "MUST", "Of `<b>` and `top_k`.")])
    assert "Of <code>&lt;b&gt;</code> and <code>top_k</code>." in page


def test_lone_backtick_is_itself(tmp_path: Path) -> None:
    """It opens nothing."""
    assert "a ` b" in page_of_run(tmp_path, [examples.verdict("core/a", "MUST", "a ` b")])


def test_hidden_characters_are_written_out(tmp_path: Path) -> None:
    """A name that turns the reading order around does not, and a lone surrogate does not fail."""
    page = page_of_run(tmp_path, [], model="a\u202eb\x00c")
    assert "a\\u202eb\\u0000c" in page


def test_lone_surrogate_does_not_stop_the_page(tmp_path: Path) -> None:
    """A server may send half a character as an escape, and the document keep it."""
    judged = examples.verdict("core/a", "MUST", "A.", verdict="failed", actual="@", expected="x")
    path = tmp_path / "run"
    examples.write_lines(path, examples.run_records([judged]))
    path.write_text(path.read_text().replace('"@"', '"\\ud83d"'))
    assert "\\ud83d" in render([read(path)]).encode().decode()


def test_run_shows_headline_sentence_and_machine(documents: dict[str, Document]) -> None:
    """The answer comes first."""
    text = words_of(render([documents["run"]]))
    assert "32/37 of 40 MUST (3 not offered)" in text
    assert "4 MUST and 1 SHOULD failed. 4 clients would break." in text
    assert "AMD EPYC 7B13, 2 cores, 8.00 GiB" in text


def test_each_finding_has_a_card(documents: dict[str, Document]) -> None:
    """With an anchor that the clients table leads to."""
    elements = Elements(render([documents["run"]]))
    cards = [attributes["id"] for tag, attributes in elements.found if tag == "article"]
    assert len(cards) == len(FINDINGS)
    links = {a["href"] for t, a in elements.found if t == "a" and a.get("class") == "id"}
    assert links == {f"#{card}" for card in cards}


def test_failed_must_comes_before_failed_should(documents: dict[str, Document]) -> None:
    """What breaks most is read first."""
    elements = Elements(render([documents["run"]]))
    cards = [attributes["class"] for tag, attributes in elements.found if tag == "article"]
    assert cards == ["finding failed"] * 4 + [
        "finding not_testable",
        "finding unstable",
        "finding errored",
    ]


def test_every_verdict_is_listed(documents: dict[str, Document]) -> None:
    """Passed ones too."""
    elements = Elements(render([documents["run"]]))
    assert sum("data-outcome" in attributes for _, attributes in elements.found) == len(
        examples.verdicts()
    )


def test_class_table_counts_by_level(documents: dict[str, Document]) -> None:
    """Passed of judged, and what else there is."""
    assert "core 9/10 ✗ 1 failed 2/2" in words_of(render([documents["run"]]))


def test_class_that_is_not_offered_is_not_counted_as_wrong(documents: dict[str, Document]) -> None:
    """It has no ratio at all."""
    assert "openai – 2 not offered" in words_of(render([documents["run"]]))


def test_client_that_nothing_was_judged_for_is_not_known(documents: dict[str, Document]) -> None:
    """Neither works nor breaks."""
    told = words_of(render([documents["run"]]))
    assert "Not known, since what they need was not judged: LlamaIndex." in told


def test_client_whose_needs_are_not_offered_is_told(tmp_path: Path) -> None:
    """With those that lack the same, and what it is."""
    lacking = {"works": None, "verdict": "not_offered", "lacks": ["openai"], "failed": []}
    clients = [{"client": name, **lacking, "by_class": {"openai": "not_offered"}}
               for name in ("Codex", "Zed")]  # fmt: skip
    page = footed(tmp_path, [examples.verdict("core/a", "MUST", "A.")], clients=clients)
    assert "Not offered what they need: Codex, Zed (openai)." in words_of(page)


def test_run_without_failures_says_so(tmp_path: Path) -> None:
    """In words, with a green badge."""
    page = page_of_run(tmp_path, [examples.verdict("core/a", "MUST", "A.")])
    assert "Nothing failed." in words_of(page)
    assert '<p class="badge good">' in page


def test_empty_run_says_so(tmp_path: Path) -> None:
    """A selection that chose nothing proves nothing."""
    page = page_of_run(tmp_path, [])
    assert "Nothing was judged." in words_of(page)
    assert '<p class="badge good">' not in page


def test_interrupted_run_says_so(tmp_path: Path) -> None:
    """It has a footer, but not all checks."""
    records = examples.run_records()
    records[-1]["interrupted"] = True
    page = render([read(examples.write_lines(tmp_path / "run", records))])
    assert "Interrupted." in words_of(page)
    assert '<p class="badge doubtful">' in page


def test_only_one_script_however_many_documents(documents: dict[str, Document]) -> None:
    """Sections share style and script."""
    elements = Elements(render([documents["run"], documents["run"], documents["summary"]]))
    assert (elements.count("script"), elements.count("style")) == (1, 1)
    assert elements.count("section", **{"class": "report"}) == 3


def test_every_header_cell_has_a_scope(documents: dict[str, Document]) -> None:
    """Screen readers name each cell's row and column."""
    elements = Elements(render(list(documents.values())))
    assert all("scope" in attributes for tag, attributes in elements.found if tag == "th")


def footed(path: Path, judged: list[examples.Record], **footer: object) -> str:
    """The page of a run whose footer says more."""
    header, *rest = examples.run_records(judged)
    rest[-1] = {**rest[-1], **footer}
    named = {**header, "reference": {"name": "http://there", "version": "1"}}
    return render([read(examples.write_lines(path / "run", [named, *rest]))])


def failing(id: str, **changed: object) -> examples.Record:
    """A failed MUST."""
    return examples.verdict(id, "MUST", f"{id} holds.", verdict="failed", reason="r", **changed)


def test_findings_of_one_cause_are_told_once(tmp_path: Path) -> None:
    """The others are listed under it, each with a place of its own."""
    judged = [failing(id, expected="x", actual="y") for id in ("core/a", "core/b", "core/c")]
    page = footed(tmp_path, judged, causes=[["core/a", "core/c"]])
    elements = Elements(page)
    assert elements.count("article") == 2
    assert elements.count("li", id="s1-core/c") == 1
    assert "3, of 2 causes" in words_of(page)


def test_what_clients_do_is_told(tmp_path: Path) -> None:
    """Before those of which only the name is known."""
    does = [{"client": "Roo Code", "does": "rejects the whole list"}]
    page = footed(tmp_path, [failing("tags/a", consequences=does, breaks=["Roo Code", "Zed"])])
    assert "Roo Code rejects the whole list Zed" in words_of(page)


def test_known_failures_are_no_findings(tmp_path: Path) -> None:
    """The baseline's entries stand apart, with their reasons."""
    entry = {"id": "core/a", "reason": "issue 12", "expires": "2027-01-01"}
    weighed = {"known": [entry], "expired": [], "fixed": []}
    page = footed(tmp_path, [failing("core/a")], baseline=weighed)
    assert Elements(page).count("article") == 0
    assert "core/a issue 12 until 2027-01-01" in words_of(page)


def test_reference_stands_beside(tmp_path: Path) -> None:
    """Both outcomes, and both answers."""
    parting = {"request": {"method": "GET", "path": "/api/version"}, "reference": {"status": 200},
               "actual": {"status": 404}}  # fmt: skip
    beside = {"verdict": "passed", "partings": [parting], "parted": 1}
    page = footed(tmp_path, [failing("core/a", reference=beside)])
    told = words_of(page).partition("Beside there")[2]
    assert "1 request answered in another way" in told
    assert "GET /api/version" in told


def test_two_verdicts_stand_at_the_head(tmp_path: Path) -> None:
    """Clients, and Ollama."""
    same = {"verdict": False, "because": "1 MUST failed"}
    told = words_of(footed(tmp_path, [failing("core/a")], identical=same))
    assert "Not identical to Ollama 1 MUST failed" in told


def test_command_too_long_to_paste_is_cut(tmp_path: Path) -> None:
    """A page stays light whatever was sent."""
    page = footed(tmp_path, [failing("core/a", curl="curl " + "x" * 1_000_000)])
    assert len(page) < 200_000
