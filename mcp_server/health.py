"""Whether the process is alive, and whether it could answer a question now."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.policy.errors import Unavailable

_SECONDS = 2
_KEPT_SECONDS = 1

Check = Callable[[], Awaitable[None]]
"""Raises Unavailable."""


async def healthz(_: Request) -> Response:
    """The process is alive. It says nothing of the database, so that an outage there restarts nothing here."""
    return JSONResponse({"status": "ok"})


class Readiness:
    """`/readyz`: 200 while every part answers, else 503 with the names of those that do not.

    Anybody may ask, so one look serves everybody for a second, and nothing is said of where a part is or what it lacks.
    """

    def __init__(self, parts: Mapping[str, Check]) -> None:
        self._parts = parts
        self._looked_at = -float("inf")
        self._found: dict[str, str] = {}
        self._looking = asyncio.Lock()
        self._draining = False

    def drain(self) -> None:
        """From here on nothing new should come: the process will end."""
        self._draining = True

    async def show(self, _: Request) -> Response:
        async with self._looking:
            if time.monotonic() >= self._looked_at + _KEPT_SECONDS:
                found = await asyncio.gather(*map(_look, self._parts.values()))
                self._found, self._looked_at = dict(zip(self._parts, found, strict=True)), time.monotonic()
        status = "draining" if self._draining else "ok" if set(self._found.values()) <= {"ok"} else "unavailable"
        return JSONResponse({"status": status, "parts": self._found}, 200 if status == "ok" else 503)


async def _look(check: Check) -> str:
    try:
        async with asyncio.timeout(_SECONDS):
            await check()
    except (Unavailable, TimeoutError):
        return "away"
    return "ok"
