"""What the handlers share: one object under one key of the application."""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from .access import Hosts, Origins
from .installed import Catalog
from .metrics import Metrics
from .notices import Notices
from .pool import Pool
from .settings import Settings


@dataclass(frozen=True, slots=True)
class State:
    """The server's parts. `hosts` is None where the Host header is not vetted."""

    settings: Settings
    catalog: Catalog
    pool: Pool
    metrics: Metrics
    origins: Origins
    hosts: Hosts | None
    store_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while layers are added for a manifest, and while unused ones are removed."""
    notices: Notices = field(default_factory=Notices)


STATE = web.AppKey("state", State)
