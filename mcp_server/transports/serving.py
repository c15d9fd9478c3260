"""The HTTP service as a process, or as several that answer at one port."""

import asyncio
import gc
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from mcp_server import logs
from mcp_server.settings import HttpService, load
from mcp_server.transports import accepting
from mcp_server.transports.connection import Connection
from mcp_server.transports.exposition import exposed

_SECONDS_TO_FINISH = 10
_KEEP_ALIVE_SECONDS = 75
"""Longer than proxies keep a connection that nobody uses: who closes it first answers for the request that is lost."""
_LOOP = f"{accepting.__name__}:{accepting.Accepting.__name__}"
_PROXIES = "FORWARDED_ALLOW_IPS"
"""uvicorn's: the proxies whose X-Forwarded-For is believed. Without it that would be whoever asks from this machine."""


def serve(settings: HttpService) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are finished first. A worker that dies is replaced."""
    os.environ.setdefault("MCP_STATE_KEY", secrets.token_hex())  # any worker may be brought what another one gave
    with exposed(settings):
        uvicorn.run(
            "mcp_server.transports.serving:worker",
            factory=True,
            workers=settings.workers,
            host=settings.host,
            port=settings.port,
            http=partial(Connection, seconds=settings.request_timeout),  # type: ignore[arg-type]  # made as a class is
            loop=_LOOP,
            ws="none",
            limit_concurrency=settings.connections,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_SECONDS_TO_FINISH,
            proxy_headers=_PROXIES in os.environ,
            access_log=False,
            log_config=None,
            server_header=False,
        )


def worker() -> Any:
    """The application of one process, with its settings from the environment, as the first process read them."""
    from mcp_server.transports.http import http_app  # with several workers, the first process answers nothing itself

    logs.configure()
    settings = load(HttpService)
    app = http_app(settings)
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(scope: Any) -> AsyncIterator[Any]:
        async with inner(scope) as state:
            _end_gently(app.drain, app.end_streams, settings.drain)
            yield state

    app.router.lifespan_context = lifespan
    _spare_the_collector()
    return app


def _end_gently(drain: Callable[[], None], end_streams: Callable[[], None], seconds: float) -> None:
    """Before uvicorn hears of a signal to end: say that nothing new should come, wait, and end what would not end.

    Whoever ends a group of processes signals each of them, and the first one signals its workers again: one time
    counts, but for the second Ctrl-C of somebody who will not wait.
    """
    loop, draining = asyncio.get_running_loop(), False

    def hook(number: signal.Signals) -> None:
        end = signal.getsignal(number)  # uvicorn's, which is installed by now
        if not callable(end):
            return

        def finish() -> None:
            end_streams()
            end(number, None)

        def begin() -> None:
            drain()
            loop.call_later(seconds, finish)

        def handle(_: int, frame: FrameType | None) -> None:
            nonlocal draining
            if not draining:
                draining = True
                loop.call_soon_threadsafe(begin)
            elif number == signal.SIGINT:
                end(number, frame)

        signal.signal(number, handle)

    hook(signal.SIGTERM)
    hook(signal.SIGINT)


def _spare_the_collector() -> None:
    """What is here stays, and what a call makes goes when it ends: looking for cycles took a seventh of its time."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
