"""What a file must be to be read, and what a reader is told when it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..benches import Summary
from ..documents import Run
from ..fields import DocumentError
from ..read import read
from . import bench_examples, examples


def lines(*records: examples.Record) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def refusal(path: Path, text: str | bytes) -> str:
    """The sentence with which that text is refused."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DocumentError) as caught:
        read(path)
    return str(caught.value)


def test_example_lines_are_valid_by_their_schema() -> None:
    """The documents that these tests render are such as the other rooms may write."""
    schema = json.loads((examples.SCHEMAS / "run.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    for record in examples.run_records():
        validator.validate(record)


def test_example_summary_is_valid_by_its_schema() -> None:
    """The same for the summary."""
    schema = json.loads((examples.SCHEMAS / "summary.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(bench_examples.summary())


def test_documents_are_told_apart_by_content(tmp_path: Path) -> None:
    """Names do not matter: both come from files of strange names."""
    run = examples.write_lines(tmp_path / "a", examples.run_records())
    summary = examples.write_json(tmp_path / "c", bench_examples.summary())
    assert [type(read(path)) for path in (run, summary)] == [Run, Summary]


def test_raw_samples_are_refused_with_what_to_give_instead(tmp_path: Path) -> None:
    """Everything that a page shows is in the summary."""
    raw = {"kind": "header", "schema": "parallama/samples/2"}
    assert "give the summary.json beside it" in refusal(tmp_path / "s", lines(raw))


def test_summary_on_one_line_is_read(tmp_path: Path) -> None:
    """A summary need not be indented."""
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(bench_examples.summary()))
    assert isinstance(read(path), Summary)


def test_line_separators_inside_text_do_not_end_a_line(tmp_path: Path) -> None:
    """U+2028 and U+0085 written raw stay inside their record."""
    odd = examples.verdict("core/odd", "MUST", "a\u2028b\u0085c\x1dd")
    path = examples.write_lines(tmp_path / "run.jsonl", examples.run_records([odd]))
    run = read(path)
    assert isinstance(run, Run)
    assert run.verdicts[0].title == "a\u2028b\u0085c\x1dd"


def test_document_without_footer_is_refused(tmp_path: Path) -> None:
    """A run that was cut short must not look like a whole one."""
    assert "has no footer" in refusal(tmp_path / "r", lines(*examples.run_records()[:-1]))


def test_header_alone_is_refused(tmp_path: Path) -> None:
    """A run that is still going on has only its header."""
    assert "has no footer" in refusal(tmp_path / "r", lines(examples.run_records()[0]))


def test_lost_verdict_is_refused(tmp_path: Path) -> None:
    """The footer's counts show a line that is missing in the middle."""
    records = examples.run_records()
    del records[3]
    assert "lines were lost" in refusal(tmp_path / "r", lines(*records))


def test_record_after_the_footer_is_refused(tmp_path: Path) -> None:
    """Two runs in one file are no run."""
    assert "after its footer" in refusal(tmp_path / "r", lines(*examples.run_records([]) * 2))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """The sentence names the file and the reason."""
    with pytest.raises(DocumentError, match=r"none\.jsonl: cannot be read: No such file"):
        read(tmp_path / "none.jsonl")


def test_folder_is_refused(tmp_path: Path) -> None:
    """A folder is not a document."""
    with pytest.raises(DocumentError, match="cannot be read"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"GGUF\x03\x00\xff\xfe", "is not UTF-8"),
        (b"hello", "is neither a JSON object"),
        (b"[1, 2]", "is neither a JSON object"),
        (b"{}", "it names no schema"),
        (b'{"schema": "parallama/run/9", "kind": "header"}\n', "parallama/run/9"),
        (b'{"schema": "parallama/summary/9"}', "parallama/summary/9"),
        (b'{"schema": NaN}', "NaN is not JSON"),
        (b'{"a":' + b"[" * 100_000, "nested too deep"),
    ],
)
def test_garbled_file_is_refused_with_what_is_wrong(tmp_path: Path, text: bytes, said: str) -> None:
    """Whatever it is, the answer is a sentence."""
    assert said in refusal(tmp_path / "x", text)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"id": 5}, "line 2: 'id' should be a string, but is a number"),
        ({"level": "WOULD"}, "'level' is 'WOULD', not one of MUST"),
        ({"verdict": "fine"}, "'verdict' is 'fine'"),
        ({"covers": [1]}, "'covers' should be a list of strings"),
        ({"duration_ms": True}, "'duration_ms' should be a number"),
        ({"duration_ms": 10**400}, "'duration_ms' is not a finite number"),
        ({"evidence": [{}]}, "evidence[0]: there is no 'headers'"),
        ({"evidence": [examples.exchange(pieces=[[1]])]}, "list of pairs"),
        ({"kind": "remark"}, "'remark' is no kind of record"),
    ],
)
def test_garbled_verdict_is_refused_by_line_and_name(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    """The sentence leads to the line and the field."""
    records = examples.run_records([examples.verdict("core/a", "MUST", "A.")])
    records[1].update(changed)
    assert said in refusal(tmp_path / "r", lines(*records))


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("points", 0, "requests"), "many", "'requests' should be a number"),
        (("points", 0, "ttft_ms", "p50"), "soon", "'p50' should be a number"),
        (("points", 0, "ttft_ms", "intervals", "p50"), [1], "a list of 2 numbers"),
        (("charts", "flow", "in_flight"), [1, "two"], "a list of numbers"),
        (("charts", "curves", 0, "ttft_ms"), [[1.0]], "a list of 2 numbers"),
        (("charts", "flow", "tokens_per_s"), [10**400], "not finite"),
        (("arms",), [], "at least one server"),
        (("comparisons",), [{}], "'metric'"),
    ],
)
def test_garbled_summary_is_refused_by_name(
    tmp_path: Path, place: tuple[str | int, ...], value: object, said: str
) -> None:
    """With the place and what should stand there."""
    record: Any = bench_examples.summary()
    inside = record
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = value
    assert said in refusal(tmp_path / "s", json.dumps(record))


WHOLE = lines(*examples.run_records([examples.verdict("core/é", "MUST", "A — sentence.")]))
WHOLE_SUMMARY = (
    json.dumps(bench_examples.summary(bench_examples.ladder((1, 2), 1)), indent=1) + "\n"
)


@pytest.mark.parametrize("whole", [WHOLE, WHOLE_SUMMARY], ids=["run", "summary"])
@given(share=st.floats(0, 1))
@settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_truncated_document_is_refused_wherever_it_ends(
    tmp_path: Path, whole: str, share: float
) -> None:
    """No cut leaves a document that is rendered as if it were whole."""
    encoded = whole.encode()
    end = int(share * (len(encoded) - 2))  # the last byte is a newline, which may be missing
    assert refusal(tmp_path / "x", encoded[:end])


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_are_refused_with_a_sentence(tmp_path: Path, text: bytes) -> None:
    """Nothing but `DocumentError` comes out of a file that is not ours."""
    assert refusal(tmp_path / "x", text).endswith(".")
