"""What a model's own chat template says of its answers is how they are read."""

from typing import Any

import pytest

from ..engine.sequence import Thought
from ..harmony import CLOSING, OPENING, SHOWN
from ..messages import Message, Think
from ..prompting import Prompting
from ..reading import Reading
from ..template import Template
from ..template.jinja import JinjaTemplate
from ..tools import Tool
from .conftest import Client, FakeEngine, Serve, ask, create, error, gguf, stream, upload

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object"}},
}
TOOLS = (Tool.decode(TOOL),)
TURNS = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}"
QWEN3 = (
    "{% if tools %}<tool_call>\n{'name': ...}\n</tool_call>{% endif %}" + TURNS + "<|im_start|>"
    "assistant\n{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
)
R1 = TURNS + "{# content.split('</think>')[-1] #}<|Assistant|><think>\n"
GPT_OSS = (
    "{{ tools }}Reasoning: {{ reasoning_effort|default('medium') }}{% for m in messages %}"
    "<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endfor %}"
    "{# <|channel|>analysis #}<|start|>assistant"
)
CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'
HI = [{"role": "user", "content": "Hi"}]


def read(template: str, prompt: str = "", think: Think = True, tools: bool = True) -> Reading:
    """The reading of a model with this chat template."""
    prompting = Prompting(JinjaTemplate.parse(template))
    return Reading.of(prompting, prompt, think, TOOLS if tools else ())


async def start(serve: Serve, template: str, *, seed: str = "test") -> Client:
    """A server with the model `m`, whose weights bring a chat template."""
    client = await serve()
    weights = gguf(tensors=True, architecture=seed, tokenizer__chat_template=template)
    await create(client, files={"t.gguf": await upload(client, weights)})
    return client


async def said(client: Client, **fields: object) -> tuple[str, str, list[dict[str, Any]]]:
    """Thinking, content and calls, streamed and not."""
    _, answer = await ask(client, "/api/chat", model="m", messages=HI, stream=False, **fields)
    records = await stream(client, "/api/chat", model="m", messages=HI, **fields)
    messages = [record["message"] for record in records]
    one = answer["message"]
    told = (
        "".join(each.get("thinking", "") for each in messages),
        "".join(each["content"] for each in messages),
        [call["function"] for each in messages for call in each.get("tool_calls", [])],
    )
    calls = [call["function"] for call in one.get("tool_calls", [])]
    assert (one.get("thinking", ""), one["content"], calls) == told
    return told


async def test_qwen_3_thinks_answers_and_calls(serve: Serve, engine: FakeEngine) -> None:
    """In one answer: each part in its field, the text around the call kept (TOOL-022)."""
    client = await start(serve, QWEN3)
    engine.pieces = ("<think>\nHm", "m</thi", "nk>\n\nLook: ", CALL[:20], CALL[20:], " So.")
    call = {"index": 0, "name": "add", "arguments": {"a": 1}}
    assert await said(client, tools=[TOOL]) == ("Hmm", "Look:  So.", [call])
    assert "<think>\n\n</think>" not in await rendered(client)
    assert (await rendered(client, think=False)).endswith("<think>\n\n</think>\n\n")


async def test_answer_to_a_prompt_that_thinks_already(serve: Serve, engine: FakeEngine) -> None:
    """DeepSeek-R1's opens the tag; whoever wants no thoughts gets it all as content (THINK-009)."""
    client = await start(serve, R1)
    engine.pieces = ("Hm", "m\n</think>\n\nYes")
    assert await said(client) == ("Hmm\n", "Yes", [])
    assert await said(client, think=False) == ("", "Hmm\n</think>\n\nYes", [])


@pytest.mark.parametrize(
    ("think", "level"),
    [
        (None, "medium"),
        (True, "medium"),
        (False, "medium"),
        ("low", "low"),
        ("medium", "medium"),
        ("high", "high"),
        ("max", "high"),
    ],
)
async def test_levels_reach_gpt_oss(
    serve: Serve, engine: FakeEngine, think: Think, level: str
) -> None:
    """It knows three of them, and thinks in any case (THINK-007, THINK-011)."""
    client = await start(serve, GPT_OSS)
    engine.pieces = ("<|channel|>analysis<|message|>Hmm", CLOSING, "Yes")
    assert f"Reasoning: {level}<" in await rendered(client, think=think)
    assert await said(client, think=think) == ("Hmm", "Yes", [])


async def test_model_that_cannot_think_says_so(serve: Serve) -> None:
    """To a level as to true; false is what it does (THINK-004, THINK-005)."""
    client = await start(serve, TURNS)
    fields = {"model": "m", "messages": HI, "stream": False}
    for think in (True, "low"):
        status, message = await error(client, "/api/chat", **fields, think=think)
        assert (status, message) == (400, '"m" does not support thinking')
    assert (await ask(client, "/api/chat", **fields, think=False))[0] == 200


async def rendered(client: Client, **fields: object) -> str:
    """The prompt of a chat."""
    fields = {"model": "m", "messages": HI, "_debug_render_only": True} | fields
    _, answer = await ask(client, "/api/chat", **fields, stream=False)
    return str(answer["_debug_info"]["rendered_template"])


@pytest.mark.parametrize(
    ("template", "tools", "shown"),
    [
        (QWEN3, True, ("<think>", "</think>", "<tool_call>", "</tool_call>")),
        (QWEN3, False, ("<think>", "</think>")),
        (TURNS + "{{ tools }}", True, ()),
        ("[TOOL_CALLS]{{ tools }}", True, ("[TOOL_CALLS]", "[ARGS]", "[CALL_ID]")),
        (GPT_OSS, False, SHOWN),
    ],
)
def test_control_tokens_that_are_looked_for_are_shown(
    template: str, tools: bool, shown: tuple[str, ...]
) -> None:
    """And no others."""
    assert read(template, tools=tools).shown == shown


def test_go_templates_keep_ollamas_way() -> None:
    """Text behind their calls is dropped; of a tag in two parts the first may be a token."""
    go = "{{ range .Messages }}{{ if .ToolCalls }}[TOOL_CALLS][{{ end }}{{ end }}{{ .Tools }}"
    reading = Reading.of(Prompting(Template.parse(go)), "", None, TOOLS)
    assert (reading.calls, reading.shown) == ("[TOOL_CALLS][", ("[TOOL_CALLS]",))


def test_thought_before_a_constrained_answer_ends_where_the_answer_begins() -> None:
    """With gpt-oss in another channel; a prompt that began the answer leaves none."""
    assert read(GPT_OSS).thought == Thought(OPENING, CLOSING, inside=False)
    assert read(GPT_OSS, "<|start|>assistant<|channel|>final<|message|>").thought is None
    assert read(R1, "<think>\n").thought == Thought("<think>", "</think>", inside=True)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("[THINK]", "[/THINK]"),
        ("<seed:think>", "</seed:think>"),
        ("<|channel>thought", "<channel|>"),
    ],
)
def test_tags_of_thoughts_come_from_the_template(opening: str, closing: str) -> None:
    """Both have to be there."""
    assert JinjaTemplate.parse(opening + closing).thinking_tags == (opening, closing)
    assert JinjaTemplate.parse(opening).thinking_tags is None


def test_templates_learn_of_thinking_by_either_name() -> None:
    """DeepSeek's and others' know it as `thinking`, which is only set where there are thoughts."""
    template = JinjaTemplate.parse("{{ thinking }}")
    shown = [
        template.render([Message("user")], think=think) for think in (None, False, True, "low")
    ]
    assert shown == ["False", "False", "True", "True"]
