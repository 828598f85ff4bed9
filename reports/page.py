"""One HTML file from documents: nothing is loaded from elsewhere, and nothing in them is trusted.

Names, errors, curl lines and ids come from a server under test. Autoescaping keeps them text,
`words.visible` keeps them from hiding, and a Content-Security-Policy of hashes lets no other
script or style run, should both ever fail.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from . import difference, figures, matrix, plot, verdicts, words
from .documents import LEVELS, OUTCOMES, Exchange, Run, Summary
from .matrix import Server
from .plot import Chart
from .read import Document
from .samples import Samples

TEMPLATES = Path(__file__).resolve().parent / "templates"
MAX_BODY_CHARS = 4_000  # shown of each body; run.jsonl has the rest
MAX_CURL_CHARS = 20_000  # more can hardly be pasted


@dataclass(frozen=True, slots=True)
class Bench:
    """A bench run: its figures, its samples, or both; and the conformance of its target."""

    summary: Summary | None
    samples: Samples | None
    run: Run | None

    @property
    def header(self) -> Summary | Samples:
        """The document that names profile, target and machine."""
        header = self.summary or self.samples
        assert header is not None
        return header

    @property
    def rate_chart(self) -> Chart | None:
        return plot.throughput(self.summary.points) if self.summary else None

    @property
    def sample_charts(self) -> tuple[Chart, ...]:
        """The charts that need every sample."""
        if self.samples is None:
            return ()
        points = self.samples.points
        charts = (plot.first_token(points), plot.between_tokens(points))
        return tuple(chart for chart in charts if chart is not None)

    @property
    def memory_chart(self) -> Chart | None:
        return plot.memory(self.samples.resources, self.samples.points) if self.samples else None


def sections(documents: Sequence[Document]) -> list[Run | Bench]:
    """Runs and benches in the order given; samples join the summary that began when they did."""
    runs = [document for document in documents if isinstance(document, Run)]
    loose = [document for document in documents if isinstance(document, Samples)]
    found: list[Run | Bench] = []
    for document in documents:
        if isinstance(document, Run):
            found.append(document)
        elif isinstance(document, Summary):
            own = next((s for s in loose if s.started_at == document.started_at), None)
            loose = [samples for samples in loose if samples is not own]
            url = document.target.get("url")
            found.append(Bench(document, own, next((r for r in runs if r.url == url), None)))
    return found + [Bench(None, samples, None) for samples in loose]


def render(documents: Sequence[Document]) -> str:
    """The page of these documents."""
    return _page("report.html", sections=sections(documents))


def render_matrix(servers: Sequence[Server]) -> str:
    """The page of several runs beside each other."""
    return _page(
        "matrix.html",
        servers=matrix.ranked(servers),
        classes=matrix.classes(servers),
        matrix=matrix,
    )


def _page(template: str, **given: object) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        words=words,
        verdicts=verdicts,
        figures=figures,
        sides=difference.sides,
        body=lambda text: difference.cut(text, MAX_BODY_CHARS),
        curl=lambda text: difference.cut(text, MAX_CURL_CHARS),
        arrivals=arrivals,
        prose=prose,
        LEVELS=LEVELS,
        OUTCOMES=OUTCOMES,
    )
    style, script = (_source(name) for name in ("report.css", "report.js"))
    text = environment.get_template(template).render(
        style=Markup(style),  # our own file
        script=Markup(script),  # our own file
        policy=_policy(style, script),
        **given,
    )
    return text.rstrip() + "\n"


def prose(text: str) -> Markup:
    """A sentence in which `words between backticks` are code."""
    pieces = words.visible(text).split("`")
    if len(pieces) % 2 == 0:  # a backtick without its partner
        return escape(words.visible(text))
    code = Markup("<code>{}</code>")
    return Markup("").join(
        code.format(piece) if place % 2 else escape(piece) for place, piece in enumerate(pieces)
    )


def arrivals(exchange: Exchange) -> list[float]:
    """Where the pieces of a body lie between 0 and the last one, in percent."""
    last = max((at for at, _ in exchange.pieces), default=0.0)
    return [round(100 * max(at, 0.0) / last, 2) if last > 0 else 0.0 for at, _ in exchange.pieces]


def _shown(anything: object) -> object:
    """What an expression of a template prints; markup of our own passes as it is."""
    return words.visible(anything) if type(anything) is str else anything


def _source(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8").strip()


def _policy(style: str, script: str) -> str:
    """Allow this style and this script, and nothing else from anywhere."""
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
