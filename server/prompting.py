"""Which template a model renders with, and what it can do with it.

The Go template of the model, or the chat template that came with the weights where there is no
other or `capabilities` prefers it, else the prompt alone (SHOW-06, SHOW-20).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from . import harmony
from .capabilities import capabilities, prefers_chat_template
from .decode import Json
from .errors import ApiError
from .installed import InstalledModel
from .messages import Message, Think
from .template import DEFAULT, Template
from .template.jinja import JinjaTemplate
from .tool_formats import ToolFormat, format_of
from .tools import Tool


@dataclass(frozen=True, slots=True)
class Prompting:
    """A model's template, ready to render."""

    template: Template | JinjaTemplate
    tool_parser: str | None = None
    """The way of writing calls that the tokenizer's config declares."""
    added_tokens: tuple[str, ...] = ()

    @property
    def is_harmony(self) -> bool:
        """Whether the model speaks in the channels of gpt-oss."""
        return harmony.is_taught_by(self.template.text)

    @property
    def tool_format(self) -> ToolFormat | None:
        """How the model writes calls; None where Ollama's way of finding them has to do."""
        if isinstance(self.template, Template):
            return None
        return format_of(self.template.text, self.tool_parser, self.added_tokens)

    @property
    def thinking_tags(self) -> tuple[str, str] | None:
        """The texts around a thought, None where the template shows no thoughts."""
        return self.template.thinking_tags

    @property
    def tool_tag(self) -> str:
        """The text with which the model begins tool calls."""
        return self.template.tool_tag

    def render(self, messages: Sequence[Message], tools: Sequence[Tool], think: Think) -> str:
        """The prompt for a conversation."""
        if self.is_harmony:
            messages, tools = harmony.respelled(messages, tools)
            think = "high" if think == "max" else think  # THINK-011
        return self.template.render(messages, tools, think)

    def render_insert(self, prompt: str, suffix: str, think: Think) -> str:
        """The prompt for text between `prompt` and `suffix`."""
        if isinstance(self.template, JinjaTemplate):
            raise ApiError(400, "the model's chat template does not support insert")
        return self.template.render_insert(prompt, suffix, think)


@lru_cache(maxsize=64)
def prompting_of(model: InstalledModel) -> Prompting:
    """The template of a model; raises `TemplateError` for one that does not parse."""
    own = _go(model.go_template) if model.go_template else None
    chat = model.chat_template
    if chat and prefers_chat_template(own, chat, model.capabilities):
        config = model.tokenizer_config
        declared = config.get("tool_parser_type")
        return _jinja(
            chat,
            _token(model, "bos"),
            _token(model, "eos"),
            declared if isinstance(declared, str) else None,
            _added_tokens(config.get("added_tokens_decoder")),
        )
    return Prompting(own or _go(DEFAULT))


def template_text(model: InstalledModel) -> str:
    """The template in force, as `/api/show` prints it."""
    return prompting_of(model).template.text


@lru_cache(maxsize=64)
def capabilities_of(model: InstalledModel) -> tuple[str, ...]:
    """What the model can do, for `/api/show` and for the checks before a generation."""
    return capabilities(
        model.gguf.metadata if model.gguf else {},
        _go(model.go_template) if model.go_template else None,
        model.chat_template,
        listed=model.capabilities,
        family=model.text_of("model_family"),
        has_projector=bool(model.manifest.of("projector")),
    )


@lru_cache(maxsize=64)
def _go(text: str) -> Template:
    return Template.parse(text)


@lru_cache(maxsize=64)
def _jinja(
    text: str, bos: str, eos: str, tool_parser: str | None, added_tokens: tuple[str, ...]
) -> Prompting:
    return Prompting(JinjaTemplate.parse(text, bos, eos), tool_parser, added_tokens)


def _added_tokens(listed: Json) -> tuple[str, ...]:
    """The texts of the tokens that a tokenizer's config lists beside its vocabulary."""
    tokens = listed.values() if isinstance(listed, Mapping) else ()
    texts = (token.get("content") for token in tokens if isinstance(token, Mapping))
    return tuple(text for text in texts if isinstance(text, str))


def _token(model: InstalledModel, role: str) -> str:
    """The text of the token that begins or ends a text, empty where there is none."""
    if model.gguf is None:
        named = model.tokenizer_config.get(f"{role}_token")
        named = named.get("content") if isinstance(named, Mapping) else named
        return named if isinstance(named, str) else ""
    tokens = model.gguf.metadata.get("tokenizer.ggml.tokens")
    number = model.gguf.metadata.get(f"tokenizer.ggml.{role}_token_id")
    if not isinstance(tokens, tuple) or type(number) is not int or not 0 <= number < len(tokens):
        return ""
    return str(tokens[number])
