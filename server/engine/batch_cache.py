"""The KV cache of the running batch: one row a sequence, each at its own position.

Rows lie in `bands`, and in the batch those of one band follow each other. Within a band they are
packed at the front, so that a step touches nothing but running sequences; a row that leaves is
replaced by the last one. A row's tokens lie at 0, 1, 2, ... with no padding before them. Engine
thread only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import mlx.core as mx

from .attention import Banded
from .bands import band_of, room_for
from .cache import FillingCache
from .kv_format import Arrays, Attended, attended, empty, stored
from .loader import KVShape


class Band:
    """Rows of up to so many tokens each."""

    def __init__(self, shape: KVShape, num_tokens: int) -> None:
        self._shape = shape
        self.num_tokens = num_tokens
        self.room = 0
        self.slots: list[int] = []  # by row
        self.lengths: list[int] = []  # by row
        self.layers: list[Arrays] = []

    @property
    def nbytes(self) -> int:
        """The bytes of all keys and values, used or not."""
        return sum(int(one.nbytes) for arrays in self.layers for one in arrays)

    def reserve(self, num_rows: int) -> None:
        """Have room for so many rows, and not more than twice as many."""
        most = 2 * num_rows if num_rows > 1 else 1
        if num_rows <= self.room <= most:
            return
        held, self.room = len(self.slots), room_for(num_rows)
        old, self.layers = self.layers, []
        for index in range(self._shape.num_layers):
            arrays = empty(self._shape, self.room, self.num_tokens)
            if held:
                for array, one in zip(arrays, old[index], strict=True):
                    array[:held] = one[:held]
            mx.eval(arrays)
            self.layers.append(arrays)

    def add(self, slot: int, length: int, layers: Sequence[Arrays]) -> None:
        """A row with so many tokens, one row of arrays a layer; none where there is no token."""
        self.reserve(len(self.slots) + 1)
        row = len(self.slots)
        self.slots.append(slot)
        self.lengths.append(length)
        for arrays, own in zip(self.layers, layers, strict=True) if length else ():
            for array, one in zip(arrays, own, strict=True):
                array[row : row + 1, :, :length] = one
        mx.eval(self.layers)

    def part(self, slot: int, start: int, stop: int) -> list[Arrays]:
        """Views of a slot's keys and values, one row of some tokens a layer."""
        row = self.slots.index(slot)
        assert stop <= self.lengths[row]
        return [tuple(one[row : row + 1, :, start:stop] for one in each) for each in self.layers]

    def remove(self, slot: int) -> None:
        """Drop a row; the last one takes its place."""
        row, last = self.slots.index(slot), len(self.slots) - 1
        if row != last:
            # copied first: a buffer that is read in the same step is not written in place
            moved = self.copied(self.slots[last])
            length = self.lengths[row] = self.lengths[last]
            self.slots[row] = self.slots[last]
            for arrays, own in zip(self.layers, moved, strict=True):
                for array, one in zip(arrays, own, strict=True):
                    array[row : row + 1, :, :length] = one
            mx.eval(self.layers)
        self.slots.pop()
        self.lengths.pop()
        if self.slots:
            self.reserve(len(self.slots))

    def copied(self, slot: int) -> list[Arrays]:
        """A slot's keys and values, in arrays of their own."""
        length = self.lengths[self.slots.index(slot)]
        layers = [tuple(map(mx.contiguous, each)) for each in self.part(slot, 0, length)]
        mx.eval(layers)
        return layers


@dataclass(frozen=True, slots=True)
class Place:
    """Where one step writes in one band: `rows` of the batch, from the first to the last."""

    band: Band
    rows: slice
    at: mx.array  # `(n,)`, the rows of the band
    offset: mx.array  # `(n,)`, the new tokens' positions
    end: int  # the longest row with its new token
    level: bool  # whether all rows are equally long

    def write(self, array: mx.array, new: mx.array) -> None:
        """Put one token a row, `(n, heads, 1, ...)`, where it belongs.

        In place: MLX reuses the buffer, since nothing else refers to it.
        """
        if self.level:  # one operation in the place of fifteen
            array[: new.shape[0], :, self.end - 1 : self.end] = new
        else:
            array[self.at, :, self.offset] = new[:, :, 0]


class Positions:
    """Where one step reads and writes: shared by all layers, made once a step."""

    def __init__(self, bands: Iterable[Band]) -> None:
        taken = [band for band in bands if band.slots]
        lengths = [length for band in taken for length in band.lengths]
        self.offset = mx.array(lengths)
        ends = [*accumulate(len(band.slots) for band in taken)]
        self.places = [
            Place(
                band=band,
                rows=slice(end - len(band.slots), end),
                at=mx.arange(len(band.slots)),
                offset=self.offset[end - len(band.slots) : end],
                end=max(band.lengths) + 1,
                level=min(band.lengths) == max(band.lengths),
            )
            for band, end in zip(taken, ends, strict=True)
        ]
        self._longest = max(lengths) + 1
        self._shortest = min(lengths) + 1
        self.mask = self._mask(None)
        self._windows: dict[int, mx.array | None] = {}

    def window(self, size: int) -> mx.array | None:
        """The mask of layers that look back so many tokens, the new one included."""
        if size not in self._windows:
            self._windows[size] = self._mask(size)
        return self._windows[size]

    def _mask(self, window: int | None) -> mx.array | None:
        """`(B, 1, 1, end)`; None where every row sees all there is."""
        if self._shortest == self._longest and (window is None or self._longest <= window):
            return None
        at = mx.arange(self._longest)
        seen = at <= self.offset[:, None]
        if window is not None:
            seen &= at > self.offset[:, None] - window
        return seen[:, None, None, :]


class LayerCache(Attended):
    """One layer of the batch.

    Speaks the part of mlx-lm's cache protocol that a decode step of one token a row needs.
    """

    def __init__(self, shape: KVShape, index: int) -> None:
        super().__init__(shape.packing)
        self._packing = shape.packing
        self._index = index
        self.positions: Positions | None = None

    @property
    def offset(self) -> mx.array:
        """The position of each row's new token, for the rotary embedding."""
        assert self.positions is not None
        return self.positions.offset

    def make_mask(
        self, num_tokens: int, return_array: bool = False, window_size: int | None = None
    ) -> mx.array | None:
        """What each row may look at, `(B, 1, 1, end)`; None when that is everything."""
        assert self.positions is not None
        assert num_tokens == 1
        return self.positions.window(window_size) if window_size else self.positions.mask

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[Any, Any]:
        """Write one token a row, `(B, heads, 1, head_dim)`, and return all up to the longest.

        Where rows lie in several bands, all of it comes as `Banded`.
        """
        assert self.positions is not None
        new, seen = stored(keys, values, self._packing), []
        for place in self.positions.places:
            arrays = place.band.layers[self._index]
            for array, one in zip(arrays, new, strict=True):
                place.write(array, one if len(self.positions.places) == 1 else one[place.rows])
            num_rows = place.rows.stop - place.rows.start
            own = tuple(one[:num_rows, :, : place.end] for one in arrays)
            seen.append(attended(own, self._packing))
        if len(seen) == 1:
            return seen[0]
        rows = tuple(place.rows for place in self.positions.places)
        ends = tuple(place.end for place in self.positions.places)
        all_keys, all_values = zip(*seen, strict=True)
        return Banded(rows, ends, all_keys), Banded(rows, ends, all_values)


class BatchCache:
    """The rows of all running sequences, by slot."""

    def __init__(self, shape: KVShape) -> None:
        self._shape = shape
        self._bands: dict[int, Band] = {}  # by tokens, shortest first
        self._band_of: dict[int, Band] = {}  # by slot
        self._before: list[tuple[Band, list[Arrays]]] = []  # while a step is begun
        self.layers = [LayerCache(shape, index) for index in range(shape.num_layers)]

    def __contains__(self, slot: int) -> bool:
        return slot in self._band_of

    def __len__(self) -> int:
        return len(self._band_of)

    @property
    def slots(self) -> tuple[int, ...]:
        """The slots in the order of the batch's rows, which joining, leaving and growing change."""
        return tuple(slot for band in self._bands.values() for slot in band.slots)

    def length(self, slot: int) -> int:
        """How many tokens of a slot are cached."""
        band = self._band_of[slot]
        return band.lengths[band.slots.index(slot)]

    @property
    def nbytes(self) -> int:
        """The bytes of all keys and values, used or not."""
        return sum(band.nbytes for band in self._bands.values())

    def part(self, slot: int, start: int, stop: int) -> list[Arrays]:
        """Views of a slot's keys and values, one row of some tokens a layer.

        Copy them before the next step, which would otherwise have to copy the whole cache.
        """
        return self._band_of[slot].part(slot, start, stop)

    def join_all(self, filled: Mapping[int, Sequence[FillingCache]]) -> None:
        """Give slots rows with their prefilled tokens; without caches where there are none."""
        lengths = {slot: caches[0].offset if caches else 0 for slot, caches in filled.items()}
        for num_tokens, more in Counter(map(band_of, lengths.values())).items():
            band = self._band(num_tokens)
            band.reserve(len(band.slots) + more)  # once for all of them
        for slot, caches in filled.items():
            length = lengths[slot]
            self._add(slot, length, [one.part(0, length) for one in caches])

    def leave_all(self, slots: Iterable[int]) -> None:
        """Drop the rows of these slots."""
        for slot in slots:
            if slot in self._band_of:
                self._remove(slot)
        for layer in self.layers:
            layer.positions = None  # which hold on to bands that are gone

    def begin_step(self) -> None:
        """Make room for one token more in every row, and tell the layers where it goes."""
        for band in [*self._bands.values()]:
            full = [
                slot
                for slot, length in zip(band.slots, band.lengths, strict=True)
                if length == band.num_tokens
            ]
            for slot in full:
                layers = band.copied(slot)
                self._remove(slot)
                self._add(slot, band.num_tokens, layers)
        positions = Positions(self._bands.values())
        for layer in self.layers:
            layer.positions = positions
        # other objects of the same arrays: writing changes the object that is written to
        self._before = [
            (band, [tuple(map(copy, arrays)) for arrays in band.layers])
            for band in self._bands.values()
        ]

    def end_step(self) -> None:
        """Count the token that every row gets; evaluate the step after this, not before.

        Nothing else may refer to the arrays then, or MLX would copy them.
        """
        self._before = []
        for band in self._bands.values():
            band.lengths = [length + 1 for length in band.lengths]

    def abandon_step(self) -> None:
        """Be as before `begin_step`; what the step wrote is never computed."""
        for band, layers in self._before:
            band.layers = layers
        self._before = []

    def _add(self, slot: int, length: int, layers: Sequence[Arrays]) -> None:
        band = self._band_of[slot] = self._band(band_of(length))
        band.add(slot, length, layers)

    def _band(self, num_tokens: int) -> Band:
        if num_tokens not in self._bands:
            self._bands[num_tokens] = Band(self._shape, num_tokens)
            self._bands = dict(sorted(self._bands.items()))
        return self._bands[num_tokens]

    def _remove(self, slot: int) -> None:
        band = self._band_of.pop(slot)
        band.remove(slot)
        if not band.slots:
            del self._bands[band.num_tokens]
