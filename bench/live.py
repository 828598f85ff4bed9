"""Locust's live web page, with our charts of TTFT and tok/s under its own. Imported by `drive`.

The figures come from the front, once a second: nothing is understood in the load process.
"""

from __future__ import annotations

import json
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import gevent
from flask import Blueprint, Response, jsonify, request
from jinja2 import DictLoader
from locust.stats import stats_history

from .live_page import PANEL

Locust: TypeAlias = Any
"""Locust's environment, which comes without types."""
HOST = "127.0.0.1"
KEPT = 1800
"""Half an hour of seconds; older ones leave the charts."""
KEY = "parallama"
COLUMNS = {
    "point": "Point",
    "load": "Load",
    "tokens_per_s": "Tokens/s",
    "ttft_p50_ms": "TTFT p50 (ms)",
    "ttft_p95_ms": "TTFT p95 (ms)",
    "done": "Requests ended",
    "errors": "Errors",
}


class Page:
    """The page while the run goes on; its stop button ends the run as Ctrl-C does."""

    def __init__(self, environment: Locust, stop: Callable[[], None]) -> None:
        self._seconds: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._points: dict[str, dict[str, Any]] = {}
        self._stop = stop
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        web = environment.create_web_ui(HOST, port, delayed_start=True)
        front = Path(web.app.template_folder) / "index.html"
        page = front.read_text(encoding="utf-8").replace("</body>", f"{PANEL}\n</body>")
        web.app.jinja_loader = DictLoader({"index.html": page})
        web.app.register_blueprint(self._routes())
        web.app.before_request(self._guard)
        web.app.after_request(self._extend)
        structure = [{"key": key, "title": title} for key, title in COLUMNS.items()]
        web.template_args["extended_tabs"] = [{"title": "TTFT and tokens/s", "key": KEY}]
        web.template_args["extended_tables"] = [{"key": KEY, "structure": structure}]
        web.start()
        gevent.spawn(stats_history, environment.runner)

    def show(self, figures: dict[str, Any]) -> None:
        """Take the figures of another second."""
        self._seconds.append(figures)
        if figures["done"]:
            self._points[figures["point"]] = {key: shown(figures.get(key)) for key in COLUMNS}

    def _routes(self) -> Blueprint:
        routes = Blueprint(KEY, __name__)

        @routes.route(f"/{KEY}/live")
        def live() -> Response:
            """The seconds after the one that the page has already."""
            after_s = request.args.get("after", -1.0, type=float)
            return jsonify([one for one in self._seconds if one["at_s"] > after_s])

        return routes

    def _guard(self) -> tuple[str, int] | Response | None:
        """Who starts users from the page would spoil the run; who stops them ends it."""
        if request.path == "/swarm":
            return "the course of the run is set by its profile", 409
        if request.path == "/stop":
            self._stop()
            return jsonify({"success": True, "message": "the run ends, what was measured is kept"})
        return None

    def _extend(self, response: Response) -> Response:
        """Locust's page takes the rows of added tables from its answer of statistics."""
        if request.path == "/stats/requests" and response.is_json:
            rows = [{"key": KEY, "data": list(self._points.values())}]
            response.set_data(json.dumps({**response.get_json(), "extended_stats": rows}))
        return response


def shown(value: object) -> object:
    """A figure as the table has it; a dash where there is none."""
    if value is None:
        return "-"
    return round(value, 1) if isinstance(value, float) else value


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
