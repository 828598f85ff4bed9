"""Making a conversation and a prompt fit the context window (CTX-003..008).

Pure: how long a rendering is comes as a function, so that no tokenizer is needed here.
"""

from collections.abc import Callable, Sequence

from .errors import ApiError
from .messages import Message


def keep_newest(
    messages: Sequence[Message],
    limit_tokens: int,
    count_tokens: Callable[[Sequence[Message]], int],
) -> list[Message]:
    """The messages left when the oldest are dropped until the rendering has at most `limit_tokens`.

    System messages among the dropped ones stay, in front; the last message stays whatever its
    length. Fewer messages never render longer, so the cut is found by bisection.
    """
    low, high = 0, max(0, len(messages) - 1)
    while low < high:
        middle = (low + high) // 2
        if count_tokens(_from(messages, middle)) <= limit_tokens:
            high = middle
        else:
            low = middle + 1
    return _from(messages, low)


def _from(messages: Sequence[Message], start: int) -> list[Message]:
    kept = [message for message in messages[:start] if message.role == "system"]
    return [*kept, *messages[start:]]


def fit_prompt(
    ids: Sequence[int],
    num_ctx: int,
    *,
    num_keep: int,
    begins_with_bos: bool,
    shift: bool,
    truncate: bool,
) -> tuple[int, ...]:
    """The prompt as it goes to the engine: whole, with its middle cut out, or refused.

    Cutting keeps the first `num_keep` tokens (and BOS) and the newest, so that half of the
    window behind the kept part is free again (CTX-006). Raises `ApiError` (CTX-007, CTX-008).
    """
    if len(ids) < num_ctx:
        return tuple(ids)
    if not truncate:
        raise ApiError(
            400,
            f"the request exceeds the available context size: the prompt has {len(ids)} tokens,"
            f" num_ctx is {num_ctx}",
        )
    if not shift:
        raise ApiError(
            400,
            "the prompt is longer than the context length currently available to the model;"
            " shorten the prompt, adjust the context length in settings, or use a model with a"
            " longer context length",
        )
    kept = len(ids) if num_keep < 0 else num_keep + begins_with_bos
    kept = min(kept, num_ctx - 1)
    total = num_ctx - max((num_ctx - kept) // 2, 1)
    return (*ids[:kept], *ids[len(ids) - (total - kept) :])
