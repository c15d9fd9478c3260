"""The HTTP service as a process."""

import gc

import uvicorn

from mcp_server.settings import HttpService
from mcp_server.transports.http import http_app


def serve(settings: HttpService) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are finished first."""
    app = http_app(settings)
    _spare_the_collector()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


def _spare_the_collector() -> None:
    """What is here stays, and what a call makes goes when it ends: looking for cycles took a seventh of its time."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
