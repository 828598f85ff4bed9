"""The profiles: which loads a run puts on a server. Data only, nothing runs.

A profile has a course, of one of the kinds below; `course` turns it into points, one at a time.
Groups of points: `users`, `prompt` (tokens), `rate` (requests/s), `shared` (per cent), `turns`,
`inputs`, `start`, `options`, `chat options`, `models`, `soak` (minutes), `replay`, `probe`,
`a/b` and `a/a`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .load import BASELINE, Ask, Closed, Point, Slo

SAME_SERVER = "a/a"
"""The group of points whose arms are one server twice: their prompts must differ, or the second
would find them in the prompt cache."""
OTHER_SERVER = "a/b"
MAX_RATE_PER_S = 1000.0
"""More arrivals than this no load process sends on time."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Points known beforehand, each on every arm; all of them again in each block."""

    points: tuple[Point, ...]
    blocks: int = 1
    shuffled: bool = False
    """In another order in each block, by the seed; else as they stand."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """More and more users, until more of them bring nothing, or failures."""

    ask: Ask
    users: tuple[int, ...]
    requests: int | None = None
    """Measured requests of each user; None: the fewer, the more users there are."""
    blocks: int = 3
    """How often the steps that were climbed are gone through, so that the knee has an interval."""
    adaptive: bool = True
    """Stop past the knee, and look closer around it; else exactly these users."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Longer and longer prompts, one user, until a first token would take too long."""

    ask: Ask
    tokens: tuple[int, ...]
    requests: int = 3
    patience_s: float | None = 60.0
    """No longer prompt is tried once the next would probably wait longer for its first token;
    None: all of them are tried."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Arrivals that wait for nobody, at shares of the capacity that a closed loop finds first."""

    ask: Ask
    shares: tuple[float, ...] = ()
    rates_per_s: tuple[float, ...] = ()
    """Rates instead of shares; then no capacity is looked for."""
    probe_users: int = 12
    probe_requests: int = 2
    requests: int = 24
    blocks: int = 1
    arrivals: str = "poisson"


@dataclass(frozen=True, slots=True)
class Soak:
    """One load for long, in points of about a minute each."""

    ask: Ask
    users: int
    minutes: float


Plot = Steps | Ladder | Lengths | Rates | Soak


@dataclass(frozen=True, slots=True)
class Profile:
    """What a run does; its target is none of its business."""

    name: str
    about: str
    course: Plot
    seed: int = 7
    timeout_s: float = 300.0
    """Longest wait for the next byte of an answer."""
    slo: Slo = field(default_factory=Slo)
    notes: tuple[str, ...] = ()
    """What must be known beside the figures, for example that prompt lengths are not exact."""


def users_point(users: int, ask: Ask, requests: int, warmup: int = 1) -> Point:
    """A closed loop on the axis of users."""
    label = f"{users} user" if users == 1 else f"{users} users"
    return Point("users", label, users, Closed(users, requests, warmup), ask)


def option_points(ask: Ask, load: Closed) -> tuple[Point, ...]:
    """The baseline and one point for each option that every model takes."""
    variants = {
        BASELINE: ask,
        "temperature 0": replace(ask, options={"temperature": 0}),
        "top_k 0": replace(ask, options={"top_k": 0}),
        "top_k 1": replace(ask, options={"top_k": 1}),
        "top_p 1": replace(ask, options={"top_p": 1.0}),
        "repeat_penalty 1.2": replace(ask, options={"repeat_penalty": 1.2}),
        "num_predict doubled": replace(ask, output_tokens=2 * ask.output_tokens),
        "format json": replace(ask, fields={"format": "json"}),
        "stream false": replace(ask, stream=False),
    }
    return tuple(Point("options", label, None, load, one) for label, one in variants.items())


def lengths_points(tokens: tuple[int, ...], ask_tokens: int, requests: int) -> tuple[Point, ...]:
    """One user with prompts of several lengths."""
    load = Closed(1, requests, warmup=1)
    return tuple(
        Point("prompt", f"{one} prompt tokens", one, load, Ask("generate", one, ask_tokens))
        for one in tokens
    )


SMOKE = Profile(
    name="smoke",
    about="one user, three short answers: does it run at all, in seconds",
    course=Steps((users_point(1, Ask("generate", 24, 16), requests=3),)),
    timeout_s=60.0,
)
LATENCY = Profile(
    name="latency",
    about="one user, prompts of several lengths: what a single person feels",
    course=Steps(lengths_points((64, 256, 1024), ask_tokens=48, requests=16)),
)
THROUGHPUT = Profile(
    name="throughput",
    about="1, 2, 4 ... 64 users, until more bring nothing: what batching brings, and the knee",
    course=Ladder(Ask("generate", 64, 48), users=(1, 2, 4, 8, 16, 32, 64)),
)
RATE = Profile(
    name="rate",
    about="arrivals that wait for nobody, 0.2 to 1.2 of what the server can do: goodput",
    course=Rates(Ask("generate", 64, 32), shares=(0.2, 0.4, 0.6, 0.8, 1.0, 1.2)),
)
LONG_CONTEXT = Profile(
    name="long-context",
    about="prompts from 512 tokens up to the model's context: the first token's price",
    course=Lengths(
        Ask("generate", 512, 16),
        tokens=(512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072),
    ),
    timeout_s=900.0,
)
PREFIX = Profile(
    name="prefix",
    about="prompts of which 0, 50 and 90 % are shared, and conversations: the prompt cache",
    course=Steps(
        (
            *(
                Point(
                    "shared",
                    f"{round(100 * part)} % shared",
                    round(100 * part),
                    Closed(1, requests=4, warmup=1),
                    Ask("generate", 512, 16, shared=part),
                )
                for part in (0.0, 0.5, 0.9)
            ),
            Point("turns", "6 turns", 6, Closed(1, 2, warmup=1), Ask("chat", 96, 32, turns=6)),
        ),
        blocks=3,
        shuffled=True,
    ),
)
EMBED = Profile(
    name="embed",
    about="1, 8 and 64 texts a request: embeddings",
    course=Steps(
        tuple(
            Point(
                "inputs",
                f"{inputs} text" if inputs == 1 else f"{inputs} texts",
                inputs,
                Closed(1, requests, warmup=1),
                Ask("embed", 64, 0, inputs=inputs, stream=False),
            )
            for inputs, requests in ((1, 16), (8, 8), (64, 4))
        )
    ),
)
COLD = Profile(
    name="cold",
    about="the model unloaded before each request: load time, first token",
    course=Steps(
        (
            Point("start", "warm", None, Closed(1, 5, warmup=1), Ask("generate", 24, 16)),
            Point("start", "cold", None, Closed(1, 5, 0), Ask("generate", 24, 16, cold=True)),
        )
    ),
)
OPTIONS = Profile(
    name="options",
    about="what each option costs, each in turns with a baseline",
    course=Steps(
        option_points(Ask("generate", 48, 24), Closed(1, requests=2, warmup=1)),
        blocks=10,
        shuffled=True,
    ),
)
MODELS = Profile(
    name="models",
    about="several models in turn (--model A,B): one user, and four",
    course=Steps(
        (
            users_point(1, Ask("generate", 64, 32), requests=4),
            users_point(4, Ask("generate", 64, 32), requests=2),
        ),
        blocks=5,
    ),
)
SOAK = Profile(
    name="soak",
    about="four users for half an hour (--minutes): drift, leaks",
    course=Soak(Ask("generate", 64, 64), users=4, minutes=30.0),
)
REPLAY = Profile(
    name="replay",
    about="the requests of a trace file (--trace), at its times and with its lengths",
    course=Steps(()),
)
AB = Profile(
    name="ab",
    about="two servers or models in interleaved pairs (--against, --against-model, --aa)",
    course=Steps(
        (
            Point(
                OTHER_SERVER, "1 user", 1, Closed(1, requests=4, warmup=1), Ask("generate", 64, 48)
            ),
        ),
        blocks=10,
    ),
)
PROFILES = {
    profile.name: profile
    for profile in (
        *(SMOKE, LATENCY, THROUGHPUT, RATE, LONG_CONTEXT, PREFIX, EMBED, COLD, OPTIONS, MODELS),
        *(SOAK, REPLAY, AB),
    )
}
