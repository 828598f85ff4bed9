"""Times as the API writes them."""

from __future__ import annotations

import re
from datetime import datetime

from .evidence import Wrong

RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def moment(value: object) -> float:
    """An RFC 3339 time in seconds since 1970; nanoseconds are kept as far as floats go."""
    found = RFC_3339.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Wrong("an RFC 3339 time", value)
    try:
        whole = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
    except ValueError as error:
        raise Wrong("an RFC 3339 time", f"{value}: {error}") from None
    return whole.timestamp() + float(f"0.{found[2] or 0}")
