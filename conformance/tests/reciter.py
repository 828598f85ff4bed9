"""The scripted model without an engine: templates, tokens, sampling, as far as checks look."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from ..arithmetic import Sampling, chances, load_logits
from ..evidence import Json
from ..script import Recital, Script
from .forms import Form
from .gorender import rendered
from .shelf import uncommented

RIVALS = tuple((mark, -7.0 - n) for n, mark in enumerate("?!,;:-+"))
LOST = "I have lost my place."
PATIENCE = 1500  # tokens; an endless answer ends there, so that nobody waits for its making
CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
THOUGHT = re.compile(r"<think>\s*(.*?)(?:</think>\s*|$)", re.DOTALL)


def render(
    template: str,
    script: Script,
    messages: list[dict[str, Any]],
    tools: Json,
    think: Json,
    flaw: str = "",
) -> str:
    """What the template makes of a conversation. Raises BadTemplate."""
    template = uncommented(template)
    if template not in (script.template, script.plain_template):
        return rendered(template, messages, tools, think, flaw)
    full = template == script.template
    system = "\n\n".join(one["content"] for one in messages if one["role"] == "system")
    names = " ".join(tool["function"]["name"] for tool in tools or ()) if full else ""
    offered = f"Tools: {names}" if names else ""
    head = "\n\n".join(part for part in (system, offered) if part)
    turns = [f"<|system|>\n{head}<|end|>\n"] if head else []
    turns += [_turn(one, full) for one in messages if one["role"] in ("user", "assistant", "tool")]
    silent = think is False and "IsThinkSet" in template
    tail = "<think>\n\n</think>\n\n" if full and silent else ""
    return f"{''.join(turns)}<|assistant|>\n{tail}"


def _turn(message: dict[str, Any], full: bool) -> str:
    role, content = message["role"], message["content"]
    if role == "tool":
        return f"<|tool|>\n{message.get('tool_name') or ''}: {content}<|end|>\n" if full else ""
    thinking = f"<think>\n{message['thinking']}</think>\n\n" if message.get("thinking") else ""
    calls = "".join(
        f'<tool_call>{{"name": "{one["function"]["name"]}", "arguments": '
        f"{json.dumps(one['function']['arguments'], separators=(',', ':'))}}}</tool_call>"
        for one in message.get("tool_calls") or ()
    )
    return f"<|{role}|>\n{thinking if full else ''}{content}{calls if full else ''}<|end|>\n"


@dataclass(frozen=True)
class Token:
    """A generated token: its text (none for a part of a character), and its probabilities."""

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...]


@dataclass
class Spoken:
    """An answer: its tokens, why it ended, and how many tokens were counted."""

    tokens: list[Token]
    reason: str
    prompt_tokens: int
    output_tokens: int


class Reciter:
    """Answers prompts by the script."""

    def __init__(self, script: Script, *, truncates: bool = True) -> None:
        self.script = script
        self.truncates = truncates
        self.known = {one.prompt: one for one in script.recitals.values()}
        self.drawn = {one.prompt: one for one in script.distributions.values()}
        self.computed = {one.prompt: one for one in load_logits().values()}

    def refuses(self, prompt: str, given: dict[str, Any], window: int) -> bool:
        """Whether a prompt is too long, and nothing may be cut from it."""
        return self.count(prompt) > window and False in (given["shift"], given["truncate"])

    def count(self, prompt: str) -> int:
        """How many tokens a prompt has: the script's count, else a guess."""
        known = self.known.get(prompt) or self.drawn.get(prompt)
        return known.prompt_tokens if known else len(prompt) // 3 + 1

    def say(
        self, prompt: str, options: dict[str, Any], shift: bool, form: Form | None = None
    ) -> Spoken:
        """Generate, within num_predict and the window, in the form that was asked for."""
        window = min(options["num_ctx"], self.script.context_length)
        if options["repeat_last_n"] < 0:
            options = {**options, "repeat_last_n": window}
        prompt_tokens = self.count(prompt)
        if prompt_tokens >= window and self.truncates:
            kept = window - 1 if options["num_keep"] < 0 else options["num_keep"] + 1
            prompt_tokens = window - max((window - min(kept, window - 1)) // 2, 1)
        tokens, ends = self._tokens(prompt, options)
        if form is not None:
            said = "".join(token.text for token in tokens)
            text = form.of(said)
            if text.isdigit() and said.isalpha() and options["temperature"] > 0:
                text = str(ord(said[0]) % 10)  # what was drawn of ten letters, as a digit
            if text != said:
                tokens, ends = _split(text, len(text) // 2 or 1), True
        bound = options["num_predict"] if options["num_predict"] > 0 else PATIENCE
        bound = min(bound, 10 * window)
        if not shift:
            bound = min(bound, window - prompt_tokens)
        kept = tokens[:bound] if ends or bound <= len(tokens) else _repeated(tokens, bound)
        cut = bound <= len(kept) and (not ends or len(kept) <= len(tokens))
        counted = len(kept) + (0 if cut else 1)
        return Spoken(kept, "length" if cut else "stop", prompt_tokens, counted)

    def _tokens(self, prompt: str, options: dict[str, Any]) -> tuple[list[Token], bool]:
        """All tokens of the answer, and whether it ends by itself."""
        if prompt in self.computed:
            return [self._compute(prompt, options)], True
        if prompt in self.drawn:
            return [self._draw(prompt, options)], True
        recital = self.known.get(prompt) or self._begun(prompt)
        if recital is None:
            return _split(LOST, 10), True
        text, count = recital.output, recital.output_tokens - recital.ends
        penalties = (options["presence_penalty"], options["frequency_penalty"])
        strong = max(*penalties, 4 * (options["repeat_penalty"] - 1)) > 10
        wide = options["frequency_penalty"] >= 1 and options["repeat_last_n"] > 64
        if (strong and options["repeat_last_n"]) or (wide and not recital.ends):
            return _split("the w", 2), True
        return _split(text, count), recital.ends

    def _begun(self, prompt: str) -> Recital | None:
        """The rest of a recital whose beginning stands in the prompt."""
        for one in self.known.values():
            whole = one.prompt + one.output
            if prompt.startswith(one.prompt) and whole.startswith(prompt):
                left = whole.removeprefix(prompt)
                count = max(1, one.output_tokens * len(left) // len(one.output))
                return replace(one, output=left, output_tokens=count)
        return None

    def _compute(self, prompt: str, options: dict[str, Any]) -> Token:
        """A token by arithmetic on raw logits; `~` for the many that have no name."""
        given = Sampling(**{field.name: options[field.name] for field in fields(Sampling)})
        found = chances(self.computed[prompt], given)
        seed = options["seed"] if options["seed"] not in (None, -1) else None
        text = random.Random(seed).choices(list(found), list(found.values()))[0]
        known = chances(self.computed[prompt], Sampling())
        top = tuple((token, math.log(chance)) for token, chance in known.items() if token)
        return Token(text or "~", math.log(known[text]), top)

    def _draw(self, prompt: str, options: dict[str, Any]) -> Token:
        known = self.drawn[prompt].probabilities
        kept = list(known)
        if options["top_k"] > 0:
            kept = kept[: options["top_k"]]
        kept = _typical(kept, options["typical_p"])
        kept = _nucleus(kept, options["top_p"])
        kept = [one for one in kept if one[1] >= options["min_p"] * kept[0][1]]
        if options["temperature"] <= 0:
            text = kept[0][0]
        else:
            weights = [probability ** (1 / options["temperature"]) for _, probability in kept]
            seed = options["seed"] if options["seed"] not in (None, -1) else None
            text = random.Random(seed).choices([one for one, _ in kept], weights)[0]
        top = tuple((token, math.log(probability)) for token, probability in known)
        return Token(text, math.log(dict(known)[text]), top)


def _nucleus(kept: list[tuple[str, float]], p: float) -> list[tuple[str, float]]:
    total, chosen, mass = sum(one for _, one in kept), [], 0.0
    for token in kept:
        chosen.append(token)
        mass += token[1] / total
        if mass >= p:
            break
    return chosen


def _typical(kept: list[tuple[str, float]], p: float) -> list[tuple[str, float]]:
    if p >= 1:
        return kept
    entropy = -sum(one * math.log(one) for _, one in kept)
    ordered = sorted(kept, key=lambda token: abs(-math.log(token[1]) - entropy))
    return sorted(_nucleus(ordered, p), key=lambda token: -token[1])


def _split(text: str, count: int) -> list[Token]:
    """The text in so many tokens; where there are more tokens than characters, some are empty."""
    feeds = text[: len(text) - len(text.lstrip("\n"))]
    if feeds and count > 1:  # they are a token of their own
        return [*_split(feeds, 1), *_split(text.removeprefix(feeds), count - 1)]
    size = len(text)
    pieces = [text[size * n // count : size * (n + 1) // count] for n in range(count)]
    return [Token(piece, -0.001, ((piece, -0.001), *RIVALS)) for piece in pieces]


def _repeated(tokens: list[Token], count: int) -> list[Token]:
    return [tokens[n % len(tokens)] for n in range(count)]


def stopped(tokens: list[Token], stops: list[str]) -> tuple[list[Token], bool]:
    """The tokens before the first stop string, the last one cut; and whether there was one."""
    text = "".join(token.text for token in tokens)
    places = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    if not places:
        return tokens, False
    kept, size = [], 0
    for token in tokens:
        if size >= min(places):
            break
        kept.append(Token(token.text[: min(places) - size], token.logprob, token.top))
        size += len(token.text)
    return kept, True


def made_until(tokens: list[Token], stops: list[str]) -> int:
    """How many tokens were made when the first stop string was whole."""
    text = ""
    for number, token in enumerate(tokens, 1):
        text += token.text
        if any(stop and stop in text for stop in stops):
            return number
    return len(tokens)


@dataclass(frozen=True)
class Part:
    """What one token adds to a message."""

    content: str = ""
    thinking: str = ""
    calls: tuple[dict[str, Any], ...] = ()


def parts(tokens: list[Token], thinking: bool, tools: Sequence[dict[str, Any]]) -> list[Part]:
    """What each token adds: thinking and tool calls are told from content by their markup."""
    text = "".join(token.text for token in tokens)
    names = [(one.get("function") or {}).get("name") for one in tools]
    if tools and (bare := _bare_call(text, names)):
        return [*(Part() for _ in tokens[1:]), Part(calls=(bare,))]
    thought = THOUGHT.match(text) if thinking else None
    inner = thought.span(1) if thought else (0, 0)
    begin = thought.end() if thought else 0
    if thinking and begin == len(text):  # what may be a tag is withheld, and here it is the end
        inner = (inner[0], inner[1] - _begun(text[: inner[1]], "</think>"))
    elif thinking and not thought and _begun(text, "<think>") == len(text.lstrip()):
        begin = len(text)
    found = list(CALL.finditer(text, begin)) if tools else []
    calls = [one for one in found if json.loads(one[1])["name"] in names]
    cut = text.find("<tool_call>", calls[-1].end() if calls else begin) if tools else -1
    made, at = [], 0
    for token in tokens:
        end = at + len(token.text)
        content = "".join(
            text[place]
            for place in range(max(at, begin), end if cut < 0 else min(cut, end))
            if not any(call.start() <= place < call.end() for call in calls)
        )
        ended = tuple(_call(one, n) for n, one in enumerate(calls) if at < one.end() <= end)
        made.append(Part(content, text[max(at, inner[0]) : min(end, inner[1])], ended))
        at = end
    return made


def _begun(text: str, tag: str) -> int:
    """How many characters at the end of a text are the beginning of a tag."""
    return next((n for n in range(len(tag) - 1, 0, -1) if text.endswith(tag[:n])), 0)


def _bare_call(text: str, names: Sequence[str | None]) -> dict[str, Any] | None:
    """The call that a text of nothing but JSON is."""
    try:
        call = json.loads(text)
    except ValueError:
        return None
    known = isinstance(call, dict) and "arguments" in call and call.get("name") in names
    return _numbered(call, 0) if known else None


def _call(found: re.Match[str], index: int) -> dict[str, Any]:
    return _numbered(json.loads(found[1]), index)


def _numbered(call: dict[str, Any], index: int) -> dict[str, Any]:
    return {
        "id": f"call_{index:08}",
        "function": {"index": index, "name": call["name"], "arguments": call["arguments"]},
    }
