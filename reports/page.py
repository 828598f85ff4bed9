"""One HTML file from documents: nothing is loaded from elsewhere, and nothing in them is trusted.

Names, errors, curl lines and ids come from a server under test. Autoescaping keeps them text,
`words.visible` keeps them from hiding, and a Content-Security-Policy of hashes lets no other
script or style run, should both ever fail.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from . import charts, difference, elapsed, figures, forest, matrix, verdicts, words
from .benches import Summary
from .documents import LEVELS, OUTCOMES, Exchange, Run
from .history import Kept, trends
from .matrix import Server
from .read import Document

TEMPLATES = Path(__file__).resolve().parent / "templates"
MAX_BODY_CHARS = 4_000  # shown of each body; run.jsonl has the rest
MAX_CURL_CHARS = 20_000  # more can hardly be pasted


@dataclass(frozen=True, slots=True)
class Bench:
    """A bench run, and the conformance runs of its arms that were given beside it."""

    summary: Summary
    runs: Mapping[int, Run]

    @property
    def title(self) -> str:
        """What was measured: the model, or the arms against each other."""
        names = [words.inline(arm.target.get("model", "a server")) for arm in self.summary.arms]
        if len(set(names)) < len(names):
            names = [arm.name for arm in self.summary.arms]
        return " against ".join(names)

    def conformance(self, arm: int) -> str | None:
        """The headline of an arm's conformance run, where one is known."""
        run = self.runs.get(arm)
        return run.headline if run else self.summary.arms[arm].conformance


def sections(documents: Sequence[Document]) -> list[Run | Bench]:
    """Runs and benches in the order given."""
    runs = {document.url: document for document in documents if isinstance(document, Run)}
    found: list[Run | Bench] = []
    for document in documents:
        if isinstance(document, Run):
            found.append(document)
            continue
        urls = [arm.target.get("url") for arm in document.arms]
        judged = {
            n: runs[url] for n, url in enumerate(urls) if isinstance(url, str) and url in runs
        }
        found.append(Bench(document, judged))
    return found


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


def render_history(runs: Sequence[Kept]) -> str:
    """The page of bench runs over time."""
    return _page("history.html", runs=runs, trends=trends(runs))


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
        charts=charts,
        elapsed=elapsed,
        forest=forest,
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
