"""The SentencePiece vocabularies that GGUFs carry as `tokenizer.ggml.model` "llama".

Pieces have scores: of all neighbours that make a piece, those of the highest score are merged
first, and what is left in no piece becomes bytes (`ggml-org/llama.cpp:src/llama-vocab.cpp`,
`llm_tokenizer_spm_session`). Hugging Face's `tokenizers` does that from merges in that order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tokenizers import Tokenizer as Merger
from tokenizers import models, normalizers

from ..gguf import Value
from .gguf_vocabulary import SPACE, Kind, Vocabulary, add_whole_tokens, piece_bytes
from .sequence import LoadError

_SHOWN: Final = (Kind.NORMAL, Kind.USER_DEFINED)
_SWALLOWING_NOTHING: Final = frozenset({"<unk>", "<s>", "<|endoftext|>"})


def merger_of_pieces(metadata: Mapping[str, Value], vocabulary: Vocabulary) -> Merger:
    """What merges a text; raises LoadError.

    A space goes before the text, and before what follows a control token, unless the file says
    otherwise.
    """
    unknown = [
        text
        for text, kind in zip(vocabulary.texts, vocabulary.kinds, strict=True)
        if kind is Kind.UNKNOWN
    ]
    try:
        model = models.BPE(
            vocabulary.ids,
            _merges(vocabulary, _scores(metadata, vocabulary)),
            unk_token=unknown[0] if unknown else None,
            fuse_unk=True,
            byte_fallback=True,
        )
    except LoadError:
        raise
    except Exception as error:  # tokenizers raises plain Exception
        raise LoadError(f"lying GGUF: its pieces are no vocabulary: {error}") from error
    merger = Merger(model)
    steps: list[normalizers.Normalizer] = [normalizers.Replace(" ", SPACE)]
    if metadata.get("tokenizer.ggml.add_space_prefix", True):
        steps.insert(0, normalizers.Prepend(SPACE))
    merger.normalizer = normalizers.Sequence(steps)
    # blanks behind a token of Phi-3 that is no piece are dropped: llama.cpp knows it by name
    named = str(metadata.get("general.name", "")).lower()
    is_phi3 = "phi-3" in named or "phi3" in named
    swallowing = frozenset(vocabulary.texts) - _SWALLOWING_NOTHING if is_phi3 else frozenset()
    add_whole_tokens(merger, vocabulary, swallowing)
    return merger


def _scores(metadata: Mapping[str, Value], vocabulary: Vocabulary) -> Sequence[float]:
    scores = metadata.get("tokenizer.ggml.scores")
    numbers = [one for one in scores if isinstance(one, float)] if isinstance(scores, tuple) else []
    if len(numbers) != len(vocabulary.texts):
        raise LoadError(
            f"lying GGUF: {len(vocabulary.texts)} pieces have {len(numbers)} scores between them"
        )
    return numbers


def _merges(vocabulary: Vocabulary, scores: Sequence[float]) -> list[tuple[str, str]]:
    """Every pair of pieces that makes a piece, the highest score first.

    Of two pairs that make the same piece and overlap, the left one has the longer beginning.
    """
    ids = vocabulary.ids
    found = []
    for token, index in ids.items():
        if vocabulary.kinds[index] not in _SHOWN:
            continue  # no text becomes a token that shows nothing
        for cut in range(len(token) - 1, 0, -1):
            left, right = token[:cut], token[cut:]
            if left in ids and right in ids:
                found.append((-scores[index], index, -cut, left, right))
    found.sort()
    return [(left, right) for *_, left, right in found]


def shown_by_pieces(vocabulary: Vocabulary) -> list[bytes]:
    """The bytes that each piece shows."""
    return [piece_bytes(*one) for one in zip(vocabulary.texts, vocabulary.kinds, strict=True)]
