"""What a file must be to be read, and what a reader is told when it is not."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..documents import Run, Summary
from ..fields import DocumentError
from ..read import read
from ..samples import Samples
from . import examples


def lines(*records: examples.Record) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def refusal(path: Path, text: str | bytes) -> str:
    """The sentence with which that text is refused."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DocumentError) as caught:
        read(path)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["run", "samples"])
def test_example_lines_are_valid_by_their_schema(kind: str) -> None:
    """The documents that these tests render are such as the other rooms may write."""
    schema = json.loads((examples.SCHEMAS / f"{kind}.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    records = examples.run_records() if kind == "run" else examples.samples_records(each=2)
    for record in records:
        validator.validate(record)


def test_example_summary_is_valid_by_its_schema() -> None:
    """The same for the summary."""
    schema = json.loads((examples.SCHEMAS / "summary.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(examples.summary_record())


def test_documents_are_told_apart_by_content(tmp_path: Path) -> None:
    """Names do not matter: all three come from files of the same strange name."""
    run = examples.write_lines(tmp_path / "a", examples.run_records())
    samples = examples.write_lines(tmp_path / "b", examples.samples_records(each=1))
    summary = examples.write_json(tmp_path / "c", examples.summary_record())
    assert [type(read(path)) for path in (run, samples, summary)] == [Run, Samples, Summary]


def test_summary_on_one_line_is_read(tmp_path: Path) -> None:
    """A summary need not be indented."""
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(examples.summary_record()))
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


def test_samples_without_footer_are_refused(tmp_path: Path) -> None:
    """The same for samples."""
    assert "has no footer" in refusal(
        tmp_path / "s", lines(*examples.samples_of(examples.sample())[:-1])
    )


def test_header_alone_is_refused(tmp_path: Path) -> None:
    """A run that is still going on has only its header."""
    assert "has no footer" in refusal(tmp_path / "r", lines(examples.run_records()[0]))


def test_lost_verdict_is_refused(tmp_path: Path) -> None:
    """The footer's counts show a line that is missing in the middle."""
    records = examples.run_records()
    del records[3]
    assert "lines were lost" in refusal(tmp_path / "r", lines(*records))


def test_lost_sample_is_refused(tmp_path: Path) -> None:
    """So does the footer's number of samples."""
    records = examples.samples_of(examples.sample(), examples.sample(request=1))
    del records[1]
    assert "lines were lost" in refusal(tmp_path / "s", lines(*records))


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
    "changed",
    [
        {"arrivals": 5},
        {"arrivals": [[]]},
        {"arrivals": [["soon", 1, 1]]},
        {"point": "0"},
        {"sent_ns": None},
    ],
)
def test_garbled_sample_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    """A sample is read by hand, for speed, and refused as everything else is."""
    records = examples.samples_of(examples.sample(**changed))
    assert "line 2" in refusal(tmp_path / "s", lines(*records))


WHOLE = lines(*examples.run_records([examples.verdict("core/é", "MUST", "A — sentence.")]))
WHOLE_SAMPLES = lines(*examples.samples_of(examples.sample(), examples.sample(request=1)))
WHOLE_SUMMARY = json.dumps(examples.summary_record(), indent=1) + "\n"


@pytest.mark.parametrize(
    "whole", [WHOLE, WHOLE_SAMPLES, WHOLE_SUMMARY], ids=["run", "samples", "summary"]
)
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


def test_hundred_thousand_requests_are_read_in_bounded_memory_and_time(tmp_path: Path) -> None:
    """A long run is counted while it streams by; 5 s of a processor are the limit."""
    arrivals = [[51_000_000 + 20_000_000 * k, 4, 1] for k in range(16)]
    line = json.dumps(examples.sample(arrivals=arrivals)) + "\n"
    header, footer = examples.samples_of()
    path = tmp_path / "samples.jsonl"
    with path.open("w") as file:
        file.write(json.dumps(header) + "\n")
        file.writelines(line for _ in range(100_000))
        file.write(json.dumps({**footer, "samples": 100_000}) + "\n")
    begun = time.process_time()
    samples = read(path)
    took_s = time.process_time() - begun
    assert isinstance(samples, Samples)
    assert samples.points[0].itl.n == 1_500_000
    assert len(samples.points[0].itl.counts) == 1  # kept by value, not by request
    assert took_s < 5
