"""From the logits of a step to the tokens that its sequences get.

Rows whose best few logits decide are drawn together, and their other logits stay unread; a row
that needs all of them (penalties, a grammar, no top_k) is drawn by itself. A row gets the same
token either way, and whatever the other rows are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .chain import draw_rows
from .grammar import Matcher
from .sampling import Candidates, Sampler, Scores, best, log_sums, scores_from
from .shortlist import Floats, Peaks, Shortlist, max_count, shortlist


@dataclass(frozen=True, slots=True)
class Draw:
    """How one slot's next token is drawn; `num_top` of None asks for no log probabilities."""

    sampler: Sampler
    num_top: int | None
    matcher: Matcher | None = None
    on_device: bool = field(init=False)  # whether the largest raw logit decides
    by_list: bool = field(init=False)  # whether the best few of them do
    num_listed: int = field(init=False)  # how many of them are wanted, for whatever

    def __post_init__(self) -> None:
        free = self.matcher is None
        few = self.sampler.num_listed if free else 0
        object.__setattr__(self, "on_device", free and self.sampler.on_device)
        object.__setattr__(self, "by_list", few > 0)
        object.__setattr__(self, "num_listed", max(few, self.num_top or 0))

    @property
    def needs_logits(self) -> bool:
        """Whether the row's logits must come to the host."""
        return self.num_top is not None or not self.on_device

    def choose(self, logits: Floats) -> int:
        """The next token, of those that the grammar allows where there is one."""
        if self.matcher is None:
            return self.sampler.draw(logits)
        token_id = self.sampler.draw(self.matcher.masked(logits))
        self.matcher.advance(token_id)
        return token_id


@dataclass(frozen=True, slots=True)
class Drawn:
    """The token that one slot got; with a `fault` there is none, and its request fails."""

    token_id: int
    scores: Scores | None
    fault: Exception | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the device made of a step, all of it by row, readable on the host.

    The ids of the largest logits, and what the rows that need more are drawn from: all logits
    `(R, V)`, which stay as they are; their peaks, if it pays to list the best; and the logarithms
    of the sums of their exponentials, if the device has made them.
    """

    best: list[int]
    logits: Floats | None = None
    peaks: Peaks | None = None
    log_sums: list[float] | None = None


def draw_all(outcome: Outcome, draws: Sequence[Draw]) -> list[Drawn]:
    """The next token of each row."""
    if outcome.logits is None:
        return [Drawn(one, None) for one in outcome.best]
    lists = _Lists.of(outcome.logits, outcome.peaks, draws)
    tokens = lists.draw(draws)
    norms = _norms(outcome, draws)
    drawn = []
    for row, (draw, token_id) in enumerate(zip(draws, tokens, strict=True)):
        if token_id is not None and draw.num_top is None:
            drawn.append(Drawn(token_id, None))
            continue
        try:
            if token_id is None:
                alone = not draw.on_device
                token_id = draw.choose(outcome.logits[row]) if alone else outcome.best[row]
            said = None
            if draw.num_top is not None:
                top = lists.top(row, draw.num_top) or best(outcome.logits[row], draw.num_top)
                said = scores_from(norms[row], float(outcome.logits[row, token_id]), top)
            drawn.append(Drawn(token_id, said))
        except Exception as error:  # the neighbours get their tokens all the same
            drawn.append(Drawn(0, None, error))
    return drawn


def _norms(outcome: Outcome, draws: Sequence[Draw]) -> Mapping[int, float]:
    """The logarithms of the sums of the exponentials of the rows that are scored."""
    assert outcome.logits is not None
    rows = [row for row, draw in enumerate(draws) if draw.num_top is not None]
    if outcome.log_sums is not None:
        return {row: outcome.log_sums[row] for row in rows}
    return dict(zip(rows, log_sums(outcome.logits, rows), strict=True))


@dataclass(frozen=True, slots=True)
class _Lists:
    """The best tokens of some rows; `sizes` are 0 where they could not be found."""

    rows: list[int]
    sizes: list[int]
    listed: Shortlist | None

    @classmethod
    def of(cls, logits: Floats, peaks: Peaks | None, draws: Sequence[Draw]) -> _Lists:
        """The lists of the rows that want one that is not too long."""
        most = max_count(logits.shape[1])
        rows = [row for row, draw in enumerate(draws) if 0 < draw.num_listed <= most]
        if peaks is None or not rows:
            return cls([], [], None)
        listed = shortlist(logits, peaks, rows, [draws[row].num_listed for row in rows])
        return cls(rows, listed.sizes.tolist(), listed)

    def draw(self, draws: Sequence[Draw]) -> list[int | None]:
        """The tokens of the rows that these lists decide."""
        tokens: list[int | None] = [None] * len(draws)
        own = [
            place for place, row in enumerate(self.rows) if self.sizes[place] and draws[row].by_list
        ]
        if self.listed is None or not own:
            return tokens
        ids, logits = self.listed.ids, self.listed.logits
        if len(own) < len(ids):
            ids, logits = ids[own], logits[own]
        rows = [self.rows[place] for place in own]
        for row, token_id in zip(
            rows, draw_rows(ids, logits, [draws[row].sampler for row in rows]), strict=True
        ):
            tokens[row] = token_id
        return tokens

    def top(self, row: int, count: int) -> Candidates | None:
        """A row's best tokens, if they are known."""
        if self.listed is None or row not in self.rows:
            return None
        place = self.rows.index(row)
        if not self.sizes[place]:
            return None
        return Candidates(self.listed.ids[place], self.listed.logits[place]).first(count)
