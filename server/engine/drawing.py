"""From the logits of a step to the tokens that its sequences get.

Rows whose best few logits decide are drawn together, and their other logits stay unread; a row
that needs more of them (a grammar, or a flat distribution without top_k) is drawn by itself.
Which way a row goes depends on nothing but itself, so it gets the same token in any company.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .chain import draw_rows
from .grammar import Matcher
from .sampling import Sampler, Scores, best, scores_from
from .shortlist import Floats, Shortlist


@dataclass(frozen=True, slots=True)
class Draw:
    """How one slot's next token is drawn; `num_top` of None asks for no log probabilities."""

    sampler: Sampler
    num_top: int | None
    matcher: Matcher | None = None
    on_gpu: bool = False
    on_device: bool = field(init=False)  # whether the token is drawn where the logits are
    num_deciding: int = field(init=False)  # how many of the best may decide; 0: all do

    def __post_init__(self) -> None:
        free, one = self.matcher is None, self.sampler
        on_device = free and (one.by_largest or (self.on_gpu and one.by_few))
        object.__setattr__(self, "on_device", on_device)
        object.__setattr__(self, "num_deciding", one.num_listed if free and not on_device else 0)

    @property
    def is_sampled_there(self) -> bool:
        """Whether a GPU draws it by a number; else, if on the device, the largest raw logit."""
        return self.on_device and not self.sampler.greedy

    @property
    def needs_logits(self) -> bool:
        """Whether the host must look at the row's logits."""
        return self.num_top is not None or not self.on_device

    @property
    def needs_sum(self) -> bool:
        """Whether it is drawn by the sum of all weights."""
        return self.num_deciding > 0 and self.sampler.needs_sum

    def num_listed(self, most: int) -> int:
        """How many of its best tokens are wanted, if no more than `most` can be listed."""
        if self.num_top is None and self.num_deciding <= most:  # nearly every row, in every step
            return self.num_deciding
        deciding = min(self.num_deciding, most) if self.by_list(most) else 0
        drawn_from = self.sampler.top_k if self.on_device else 1
        scored = 0 if self.num_top is None else max(drawn_from, self.num_top)
        return max(deciding, scored if scored <= most else 0)

    def by_list(self, most: int) -> bool:
        """Whether it is drawn from those, if they decide."""
        return self.num_deciding > 0 and (self.num_deciding <= most or self.sampler.is_open)

    def choose(self, logits: Floats, log_sum: float | None) -> int:
        """The next token, of those that the grammar allows where there is one."""
        if self.matcher is None:
            return self.sampler.draw(logits, log_sum)
        token_id = self.sampler.draw(self.matcher.masked(logits))
        self.matcher.advance(token_id)
        return token_id


@dataclass(frozen=True, slots=True)
class Drawn:
    """The token that one slot got; with a `fault` there is none, and its request fails."""

    token_id: int
    scores: Scores | None
    fault: Exception | None = None


class Logits(Protocol):
    """A step's logits, of which the host reads what it needs."""

    @property
    def most(self) -> int:
        """How many of a row's best can be had."""

    @property
    def listed(self) -> bool:
        """Whether the best can be had; a few rows are read sooner as they are."""

    def row(self, row: int) -> Floats:
        """All of one row, as float32."""

    def best(self, rows: Sequence[int], counts: Sequence[int]) -> Shortlist:
        """So many of the largest of each of these rows, which rise."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the device made of a step.

    The tokens that it drew, by row, if any; what the other rows are drawn from;
    and, by row, the logarithms of the sums of the exponentials of the rows that are scored, and
    of those that are drawn by them, penalised.
    """

    tokens: list[int]
    logits: Logits | None = None
    log_sums: Mapping[int, float] = field(default_factory=dict)
    penalised_sums: Mapping[int, float] = field(default_factory=dict)


def draw_all(outcome: Outcome, draws: Sequence[Draw]) -> list[Drawn]:
    """The next token of each row."""
    if outcome.logits is None:
        for draw, one in zip(draws, outcome.tokens, strict=True):
            draw.sampler.accept(one)
        return [Drawn(one, None) for one in outcome.tokens]
    lists = _Lists.of(outcome.logits, draws)
    tokens = lists.draw(draws, outcome.penalised_sums)
    for row, draw in enumerate(draws):
        if draw.on_device:
            tokens[row] = outcome.tokens[row]
            draw.sampler.accept(outcome.tokens[row])
    scores = lists.scores(draws, tokens, outcome.log_sums)
    drawn = []
    for row, (draw, token_id) in enumerate(zip(draws, tokens, strict=True)):
        said = scores.get(row)
        if token_id is None or (said is None and draw.num_top is not None):
            drawn.append(_drawn_alone(outcome, row, draw, token_id))
        else:
            drawn.append(Drawn(token_id, said))
    return drawn


def _drawn_alone(outcome: Outcome, row: int, draw: Draw, token_id: int | None) -> Drawn:
    """The token of a row that all of its logits decide, or are asked for."""
    assert outcome.logits is not None
    try:
        logits, said = outcome.logits.row(row), None
        if token_id is None:
            token_id = draw.choose(logits, outcome.penalised_sums.get(row))
        if draw.num_top is not None:
            top = best(logits, draw.num_top)
            values = top.logits.tolist()
            logit = float(logits[token_id])
            said = scores_from(outcome.log_sums[row], logit, top.ids.tolist(), values)
        return Drawn(token_id, said)
    except Exception as error:  # the neighbours get their tokens all the same
        return Drawn(0, None, error)


@dataclass(frozen=True, slots=True)
class _Lists:
    """The best tokens of some rows, if any; the size is 0 where they could not be found."""

    rows: list[int]
    sizes: list[int]
    decide: list[bool]
    listed: Shortlist | None

    @classmethod
    def of(cls, logits: Logits, draws: Sequence[Draw]) -> _Lists:
        """The lists of the rows that want one that is not too long."""
        most = logits.most
        wanted = [draw.num_listed(most) for draw in draws]
        rows = [row for row, count in enumerate(wanted) if count]
        if not rows or not logits.listed:
            return cls([], [], [], None)
        listed = logits.best(rows, [wanted[row] for row in rows])
        decide = [draws[row].by_list(most) for row in rows]
        return cls(rows, listed.sizes.tolist(), decide, listed)

    def draw(self, draws: Sequence[Draw], log_sums: Mapping[int, float]) -> list[int | None]:
        """The tokens of the rows that these lists decide."""
        tokens: list[int | None] = [None] * len(draws)
        places = [
            place
            for place, row in enumerate(self.rows)
            if self.decide[place]
            and self.sizes[place]
            and (row in log_sums or not draws[row].needs_sum)
        ]
        if self.listed is None or not places:
            return tokens
        rows = [self.rows[place] for place in places]
        samplers = [draws[row].sampler for row in rows]
        sums = [log_sums.get(row, 0.0) for row in rows]
        drawn = draw_rows(self.listed.of(places), samplers, sums)
        for row, sampler, token_id in zip(rows, samplers, drawn, strict=True):
            tokens[row] = token_id
            if token_id is not None:
                sampler.accept(token_id)
        return tokens

    def scores(
        self, draws: Sequence[Draw], tokens: Sequence[int | None], log_sums: Mapping[int, float]
    ) -> dict[int, Scores]:
        """The log probabilities of the rows that ask for them, as far as the lists have them."""
        if self.listed is None or not log_sums:
            return {}
        scores = {}
        every = zip(self.rows, self.sizes, self.listed.ids, self.listed.logits, strict=True)
        for row, size, ids, logits in every:
            token_id, num_top = tokens[row], draws[row].num_top
            if size and token_id is not None and num_top is not None:
                own = ids[:size].tolist()
                if token_id not in own:  # drawn by a GPU from others that are equal
                    continue
                values = logits[:size].tolist()
                logit = values[own.index(token_id)]
                scores[row] = scores_from(log_sums[row], logit, own[:num_top], values[:num_top])
        return scores
