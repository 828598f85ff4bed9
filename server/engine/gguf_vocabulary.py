"""What every kind of vocabulary in a GGUF has in common: its tokens, their kinds and their roles.

No merging is here. The rules are those of `ggml-org/llama.cpp:src/llama-vocab.cpp`, `load`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from tokenizers import AddedToken
from tokenizers import Tokenizer as Merger

from ..gguf import Value
from .end_tokens import DECLARED_ENDS, ends_of, hidden_anyway, seen_anyway
from .sequence import LoadError

SPACE: Final = "▁"  # stands for a space in pieces
_BYTE: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class Kind(IntEnum):
    """What a token is (`llama_token_type`)."""

    UNDEFINED = 0
    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


_KINDS: Final[Mapping[object, Kind]] = {kind.value: kind for kind in Kind}
_WHOLE: Final = (Kind.CONTROL, Kind.USER_DEFINED, Kind.UNKNOWN)  # cut out of a text before all else


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens of a GGUF, each text once, and the ids of those with a role."""

    texts: tuple[str, ...]
    kinds: tuple[Kind, ...]
    roles: Mapping[str, int]

    @property
    def ids(self) -> dict[str, int]:
        """The id of every text."""
        return {text: place for place, text in enumerate(self.texts)}

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end a generation."""
        return ends_of(self.ids, {role: self.roles.get(role) for role in DECLARED_ENDS})

    @property
    def controls(self) -> dict[str, int]:
        """The control tokens."""
        return {
            text: place
            for place, (text, kind) in enumerate(zip(self.texts, self.kinds, strict=True))
            if kind is Kind.CONTROL
        }


def read_vocabulary(metadata: Mapping[str, Value], roles: Mapping[str, int]) -> Vocabulary:
    """The vocabulary of a GGUF; `roles` are the ids of what the file says nothing about."""
    texts = tuple(
        text or f"[EMPTY_{place}]"  # several may be; each is a token nevertheless
        for place, text in enumerate(strings(metadata, "tokens"))
    )
    if len(set(texts)) != len(texts):
        raise LoadError("lying GGUF: the vocabulary names a token twice")
    found = {role: place for role, place in roles.items() if place < len(texts)}
    for key in metadata:
        role = re.fullmatch(r"tokenizer\.ggml\.(\w+)_token_id", key)
        if role is not None:
            found[role[1]] = _token_id(metadata, key, len(texts))
    return Vocabulary(texts, _kinds(metadata, texts, found), found)


def strings(metadata: Mapping[str, Value], name: str) -> tuple[str, ...]:
    """An array of strings that must be there."""
    value = metadata.get(f"tokenizer.ggml.{name}")
    if not isinstance(value, tuple):
        raise LoadError(f"the GGUF has no tokenizer.ggml.{name}")
    found = tuple(one for one in value if isinstance(one, str))
    if len(found) != len(value):
        raise LoadError(f"lying GGUF: tokenizer.ggml.{name} holds something else than strings")
    if not found and name == "tokens":
        raise LoadError("the GGUF has no tokenizer.ggml.tokens")
    return found


def _token_id(metadata: Mapping[str, Value], key: str, num_tokens: int) -> int:
    value = metadata[key]
    if type(value) is not int or not 0 <= value < num_tokens:
        raise LoadError(f"lying GGUF: {key} is {value!r}, the vocabulary has {num_tokens} tokens")
    return value


def _kinds(
    metadata: Mapping[str, Value], texts: Sequence[str], roles: Mapping[str, int]
) -> tuple[Kind, ...]:
    """What each token is: those that end are control tokens, those of channels never are."""
    types = metadata.get("tokenizer.ggml.token_type", (Kind.NORMAL,) * len(texts))
    if not isinstance(types, tuple) or len(types) != len(texts):
        raise LoadError("lying GGUF: tokenizer.ggml.token_type and tokens differ in length")
    seen = seen_anyway(set(texts))
    hidden = hidden_anyway(set(texts), roles)
    return tuple(
        Kind.USER_DEFINED
        if text in seen
        else Kind.CONTROL
        if text in hidden
        else _KINDS.get(type_, Kind.UNDEFINED)
        for text, type_ in zip(texts, types, strict=True)
    )


def add_whole_tokens(
    merger: Merger, vocabulary: Vocabulary, swallowing: frozenset[str] = frozenset()
) -> None:
    """Make control and user-defined tokens those that are found before any merging.

    Those `swallowing` take the blanks behind them along.
    """
    merger.add_tokens(
        [
            AddedToken(
                text,
                special=kind is not Kind.USER_DEFINED,
                normalized=False,
                rstrip=text in swallowing,
            )
            for text, kind in zip(vocabulary.texts, vocabulary.kinds, strict=True)
            if kind in _WHOLE
        ]
    )
    if merger.get_vocab_size() != len(vocabulary.texts):
        raise LoadError("lying GGUF: the vocabulary does not hold its own control tokens")


def is_byte(text: str) -> bool:
    """Whether a piece has the form of those that stand for a byte."""
    return _BYTE.fullmatch(text) is not None


def piece_bytes(text: str, kind: Kind) -> bytes:
    """The bytes that a piece shows: a piece is plain text, but that spaces have a sign."""
    match kind:
        case Kind.NORMAL:
            return text.replace(SPACE, " ").encode()
        case Kind.USER_DEFINED:  # runs of spaces are written either way
            return (text if text.strip(SPACE) else " " * len(text)).encode()
        case Kind.BYTE if byte := _BYTE.fullmatch(text):
            return bytes([int(byte[1], 16)])
    return b""
