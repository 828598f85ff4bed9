"""A model's capabilities follow from its template, its weights and its config."""

import pytest

from ..capabilities import capabilities, prefers_chat_template
from ..template import Template

LLAMA: dict[str, object] = {"general.architecture": "llama"}
THINKS = "{{ range .Messages }}<think>{{ .Thinking }}</think>{{ end }}"
ROUND_TRIP = '{{ .Tools }}{{ range .ToolCalls }}{{ end }}{{ if eq .Role "tool" }}{{ end }}'
JINJA_TOOLS = "{{ tools }}"
JINJA_ROUND_TRIP = "{{ tools }}{{ message.tool_calls }}<tool_response>"


def of(go: str | None, chat: str | None = None, *keys: str) -> set[str]:
    """The capabilities of a llama model with these templates and metadata keys."""
    template = None if go is None else Template.parse(go)
    return set(capabilities(LLAMA | dict.fromkeys(keys, 1), template, chat))


@pytest.mark.parametrize(
    ("template", "extra"),
    [
        ("{{ .Prompt }}", set()),
        ("{{ .Tools }}{{ .Messages }}", {"tools"}),
        ("{{ .Prompt }}{{ .Suffix }}", {"insert"}),
        (THINKS, {"thinking"}),
    ],
)
def test_go_template_adds_what_it_uses(template: str, extra: set[str]) -> None:
    """Besides completion, which every model without pooling has."""
    assert of(template) == {"completion"} | extra


def test_chat_template_counts_where_there_is_no_other() -> None:
    """Signs in its text are enough."""
    assert of(None, "{{ tools }}<think></think>") == {"completion", "tools", "thinking"}


def test_pooling_makes_an_embedding_model() -> None:
    """It does not complete."""
    assert of(None, None, "llama.pooling_type") == {"embedding"}


def test_senses_follow_from_the_metadata() -> None:
    """Blocks of an encoder, or a projector beside the weights."""
    seen = of(None, None, "llama.vision.block_count", "llama.audio.block_count")
    projected = capabilities(LLAMA, None, None, has_projector=True)
    assert (seen, set(projected)) == ({"completion", "vision", "audio"}, {"completion", "vision"})


def test_listed_capabilities_come_first_and_once() -> None:
    """The config's list is merged with what is found."""
    assert capabilities(LLAMA, None, None, listed=["tools", "completion"]) == (
        "tools",
        "completion",
    )


def test_gpt_oss_thinks() -> None:
    """Whatever its template says."""
    assert "thinking" in capabilities({}, None, None, family="gptoss")


@pytest.mark.parametrize(
    ("go", "chat", "preferred"),
    [
        (None, "{{ messages }}", True),
        ("{{ .Prompt }}", None, False),
        ("{{ .Prompt }}", "{{ messages }}", False),
        ("{{ .Prompt }}", JINJA_TOOLS, True),
        (ROUND_TRIP, JINJA_TOOLS + "<think></think>", False),
        (ROUND_TRIP, JINJA_ROUND_TRIP + "<think></think>", True),
        ("{{ .Tools }}", JINJA_ROUND_TRIP, True),
        (ROUND_TRIP, JINJA_ROUND_TRIP, False),
        ("{{ .Tools }}{{ .Suffix }}", JINJA_TOOLS, False),
    ],
)
def test_more_capable_template_is_used(go: str | None, chat: str | None, preferred: bool) -> None:
    """A chat template that loses the results of tools never wins over one that keeps them."""
    template = None if go is None else Template.parse(go)
    assert prefers_chat_template(template, chat) is preferred
