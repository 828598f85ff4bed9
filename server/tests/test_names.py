"""Model names and references."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..errors import ApiError
from ..names import InvalidNameError, ModelName, Reference


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("m", "registry.ollama.ai/library/m:latest"),
        ("m:t", "registry.ollama.ai/library/m:t"),
        ("a/b", "registry.ollama.ai/a/b:latest"),
        ("h:5000/n/m", "h:5000/n/m:latest"),
        ("https://h/n/m:t", "h/n/m:t"),
    ],
)
def test_name_is_filled_up_with_the_defaults(text: str, full: str) -> None:
    """Parts that are not written have the default of the contract's grammar."""
    assert ModelName.parse(text).full == full


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "a b", "/x", "a:", "a/", "n//m", "//", "a/b/c/d", ".", "..", "a/../b", "../x"),
        *("m@sha256:00", "-m", "é", "a:b:c", "x" * 81, "n.s/m", "m\n", "m\x00"),
    ],
)
def test_name_outside_the_grammar_is_refused(text: str) -> None:
    """Empty parts, other characters and too many parts are no names."""
    with pytest.raises(InvalidNameError):
        ModelName.parse(text)


@pytest.mark.parametrize(
    ("text", "short"),
    [("m", "m:latest"), ("n/m", "n/m:latest"), ("h/library/m", "h/library/m:latest")],
)
def test_display_form_drops_the_defaults_but_the_tag(text: str, short: str) -> None:
    """Host and namespace are shown only where they are not the defaults."""
    assert ModelName.parse(text).short == short


@given(st.text(max_size=30))
def test_a_name_never_leaves_its_folder(text: str) -> None:
    """Whatever was parsed has no part that is a path or climbs one."""
    try:
        name = ModelName.parse(text)
    except InvalidNameError:
        return
    for part in (name.host, name.namespace, name.model, name.tag):
        assert part
        assert part not in (".", "..")
        assert not set(part) & set("/\\\0")


@given(st.from_regex(r"[a-z0-9]([a-z0-9/:._-]{0,12})", fullmatch=True))
def test_display_form_means_the_same_model(text: str) -> None:
    """Parsing the display form gives the name again."""
    try:
        name = ModelName.parse(text)
    except InvalidNameError:
        return
    assert ModelName.parse(name.short).folded == name.folded


@pytest.mark.parametrize(
    ("text", "short", "is_cloud"),
    [
        (" m ", "m:latest", False),
        ("m:local", "m:latest", False),
        ("m:cloud", "m:latest", True),
        ("m:20b-cloud", "m:20b", True),
        ("m:t:LOCAL", "m:t", False),
    ],
)
def test_source_marker_is_taken_off(text: str, short: str, is_cloud: bool) -> None:
    """`:local` and cloud markers say where a model runs and are no part of its name."""
    reference = Reference.parse(text)
    assert (reference.name.short, reference.is_cloud) == (short, is_cloud)


def test_two_source_markers_conflict() -> None:
    """A model cannot be local and in the cloud."""
    with pytest.raises(ApiError, match='not both: "m:cloud:local"'):
        Reference.parse("m:cloud:local")
