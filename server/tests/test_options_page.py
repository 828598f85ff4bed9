"""docs/options.md says what the code does."""

import re
from pathlib import Path

import pytest
import structlog

from ..decode import Json
from ..errors import ApiError
from ..notices import MAX_NAMES, Notices
from ..options import IDLE, KNOWN, Options, merge, without_effect

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "options.md").read_text("utf-8")
EFFECTIVE, IGNORED = (
    {row[0]: row for row in re.findall(r"^\| `(\w+)` \| ([^|]+?) \| (.*) \|$", part, re.MULTILINE)}
    for part in PAGE.partition("## Effective")[2].split("## Accepted and ignored")
)
SAMPLES: dict[str, list[Json]] = {
    "integer": [7],
    "float": [0.5],
    "boolean": [True, False],
    "array of strings": [["x"]],
    "any": [1, "x", None, [{}]],
}
WRONG: dict[str, Json] = {"integer": "1", "float": "1", "boolean": 1, "array of strings": "x"}


def merged(**options: Json) -> Options:
    """The options of a model that has none."""
    return merge({}, options, default_num_ctx=4096, max_num_ctx=8192)


def test_page_lists_every_option_once() -> None:
    """Those with a type that is checked, and the ones that are gone."""
    assert not EFFECTIVE.keys() & IGNORED.keys()
    typed = {name for name, (_, kind, _) in IGNORED.items() if kind != "any"}
    assert EFFECTIVE.keys() | typed == KNOWN
    assert typed == IDLE


@pytest.mark.parametrize("name", EFFECTIVE)
def test_effective_option_changes_what_the_engine_is_asked(name: str) -> None:
    """And no warning names it."""
    for sample in SAMPLES[EFFECTIVE[name][1]]:
        assert merged(**{name: sample}) != merged()
        assert without_effect({name: sample}) == []


@pytest.mark.parametrize("name", IGNORED)
def test_ignored_option_changes_nothing(name: str) -> None:
    """But it is accepted, and named in a warning unless it is null."""
    for sample in SAMPLES[IGNORED[name][1]]:
        assert merged(**{name: sample}) == merged()
        assert without_effect({name: sample}) == ([] if sample is None else [name])


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_wrong_type_is_refused_whatever_the_option_does(name: str) -> None:
    """With the type that the page gives."""
    kind = (EFFECTIVE | IGNORED)[name][1]
    with pytest.raises(ApiError, match=f'option "{name}" must be'):
        merged(**{name: WRONG[kind]})


@pytest.mark.parametrize("name", EFFECTIVE)
def test_page_names_the_values_that_are_refused(name: str) -> None:
    """Numbers out of range are taken for the nearest sensible ones, but for these."""
    if EFFECTIVE[name][1] not in ("integer", "float"):
        return
    refuses = not EFFECTIVE[name][2].endswith("|")
    for value in (0, -1):
        try:
            merged(**{name: value})
            assert not refuses
        except ApiError:
            assert refuses


def test_log_names_an_option_once() -> None:
    """However many requests have it, and however many names clients think of."""
    with structlog.testing.capture_logs() as logged:
        notices = Notices()
        for names in (["num_gpu", "tfs_z"], ["num_gpu"], ["num_gpu", "numa"]):
            notices.idle_options(names)
        for number in range(2 * MAX_NAMES):
            notices.idle_options([f"{number}"])
    assert [entry["options"] for entry in logged[:2]] == [["num_gpu", "tfs_z"], ["numa"]]
    assert sum(len(entry["options"]) for entry in logged) == MAX_NAMES
