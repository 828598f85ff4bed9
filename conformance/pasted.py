"""Command lines to paste: each sends again what was sent, byte for byte where it was sent so.

What curl would send is known here as far as it has to be; whatever it would send otherwise goes
through `curl telnet://`, which passes its input on, all but the byte 0xFF, which it doubles.
What holds that byte goes through bash. Nothing here talks to anybody.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from .evidence import Request

MAX_PASTED = 16 * 1024  # bytes of a body; more cannot be pasted
MAX_TIME_S = 5  # for an answer to bytes after which nobody may close
LONG = 1024  # bytes; what is longer is made on the spot where it repeats itself
REPEATED = re.compile(rb"([ !-,.-~][ -~]{,11}?)\1{99,}")  # of a minus, `yes` makes an option
MANY_LINES = 10  # equal ones in a row, that are told once
LINE = re.compile(rb"[^\n]*\n|[^\n]+")
CAN_BE_A_WORD = re.compile(rb"[^-\0\n][^\0\n]{,65535}\n")
SHORTEST_S, BEGUN_S = 0.2, 0.5  # of a connection that is hung up on; for it to have begun
TELNET_BYTES_PER_S = 300_000  # half of what curl was seen to pass on from a pipe
DOUBLED = b"\xff"  # telnet's "interpret as command"
REQUEST_LINE = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/(1\.[01])")
FIELD = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([ -~]*)")
NOT_REPEATED = {"host", "content-length", "connection"}  # curl tells them itself
NO_GUESSES = ("-H", "User-Agent:", "-H", "Accept:")  # else curl tells these
PLAIN_PATH = re.compile(r"/(?:[!-\"$-~]*[!-\"$->@-~])?")  # no fragment, no empty query
GLOBS, DOTS = set("[]{}"), "/."  # what curl reads into, and takes out of, an address
CONTINUED = 1 << 20  # of larger bodies curl first asks whether they may come


@dataclass(frozen=True, slots=True)
class Sent:
    """What went over a line: bytes in the writes in which they went, and the pause to leave."""

    parts: tuple[bytes, ...]
    pause_s: float = 0.05

    @property
    def whole(self) -> bytes:
        """All of it."""
        return b"".join(self.parts)


@dataclass(frozen=True, slots=True)
class Left:
    """What was sent on a connection that we hung up on, and when, counted in exchanges."""

    sent: Sent
    held_s: float
    opened_at: int
    closed_at: int
    read: bool = True  # what came meanwhile


def line_of(url: str, request: Request, sent: Sent | None) -> str:
    """The command that sends this again: `sent` exactly, else the request as curl tells it."""
    place = urlsplit(url)
    if sent is not None and place.scheme == "http":
        return _exactly(place.netloc, sent)
    return _plainly(url, request)


def after(url: str, left: Sequence[Left], at: int, command: str) -> str:
    """The command after those that hang up as we did, so far as we had by the exchange `at`."""
    authority = urlsplit(url).netloc
    gone = [one for one in left if one.read and one.closed_at <= at]
    there = [one for one in left if one.opened_at <= at and one not in gone]
    steps = [f"({_leaving(authority, gone)} wait)"] if gone else []
    steps += [f"({_leaving(authority, there)}); sleep {BEGUN_S}"] if there else []
    return "; ".join([*steps, command])


def _leaving(authority: str, left: Sequence[Left]) -> str:
    """Commands in the background, each of which hangs up by itself; equal ones together."""
    alike: dict[tuple[Sent, bool], list[float]] = {}
    for one in left:
        alike.setdefault((one.sent, one.read), []).append(one.held_s)
    steps = []
    for (sent, read), times_s in alike.items():
        held_s = max(SHORTEST_S, round(max(times_s) + 0.05, 1))
        sink = "> /dev/null 2>&1" if read else f"| sleep {held_s:g}"
        step = f"{_exactly(authority, sent, held_s)} {sink} &"
        many = len(times_s) > 1
        steps.append(f"for n in $(seq {len(times_s)}); do {step} done;" if many else step)
    return " ".join(steps)


# -- a request as curl tells it -------------------------------------------------------------


def tells_all(request: Request) -> bool:
    """Whether a request is so ordinary that curl, told of it, sends the same."""
    given = {name.lower(): value.strip() for name, value in request.headers}
    text = "".join(f"{name}{value}" for name, value in request.headers)
    printable = text.isascii() and text.isprintable()
    size = str(len(request.body or b""))
    return (
        printable
        and PLAIN_PATH.fullmatch(request.path) is not None
        and not (request.method == "HEAD" and request.body)
        and "transfer-encoding" not in given
        and given.get("content-length", size) == size
    )


def _plainly(url: str, request: Request) -> str:
    words = ["curl", "-sS", "-i", "-N"]
    if request.method == "HEAD":
        words[-1] = "--head"
    elif request.method != "GET" or request.body is not None:
        words += ["-X", request.method]
    words += [*_as_it_is(request.path), url + request.path]
    for name, value in request.headers:
        if name.lower() not in NOT_REPEATED:
            words += ["-H", f"{name}: {value.strip()}" if value.strip() else f"{name};"]
        elif name.lower() == "host" and (not value or value not in url):
            words += ["-H", f"Host: {value}" if value else "Host;"]
    given = {name.lower() for name, _ in request.headers}
    if request.body is not None and "content-type" not in given:
        words += ["-H", "Content-Type:"]  # else curl says that it is a form
    body = request.body
    if body is not None and "transfer-encoding" in given:
        body = _unchunked(body)  # curl makes chunks of its own
    return _piped(shlex.join(words), body)


def _as_it_is(path: str) -> list[str]:
    """The words after which curl leaves a path alone."""
    return ["--path-as-is"] * (DOTS in path) + ["-g"] * bool(GLOBS & set(path))


def _piped(command: str, body: bytes | None) -> str:
    """The command with its body: as an argument where it can be one, else through a pipe."""
    if body is None:
        return command
    if made := _made(body):
        return _into(made, command)
    if len(body) > MAX_PASTED:
        return f"{command} --data-binary @FILE"
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" not in text:
        option = "--data-raw" if text.startswith("@") else "-d"
        return f"{command} {option} {shlex.quote(text)}"
    return _into([_printed(body)], command)


def _into(made: Sequence[str], command: str) -> str:
    return f"{_block(made)} | {command} --data-binary @-"


def _block(commands: Sequence[str]) -> str:
    return commands[0] if len(commands) == 1 else f"{{ {'; '.join(commands)}; }}"


def _unchunked(body: bytes) -> bytes:
    """The content of a chunked body; itself where it is no chunked body."""
    content, rest = b"", body
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        try:
            length = int(size.partition(b";")[0], 16)
        except ValueError:
            return body
        if not length:
            return content
        content, rest = content + rest[:length], rest[length + 2 :]
    return body


# -- bytes that are printed -----------------------------------------------------------------


def _printed(content: bytes) -> str:
    """A command that prints these bytes."""
    escaped = "".join(_escaped(one) for one in content)
    return f"printf -- '{escaped}'"


def _escaped(byte: int) -> str:
    if byte in b"\r\n":
        return "\\r" if byte == 13 else "\\n"
    return chr(byte) if 32 <= byte < 127 and byte not in b"\\%'" else f"\\{byte:03o}"


def _made(content: bytes) -> list[str] | None:
    """Commands that print much, which is made where it repeats itself; None: it does not."""
    if len(content) <= LONG:
        return None
    made: list[str] = []
    literal = 0
    for one, times in _runs_of_lines(content):
        commands, told = _made_of_words(one[:-1] if times > 1 else one)
        literal += told
        again = f'yes "$({"; ".join(commands)})" | head -n {times}'
        made += commands if times == 1 else [again]
    return None if literal > min(MAX_PASTED, len(content) // 2) else made


def _runs_of_lines(content: bytes) -> Iterable[tuple[bytes, int]]:
    """The content in order: lines that come many times in a row, and what lies between."""
    between = b""
    for one, run in groupby(LINE.findall(content)):
        times = len(list(run))
        if times < MANY_LINES or not CAN_BE_A_WORD.fullmatch(one):
            between += one * times
            continue
        if between:
            yield between, 1
        yield one, times
        between = b""
    if between:
        yield between, 1


def _made_of_words(content: bytes) -> tuple[list[str], int]:
    """Commands that print this, and how many bytes of it they tell as they are."""
    made, literal, end = list[str](), 0, 0
    for run in REPEATED.finditer(content):
        before = content[end : run.start()]
        unit, times = run[1], len(run[0]) // len(run[1])
        made += [_printed(before)] if before else []
        made.append(f"yes {shlex.quote(unit.decode())} | head -n {times} | tr -d '\\n'")
        literal, end = literal + len(before), run.end()
    rest = content[end:]
    return [*made, _printed(rest)] if rest else made, literal + len(rest)


# -- bytes as they were sent ----------------------------------------------------------------


def _exactly(authority: str, sent: Sent, held_s: float | None = None) -> str:
    """A command that sends these bytes and no others, and shows what comes back (so long)."""
    ordinary = _by_curl(authority, sent.whole, held_s) if len(sent.parts) == 1 else None
    if ordinary is not None:
        return ordinary
    made: list[str] = []
    for number, part in enumerate(one for one in sent.parts if one):
        made += [f"sleep {sent.pause_s:g}"] * bool(number)
        made += _made(part) or [_printed(part) if len(part) <= MAX_PASTED else "cat FILE"]
    pauses_s = sent.pause_s * len(sent.parts)
    takes_s = round(pauses_s + len(sent.whole) / TELNET_BYTES_PER_S)
    limit_s = takes_s + (MAX_TIME_S if held_s is None else held_s)
    return f"{_block(made or [_printed(b'')])} | {_sink(authority, sent.whole, limit_s)}"


def _sink(authority: str, whole: bytes, limit_s: float) -> str:
    if DOUBLED not in whole:
        return f"curl -sN --max-time {limit_s:g} telnet://{authority}"
    place = urlsplit(f"//{authority}")
    opened = f"exec 3<>/dev/tcp/{place.hostname}/{place.port or 80}"
    return f"bash -c '{opened}; cat >&3; timeout {limit_s:g} cat <&3'"


def _by_curl(authority: str, whole: bytes, held_s: float | None) -> str | None:
    """An ordinary curl line that sends exactly these bytes; None where curl cannot."""
    head, end, body = whole.partition(b"\r\n\r\n")
    first, *rest = head.split(b"\r\n")
    asked = REQUEST_LINE.fullmatch(first)
    fields = [FIELD.fullmatch(one.decode("latin-1")) for one in rest]
    if not end or asked is None or not all(fields):
        return None
    told = [(one[1], one[2]) for one in fields if one is not None]
    if not _is_told_by_curl(told, body):
        return None
    method, path, version = (one.decode() for one in asked.groups())
    words = ["curl", "-sS", "-i", "-N", *["--http1.0"] * (version == "1.0")]
    words += ["-m", f"{held_s:g}"] if held_s is not None else []
    if method == "HEAD":
        words[3] = "--head"
    elif method != "GET" or body:
        words += ["-X", method]
    if PLAIN_PATH.fullmatch(path):
        words += [*_as_it_is(path), f"http://{authority}{path}"]
    else:
        words += ["--request-target", path, f"http://{authority}/"]
    words += _told_again(told, authority, body)
    return _piped(shlex.join(words), body or None)


def _is_told_by_curl(told: Sequence[tuple[str, str]], body: bytes) -> bool:
    """Whether curl sends these headers as they are, in their order, and this body after them."""
    names = [name.lower() for name, _ in told]
    first = [n for n, name in enumerate(names) if name == "host"]
    lengths = [value.strip() for name, value in told if name.lower() == "content-length"]
    odd = {"transfer-encoding", "expect", "user-agent", "accept"} & set(names)
    blank = any(value and not value.strip() for _, value in told)
    wanted = [str(len(body))] if body else []
    return not odd and not blank and first in ([], [0]) and lengths == wanted


def _told_again(told: Sequence[tuple[str, str]], authority: str, body: bytes) -> list[str]:
    """The words that make curl tell these headers and no others."""
    words = list(NO_GUESSES)
    names = [name.lower() for name, _ in told]
    words += ["-H", "Host:"] * ("host" not in names)
    words += ["-H", "Content-Type:"] * bool(body and "content-type" not in names)
    words += ["-H", "Expect:"] * (len(body) > CONTINUED)
    for name, value in told:
        if (name, value) != ("Host", f" {authority}"):
            words += ["-H", f"{name}:{value}" if value else f"{name};"]
    return words
