"""A fast BLAS under MLX on Linux, from a pip wheel.

MLX's Linux wheel carries the reference BLAS (1 to 2 GF/s). `scipy-openblas32` has OpenBLAS with
the same integer width under other names. The three functions that `libmlx.so` imports are
called through slots of its procedure linkage table, which lie in writable memory: this module
writes OpenBLAS's addresses there, checks a product, and takes them back if it is wrong.
Anything unexpected leaves MLX as it was, with one line in the log.
"""

from __future__ import annotations

import ctypes
import logging
import platform
import sys
import threading
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

WANTED: Final = {
    b"cblas_sgemm": "scipy_cblas_sgemm",
    b"cblas_dgemm": "scipy_cblas_dgemm",
    b"cblas_cgemm": "scipy_cblas_cgemm",
}
UNPACKED_CORES: Final = frozenset({b"SkylakeX", b"Cooperlake", b"SapphireRapids"})
# elf.h
_DT_PLTRELSZ: Final = 2
_DT_STRTAB: Final = 5
_DT_SYMTAB: Final = 6
_DT_JMPREL: Final = 23
_R_X86_64_JUMP_SLOT: Final = 7
_SYMBOL_BYTES: Final = 24
_RTLD_NOLOAD: Final = 4
_RTLD_DI_LINKMAP: Final = 2

_lock = threading.Lock()
_library: ctypes.CDLL | None = None
_tried = False


class _LinkMap(ctypes.Structure):
    _fields_ = (
        ("base", ctypes.c_uint64),
        ("name", ctypes.c_char_p),
        ("dynamic", ctypes.c_uint64),
    )


class _Dynamic(ctypes.Structure):
    _fields_ = (("tag", ctypes.c_int64), ("value", ctypes.c_uint64))


class _Relocation(ctypes.Structure):
    _fields_ = (
        ("offset", ctypes.c_uint64),
        ("info", ctypes.c_uint64),
        ("addend", ctypes.c_int64),
    )


class UnfitError(Exception):
    """Why the BLAS of this process is left as it is."""


def use_fast_blas(num_threads: int) -> bool:
    """Whether MLX now multiplies with OpenBLAS on so many threads; MLX must be imported already.

    More threads than idle cores make it slower, not faster: OpenBLAS's helpers spin.
    """
    global _library, _tried
    with _lock:
        if not _tried:
            _tried = True
            try:
                _library = _install()
            except (UnfitError, OSError, ImportError, AttributeError) as reason:
                log.warning("MLX keeps its own slow BLAS: %s", reason)
        if _library is not None:
            _library.scipy_openblas_set_num_threads(num_threads)
    return _library is not None


def multiplies_unpacked() -> bool:
    """Whether small products are done without copying: OpenBLAS has that for AVX-512."""
    if _library is None:
        return False
    _library.scipy_openblas_get_corename.restype = ctypes.c_char_p
    return _library.scipy_openblas_get_corename() in UNPACKED_CORES


def _install() -> ctypes.CDLL:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise UnfitError(f"{sys.platform} {platform.machine()} is not Linux x86-64")
    import scipy_openblas32

    name = Path(scipy_openblas32.get_lib_dir()) / scipy_openblas32.get_library(fullname=True)
    library = ctypes.CDLL(str(name))
    slots = _slots(_libmlx())
    if set(slots) != set(WANTED):
        raise UnfitError(f"libmlx imports {sorted(slots)}, expected {sorted(WANTED)}")
    before = {symbol: ctypes.c_uint64.from_address(at).value for symbol, at in slots.items()}
    for symbol, at in slots.items():
        function = ctypes.cast(getattr(library, WANTED[symbol]), ctypes.c_void_p)
        ctypes.c_uint64.from_address(at).value = function.value or before[symbol]
    library.scipy_openblas_set_num_threads(1)
    if not _multiplies_right():
        for symbol, at in slots.items():
            ctypes.c_uint64.from_address(at).value = before[symbol]
        raise UnfitError("OpenBLAS did not pass its self-check")
    return library


def _libmlx() -> str:
    """The path of the loaded libmlx.so."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith("/libmlx.so"):
            return line[line.index("/") :]
    raise UnfitError("libmlx.so is not loaded")


def _slots(library: str) -> dict[bytes, int]:
    """The addresses of the wanted functions' slots, each checked to be writable."""
    handle = ctypes.CDLL(library, mode=_RTLD_NOLOAD)._handle
    link = ctypes.POINTER(_LinkMap)()
    dlinfo = ctypes.CDLL(None).dlinfo
    dlinfo.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    if dlinfo(handle, _RTLD_DI_LINKMAP, ctypes.byref(link)) != 0:
        raise UnfitError("the loader does not tell where libmlx.so lies")
    base = link.contents.base
    table = _dynamic(link.contents.dynamic)
    missing = {_DT_JMPREL, _DT_PLTRELSZ, _DT_SYMTAB, _DT_STRTAB} - table.keys()
    if missing:
        raise UnfitError(f"libmlx.so has no dynamic entries {sorted(missing)}")
    count = table[_DT_PLTRELSZ] // ctypes.sizeof(_Relocation)
    relocations = (_Relocation * count).from_address(table[_DT_JMPREL])
    writable = _writable()
    found = {}
    for one in relocations:
        if one.info & 0xFFFFFFFF != _R_X86_64_JUMP_SLOT:
            continue
        symbol = table[_DT_SYMTAB] + (one.info >> 32) * _SYMBOL_BYTES
        name = ctypes.c_uint32.from_address(symbol).value
        text = ctypes.string_at(table[_DT_STRTAB] + name)
        if text in WANTED:
            at = base + one.offset
            if not any(at in pages for pages in writable):
                raise UnfitError(f"the slot of {text.decode()} is read-only")
            found[text] = at
    return found


def _dynamic(at: int) -> dict[int, int]:
    """The entries of a dynamic section, whose pointers the loader has already moved."""
    entries = {}
    while (entry := _Dynamic.from_address(at)).tag != 0:
        entries[entry.tag] = entry.value
        at += ctypes.sizeof(_Dynamic)
    return entries


def _writable() -> list[range]:
    """The writable memory of this process."""
    pages = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, permissions = line.split()[:2]
        if "w" in permissions:
            first, last = (int(one, 16) for one in place.split("-"))
            pages.append(range(first, last))
    return pages


def _multiplies_right() -> bool:
    """Whether MLX's products agree with numpy's, in both layouts."""
    import mlx.core as mx
    import numpy as np

    random = np.random.default_rng(0)
    left = random.standard_normal((33, 71), dtype=np.float32)
    right = random.standard_normal((71, 45), dtype=np.float32)
    with mx.stream(mx.cpu):
        plain = np.array(mx.array(left) @ mx.array(right))
        turned = np.array(mx.array(left) @ mx.array(np.ascontiguousarray(right.T)).T)
    expected = left @ right
    return bool(
        np.allclose(plain, expected, atol=1e-3) and np.allclose(turned, expected, atol=1e-3)
    )
