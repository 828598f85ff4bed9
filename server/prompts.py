"""From a request to the text and the tokens of its prompt. No socket, no clock.

What is too long loses its oldest messages here (CTX-003); cutting tokens is `context`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .context import keep_newest
from .engine.picture import Picture
from .errors import ApiError
from .images import tagged, token_ids
from .installed import InstalledModel
from .messages import Message, Think, Tool
from .pool import Tokenizer
from .prompting import Prompting
from .requests import ChatRequest, GenerateRequest
from .template import Template


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as text and as tokens, BOS included where the model wants one.

    `context_ids` are what a reply's `context` begins with: tags of pictures are text there.
    """

    text: str
    ids: tuple[int, ...]
    context_ids: tuple[int, ...]
    pictures: tuple[Picture, ...] = ()

    @classmethod
    def of(
        cls,
        text: str,
        tokenizer: Tokenizer,
        before: Sequence[int] = (),
        pictures: Sequence[Picture] = (),
    ) -> "Prompt":
        """The tokens of `text` behind those of an earlier reply, its pictures in their places."""
        bos = tokenizer.bos_id

        def begun(ids: Sequence[int]) -> tuple[int, ...]:
            whole = (*before, *ids)
            wanted = tokenizer.add_bos and bos is not None and whole[:1] != (bos,)
            return (bos, *whole) if wanted and bos is not None else whole

        plain = begun(tokenizer.encode(text))
        if not pictures:
            return cls(text, plain, plain)
        return cls(text, begun(token_ids(text, pictures, tokenizer)), plain, tuple(pictures))


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the prompts of one request for one model."""

    model: InstalledModel
    prompting: Prompting
    tokenizer: Tokenizer
    think: Think
    num_ctx: int
    truncate: bool
    pictures: Mapping[bytes, Picture] = field(default_factory=dict)  # by the files' bytes

    def chat(self, asked: ChatRequest) -> Prompt:
        """The model's own messages before the request's, its system text in front of all.

        A request that begins with a system message has no use for the model's (CHAT-025..027).
        """
        messages = [*self.model.messages, *asked.messages]
        if self.model.system and asked.messages[0].role != "system":
            messages.insert(0, Message("system", self.model.system))
        return self._fitted(messages, asked.tools)

    def generate(self, asked: GenerateRequest) -> Prompt:
        """The implicit conversation, or what `raw`, `template` and `suffix` make of it."""
        pictures = [self.pictures[image] for image in asked.images]
        if asked.raw:
            return Prompt.of(asked.prompt, self.tokenizer, (), pictures)
        before = self._context_ids(asked.context or ())
        prompting = self.prompting
        if asked.template:
            prompting = Prompting(Template.parse(asked.template))
        if asked.suffix:
            text = prompting.render_insert(asked.prompt, asked.suffix, self.think)
            return Prompt.of(text, self.tokenizer, before, pictures)
        messages = self._implicit(asked)
        if asked.template:
            text = prompting.render(messages, (), self.think)
            return Prompt.of(text, self.tokenizer, before, pictures)
        return self._fitted(messages, (), before)

    def _implicit(self, asked: GenerateRequest) -> list[Message]:
        """The conversation that a generate request stands for (GEN-020, GEN-027)."""
        system = asked.system or self.model.system
        history = self.model.messages if asked.context is None else ()
        start = [Message("system", system)] if system else []
        return [*start, *history, Message("user", asked.prompt, images=asked.images)]

    def _context_ids(self, context: Sequence[int]) -> tuple[int, ...]:
        """The tokens of an earlier reply; raises 500 for ids that are none (ERR-041)."""
        known = len(self.tokenizer.token_bytes)
        wrong = next((each for each in context if not 0 <= each < known), None)
        if wrong is not None:
            raise ApiError(500, f"detokenize error: {wrong} is no token of this model")
        return tuple(context)

    def _fitted(
        self, messages: Sequence[Message], tools: Sequence[Tool], before: tuple[int, ...] = ()
    ) -> Prompt:
        """The rendered conversation, without its oldest messages where it is too long."""

        def written(kept: Sequence[Message]) -> Prompt:
            shown, images = tagged(kept)
            text = self.prompting.render(shown, tools, self.think)
            pictures = [self.pictures[image] for image in images]
            return Prompt.of(text, self.tokenizer, before, pictures)

        whole = written(messages)
        if not self.truncate or len(whole.ids) <= self.num_ctx:
            return whole
        return written(keep_newest(messages, self.num_ctx, lambda kept: len(written(kept).ids)))
