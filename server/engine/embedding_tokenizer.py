"""Texts to the rows of an encoder: WordPiece from a GGUF, or whatever a `tokenizer.json` holds.

Splitting is done by Hugging Face's `tokenizers`, except for words of more than 100 characters:
the library gives up on those, or takes time that grows with the cube of their length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tokenizers import AddedToken, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Merger

from ..gguf import Value
from .embedding_ask import Frame
from .sequence import LoadError

_SPACE: Final = "▁"  # begins a word in llama.cpp's WordPiece vocabularies
_CONTROL: Final = 3  # llama_token_type
_LONG_WORD: Final = 100  # google-research/bert:tokenization.py max_input_chars_per_word
_ROLES: Final = {  # ggml-org/llama.cpp:src/llama-vocab.cpp, the defaults of "bert"
    "cls": (("cls", "bos"), 101),
    "sep": (("seperator", "separator", "eos"), 102),
    "unk": (("unknown",), 100),
}
_OTHER_ROLES: Final = ("padding", "mask")


class EmbeddingTokenizer:
    """One encoder's vocabulary. Any thread may call it.

    `num_tokens` is one more than the largest id that it can give: ids may have gaps.
    """

    add_bos = False  # the frame has it
    bos_id: int | None = None
    token_bytes: Sequence[bytes] = ()  # an encoder writes no text

    def __init__(self, merger: Merger) -> None:
        merger.no_truncation()
        merger.no_padding()
        self._merger = merger
        vocabulary: dict[str, int] = merger.get_vocab(with_added_tokens=True)
        model: Any = merger.model
        self._words = _LongWords(merger) if isinstance(model, models.WordPiece) else None
        if self._words is not None and model.unk_token not in vocabulary:
            raise LoadError(f"the vocabulary lacks its own {model.unk_token!r}")
        self.frame = _frame(merger)
        known = (*vocabulary.values(), *self.frame.before, *self.frame.after)
        self.num_tokens = max(known, default=-1) + 1

    def encode(self, text: str, special: bool = True) -> list[int]:
        """The token ids of a text, without its frame; control tokens in it are those tokens."""
        if self._words is not None and self._words.are_in(text):
            return self._words.encode(text)
        ids: list[int] = self._merger.encode(text, add_special_tokens=False).ids
        return ids


def wordpiece(metadata: Mapping[str, Value]) -> EmbeddingTokenizer:
    """The WordPiece tokenizer that a GGUF carries.

    llama.cpp marks the tokens that begin a word, BERT those that do not; the former's marks are
    turned into the latter's.
    """
    kind = metadata.get("tokenizer.ggml.model")
    if kind != "bert":
        raise LoadError(
            f"tokenizer {kind!r} of an encoder is not supported: WordPiece ('bert') and unigram"
            " ('t5') are"
        )
    tokens = metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, tuple) or not tokens:
        raise LoadError("the GGUF has no tokenizer.ggml.tokens")
    types = metadata.get("tokenizer.ggml.token_type", (1,) * len(tokens))
    if not isinstance(types, tuple) or len(types) != len(tokens):
        raise LoadError("lying GGUF: tokenizer.ggml.token_type and tokens differ in length")
    plain = [_plain(token, type_) for token, type_ in zip(tokens, types, strict=True)]
    vocabulary = {token: index for index, token in enumerate(plain)}
    if len(vocabulary) != len(plain):
        raise LoadError("lying GGUF: the vocabulary names a token twice")
    cls, sep, unk = (_role(metadata, *role, len(plain)) for role in _ROLES.values())
    merger = Merger(
        models.WordPiece(vocabulary, unk_token=plain[unk], max_input_chars_per_word=_LONG_WORD)
    )
    lowercase = bool(metadata.get("tokenizer.ggml.normalizer.lowercase", True))
    strip = bool(metadata.get("tokenizer.ggml.normalizer.strip_accents", lowercase))
    merger.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip)
    merger.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    others = {metadata.get(f"tokenizer.ggml.{each}_token_id") for each in _OTHER_ROLES}
    control = {index for index, type_ in enumerate(types) if type_ == _CONTROL}
    control |= {one for one in others if type(one) is int and 0 <= one < len(plain)}
    special = sorted({cls, sep, unk} | control)
    merger.add_special_tokens([AddedToken(plain[one], normalized=False) for one in special])
    tokenizer = EmbeddingTokenizer(merger)
    tokenizer.frame = Frame((cls,), (sep,))
    return tokenizer


def _plain(token: object, kind: object) -> str:
    """A token of a GGUF under BERT's own name."""
    if not isinstance(token, str):
        raise LoadError("lying GGUF: tokenizer.ggml.tokens holds something else than strings")
    if kind == _CONTROL or (token.startswith("[") and token.endswith("]")):
        return token
    return token[1:] if token.startswith(_SPACE) else "##" + token


def _role(
    metadata: Mapping[str, Value], names: Sequence[str], default: int, num_tokens: int
) -> int:
    """The id of a special token, under the first of its names that is there."""
    keys = (f"tokenizer.ggml.{name}_token_id" for name in names)
    found = next((metadata[key] for key in keys if key in metadata), default)
    if type(found) is not int or not 0 <= found < num_tokens:
        raise LoadError(f"lying GGUF: the token {names[0]} is {found!r} of {num_tokens} tokens")
    return found


def from_json(files: Mapping[str, Path]) -> EmbeddingTokenizer:
    """The tokenizer of a Hugging Face folder: its `tokenizer.json`."""
    path = files.get("tokenizer.json")
    if path is None:
        raise LoadError("the model has no tokenizer.json")
    try:
        return EmbeddingTokenizer(Merger.from_file(str(path)))
    except LoadError:
        raise
    except Exception as error:  # tokenizers raises plain Exception
        raise LoadError(f"tokenizer.json cannot be read: {error}") from error


def _frame(merger: Merger) -> Frame:
    """What the post-processor puts around a text."""
    framed = merger.encode("a", add_special_tokens=True)
    inner = merger.encode("a", add_special_tokens=False).ids
    ids, num_extra = list(framed.ids), len(framed.ids) - len(inner)
    for size in range(num_extra + 1):
        if ids[size : size + len(inner)] == inner:
            return Frame(tuple(ids[:size]), tuple(ids[size + len(inner) :]))
    raise LoadError("tokenizer.json changes a text that it puts special tokens around")


class _LongWords:
    """Texts with words that the library would not split: longest token first, as it does."""

    def __init__(self, merger: Merger) -> None:
        self._merger = merger
        model: Any = merger.model
        self._prefix: str = model.continuing_subword_prefix
        self._vocabulary: dict[str, int] = merger.get_vocab(with_added_tokens=False)
        self._longest = max(map(len, self._vocabulary), default=1)
        self._unknown = self._vocabulary.get(model.unk_token, 0)
        added = merger.get_added_tokens_decoder()
        self._special = {token.content: index for index, token in added.items()}
        contents = sorted(map(re.escape, self._special), key=len, reverse=True)
        self._parts = re.compile(f"({'|'.join(contents)})" if contents else r"(?!)")
        self._long = re.compile(rf"\S{{{_LONG_WORD + 1}}}")

    def are_in(self, text: str) -> bool:
        """Whether a text may have a word of more than 100 characters."""
        return self._long.search(text) is not None

    def encode(self, text: str) -> list[int]:
        """The token ids of a text."""
        ids: list[int] = []
        for part in self._parts.split(text):
            if part in self._special:
                ids.append(self._special[part])
                continue
            normalizer, splitter = self._merger.normalizer, self._merger.pre_tokenizer
            plain = normalizer.normalize_str(part) if normalizer is not None else part
            for word, _ in splitter.pre_tokenize_str(plain) if splitter is not None else ():
                ids += self._word(word)
        return ids

    def _word(self, word: str) -> list[int]:
        ids: list[int] = []
        start = 0
        while start < len(word):
            prefix = self._prefix if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                found = self._vocabulary.get(prefix + word[start:end])
                if found is not None:
                    break
            else:
                return [self._unknown]
            ids.append(found)
            start = end
        return ids
