"""Records to an HTTP answer: as a stream of lines, or the last one as an object.

The client's reading speed holds up only its own stream: each line is written when the one before
is on its way.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing

import structlog
from aiohttp import web

from .decode import DecodeError
from .errors import ApiError
from .framing import encode, line
from .template import TemplateError
from .wire import Record

log = structlog.get_logger("parallama")


async def reply(
    request: web.Request, records: AsyncIterator[Record], *, stream: bool
) -> web.StreamResponse:
    """The answer to a request that gives several records.

    An error before the first line is raised, to become an ordinary error answer; one after it
    becomes the last line (STREAM-010, STREAM-011). Not streamed, the last record is the answer.
    """
    async with aclosing(records):  # type: ignore[type-var]
        if not stream:
            last: Record = {}
            async for record in records:
                last = record
            return object_reply(last)
        first = await anext(records)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        await response.write(line(first))
        await _rest(response, records)
        await response.write_eof()
        return response


async def _rest(response: web.StreamResponse, records: AsyncIterator[Record]) -> None:
    try:
        async for record in records:
            await response.write(line(record))
    except (ApiError, DecodeError, TemplateError) as error:
        await response.write(line({"error": str(error)}))
    except ConnectionError:
        raise
    except Exception:
        log.exception("failed in mid-stream")
        await response.write(line({"error": "internal server error"}))


def object_reply(record: Record) -> web.Response:
    """One JSON object."""
    return web.Response(body=encode(record), content_type="application/json", charset="utf-8")
