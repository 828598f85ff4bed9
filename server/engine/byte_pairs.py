"""The vocabularies of byte pairs that GGUFs carry as `tokenizer.ggml.model` "gpt2" and "gemma4".

How text is cut is in `splittings.py`; the merges are the file's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Merger

from ..gguf import Value
from .gguf_vocabulary import (
    SPACE,
    Kind,
    Vocabulary,
    add_whole_tokens,
    piece_bytes,
    strings,
)
from .sequence import LoadError
from .splittings import Splitting

_WITHOUT_MERGES: Final = "kimi-k2"


def merger_of_pairs(
    metadata: Mapping[str, Value], vocabulary: Vocabulary, splitting: Splitting
) -> Merger:
    """What cuts and merges a text; raises LoadError."""
    try:
        model = models.BPE(
            vocabulary.ids,
            _merges(metadata),
            ignore_merges=splitting.whole_words,
            byte_fallback=splitting.raw,
        )
    except LoadError:
        raise
    except Exception as error:  # tokenizers raises plain Exception
        raise LoadError(f"lying GGUF: its merges do not fit its vocabulary: {error}") from error
    merger = Merger(model)
    parts: list[pre_tokenizers.PreTokenizer] = [
        pre_tokenizers.Split(Regex(pattern), behavior="isolated") for pattern in splitting.patterns
    ]
    if splitting.raw:
        merger.normalizer = normalizers.Replace(" ", SPACE)
    else:
        parts.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    merger.pre_tokenizer = pre_tokenizers.Sequence(parts)
    add_whole_tokens(merger, vocabulary)
    if splitting.whole_line_ends:  # no merges lead there
        runs = [text for text in vocabulary.texts if not text.strip("\n")]
        merger.add_tokens([AddedToken(text, normalized=False) for text in runs])
    return merger


def _merges(metadata: Mapping[str, Value]) -> list[tuple[str, str]]:
    if "tokenizer.ggml.merges" not in metadata:
        if metadata.get("tokenizer.ggml.pre") == _WITHOUT_MERGES:
            return []
        raise LoadError("the GGUF has no tokenizer.ggml.merges")
    pairs = []
    for merge in strings(metadata, "merges"):
        cut = merge.find(" ", 1)  # a merge may begin with a space
        if cut < 0 or cut == len(merge) - 1:
            raise LoadError(f"lying GGUF: {merge!r} is no merge of two tokens")
        pairs.append((merge[:cut], merge[cut + 1 :]))
    return pairs


def pair_bytes(vocabulary: Vocabulary, splitting: Splitting) -> list[bytes]:
    """The bytes that each token shows."""
    if splitting.raw:
        return [piece_bytes(*one) for one in zip(vocabulary.texts, vocabulary.kinds, strict=True)]
    alphabet = byte_of_character()
    return [
        level_bytes(text, alphabet) if kind is Kind.NORMAL else piece_bytes(text, kind)
        for text, kind in zip(vocabulary.texts, vocabulary.kinds, strict=True)
    ]


def level_bytes(token: str, alphabet: Mapping[str, int]) -> bytes:
    """The bytes that a byte-level token stands for; a foreign character stands for itself."""
    return b"".join(
        bytes([alphabet[one]]) if one in alphabet else one.encode(errors="replace") for one in token
    )


def byte_of_character() -> dict[str, int]:
    """The byte behind each character of byte-level BPE (`openai/gpt-2:src/encoder.py`)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [one for one in range(0x100) if one not in printable]
    alphabet = {chr(one): one for one in printable}
    return alphabet | {chr(0x100 + place): one for place, one in enumerate(others)}
