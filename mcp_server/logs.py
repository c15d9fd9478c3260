"""Logging to stderr, without what people asked or what data said."""

import logging
import sys
import traceback
from types import TracebackType

QUIET = ("mcp", "httpx2", "httpcore2", "asyncio")
_Info = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class WhereNotWhat(logging.Formatter):
    """Tracebacks with places and types but no messages: those repeat values, and values are patients'."""

    def formatException(self, ei: _Info) -> str:  # noqa: N802 - logging's own name
        kind, _, trace = ei
        frames = "".join(traceback.format_tb(trace))
        return f"{frames}{kind.__name__ if kind else ''}"


def configure() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(WhereNotWhat("{asctime} {levelname} {name} {message}", style="{"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # One line per request and per connection; formatting it takes longer than answering.
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
