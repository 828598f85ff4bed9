"""Kept prefixes: which token ids have a KV cache ready, and which of them go when room is short.

No arrays, clock or threads. The tokens of all kept sequences form a tree whose branches part
where two sequences first differ, so that what they share is held once; each node holds the KV
of its own tokens as an opaque payload. The node unused for longest goes first; since using a
node uses all before it, that one is always a leaf, and no kept prefix ever has a gap.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, Self, TypeVar

MIN_TOKENS: Final = 32  # a shorter prefix is computed sooner than it is looked after


class Payload(Protocol):
    """The KV of consecutive tokens."""

    def cut(self, start: int, stop: int) -> Self:
        """The KV of its tokens from `start` to before `stop`, holding no bytes of the others."""


P = TypeVar("P", bound=Payload)


@dataclass(frozen=True, slots=True)
class Part(Generic[P]):
    """A payload of which the first `num_tokens` tokens are wanted."""

    payload: P
    num_tokens: int


@dataclass(slots=True, eq=False)
class _Node(Generic[P]):
    """The tokens between two branchings; `parent` of None is the root, which is no node."""

    token_ids: tuple[int, ...]
    payload: P
    parent: _Node[P] | None
    children: dict[int, _Node[P]] = field(default_factory=dict)  # by their first token


class PromptCache(Generic[P]):
    """Prefixes under a budget of `max_bytes`; every token takes `bytes_per_token`."""

    def __init__(self, max_bytes: int, bytes_per_token: int) -> None:
        assert bytes_per_token > 0
        self._max_bytes = max_bytes
        self._bytes_per_token = bytes_per_token
        self._first: dict[int, _Node[P]] = {}  # where all sequences begin
        # all nodes, least recently used first, and children before their parents
        self._nodes: OrderedDict[_Node[P], None] = OrderedDict()
        self._num_tokens = 0

    @property
    def num_bytes(self) -> int:
        """What all payloads take."""
        return self._num_tokens * self._bytes_per_token

    def num_kept(self, token_ids: Sequence[int]) -> int:
        """How many of the first of these tokens are kept; 0 if it is not worth the while."""
        matched = sum(count for _, count in self._path(token_ids))
        return matched if matched >= MIN_TOKENS else 0

    def find(self, token_ids: Sequence[int]) -> list[Part[P]]:
        """The KV of the longest kept beginning of these tokens, in order; it counts as used."""
        path = self._path(token_ids)
        self._use(path)
        return [Part(node.payload, count) for node, count in path]

    def insert(self, token_ids: Sequence[int], take: Callable[[int, int], P]) -> None:
        """Keep a sequence: `take(start, stop)` is asked for the tokens that are not kept yet.

        Of one that is larger than the budget the beginning is kept; nothing of a short one.
        """
        num_tokens = min(len(token_ids), self._max_bytes // self._bytes_per_token)
        if num_tokens < MIN_TOKENS:
            return
        token_ids = token_ids[:num_tokens]
        path = self._path(token_ids)
        self._use(path)
        start = sum(count for _, count in path)
        if start == num_tokens:
            return
        parent = self._branching(path)
        ancestors = [*path[:-1], (parent, 0)] if parent is not None else []
        self._use(ancestors)
        # ends before it comes to the path, which fits together with the new tokens
        while (self._num_tokens + num_tokens - start) * self._bytes_per_token > self._max_bytes:
            self._evict()
        node = _Node(tuple(token_ids[start:]), take(start, num_tokens), parent)
        self._children(parent)[node.token_ids[0]] = node
        self._num_tokens += num_tokens - start
        self._nodes[node] = None
        self._use(ancestors)

    def shrink(self, max_bytes: int) -> None:
        """Forget what was unused for longest until the rest takes no more than that."""
        while self.num_bytes > max_bytes:
            self._evict()

    def clear(self) -> None:
        """Forget everything, and free it at once: no cycle of nodes is left to the collector."""
        while self._nodes:
            self._evict()

    def _children(self, node: _Node[P] | None) -> dict[int, _Node[P]]:
        return self._first if node is None else node.children

    def _path(self, token_ids: Sequence[int]) -> list[tuple[_Node[P], int]]:
        """The nodes that these tokens pass through, and how many tokens they share with each."""
        path: list[tuple[_Node[P], int]] = []
        start, children = 0, self._first
        while start < len(token_ids) and (node := children.get(token_ids[start])) is not None:
            count = _num_common(node.token_ids, token_ids[start : start + len(node.token_ids)])
            path.append((node, count))
            if count < len(node.token_ids):
                break
            start, children = start + count, node.children
        return path

    def _use(self, path: Sequence[tuple[_Node[P], int]]) -> None:
        """Make the nodes of a path the most recently used, the first of them last."""
        for node, _ in reversed(path):
            self._nodes.move_to_end(node)

    def _branching(self, path: Sequence[tuple[_Node[P], int]]) -> _Node[P] | None:
        """The node after which new tokens go: the last of the path, up to where they part."""
        if not path:
            return None
        node, count = path[-1]
        if count == len(node.token_ids):
            return node
        head = _Node(node.token_ids[:count], node.payload.cut(0, count), node.parent)
        node.payload = node.payload.cut(count, len(node.token_ids))
        node.token_ids = node.token_ids[count:]
        node.parent = head
        head.children[node.token_ids[0]] = node
        self._children(head.parent)[head.token_ids[0]] = head
        self._nodes[head] = None
        return head

    def _evict(self) -> None:
        """Drop the node unused for longest."""
        node, _ = self._nodes.popitem(last=False)
        assert not node.children
        del self._children(node.parent)[node.token_ids[0]]
        self._num_tokens -= len(node.token_ids)


def _num_common(ours: tuple[int, ...], theirs: Sequence[int]) -> int:
    """How many tokens two sequences have in common at their beginning."""
    if ours == tuple(theirs):
        return len(ours)
    pairs = enumerate(zip(ours, theirs, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(ours), len(theirs)))
