"""The tokenizer of XLM-R in a GGUF: SentencePiece's unigram model, `tokenizer.ggml.model` "t5"."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from tokenizers import AddedToken, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Merger

from ..gguf import Value
from .embedding_ask import Frame
from .embedding_tokenizer import EmbeddingTokenizer
from .sequence import LoadError

_KEY: Final = "tokenizer.ggml."
_CONTROL: Final = 3  # llama_token_type


def unigram(metadata: Mapping[str, Value]) -> EmbeddingTokenizer:
    """The unigram tokenizer that a GGUF carries; words are cut at whitespace, as XLM-R does."""
    for name in ("add_space_prefix", "remove_extra_whitespaces"):
        if metadata.get(_KEY + name) is not True:
            raise LoadError(f"a unigram tokenizer without {name} is not supported")
    tokens, scores = metadata.get(_KEY + "tokens"), metadata.get(_KEY + "scores")
    if not isinstance(tokens, tuple) or not isinstance(scores, tuple):
        raise LoadError("the GGUF has no tokenizer.ggml.tokens with scores")
    types = metadata.get(_KEY + "token_type", (1,) * len(tokens))
    if not isinstance(types, tuple) or not len(tokens) == len(scores) == len(types):
        raise LoadError("lying GGUF: tokens, scores and types differ in number")
    pieces = [_piece(token, score) for token, score in zip(tokens, scores, strict=True)]
    texts = [text for text, _ in pieces]
    if len(set(texts)) != len(texts):
        raise LoadError("lying GGUF: the vocabulary names a token twice")
    unknown = _token(metadata, "unknown_token_id", 2, len(pieces))
    merger = Merger(models.Unigram(pieces, unknown, False))
    charsmap = metadata.get(_KEY + "precompiled_charsmap")
    if charsmap is not None:
        merger.normalizer = _normalizer(charsmap)
    merger.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    special = [text for text, kind in zip(texts, types, strict=True) if kind == _CONTROL]
    merger.add_special_tokens([AddedToken(text, normalized=False) for text in special])
    tokenizer = EmbeddingTokenizer(merger)
    before = _token(metadata, "bos_token_id", 0, len(pieces))
    after = _token(metadata, "eos_token_id", 1, len(pieces))
    tokenizer.frame = Frame(
        (before,) if metadata.get(_KEY + "add_bos_token", False) is True else (),
        (after,) if metadata.get(_KEY + "add_eos_token", True) is True else (),
    )
    return tokenizer


def _piece(token: object, score: object) -> tuple[str, float]:
    number = isinstance(score, int | float) and math.isfinite(score)
    if not isinstance(token, str) or not token or not number:
        raise LoadError(f"lying GGUF: the token {token!r} has the score {score!r}")
    return token, float(score)  # type: ignore[arg-type]


def _token(metadata: Mapping[str, Value], name: str, default: int, num_tokens: int) -> int:
    found = metadata.get(_KEY + name, default)
    if type(found) is not int or not 0 <= found < num_tokens:
        raise LoadError(f"lying GGUF: {name} is {found!r} of {num_tokens} tokens")
    return found


def _normalizer(charsmap: object) -> Any:  # noqa: ANN401 (tokenizers has no type for it)
    """SentencePiece's own rules, compiled."""
    if not isinstance(charsmap, tuple) or not all(type(one) is int for one in charsmap):
        raise LoadError("lying GGUF: the precompiled_charsmap is no array of bytes")
    try:
        return normalizers.Precompiled(bytes(one & 0xFF for one in charsmap))
    except Exception as error:  # tokenizers raises plain Exception
        raise LoadError(f"lying GGUF: the precompiled_charsmap: {error}") from error
