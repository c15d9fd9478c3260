"""The web service, the same in production and in the demo: `python -m jhe`."""

import ctypes
import gc
import logging
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from threading import Thread
from types import FrameType

import django
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections
from waitress.server import create_server

from jhe import env

LIMITS = "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"
"""What no statement of a request takes, so that nobody holds a thread for ever. Migrations and the worker have none."""

APPLICATION_NAME = "jhe web"
"""What PostgreSQL calls its connections, in pg_stat_activity."""

THREADS = 12
"""Requests that are answered at once. Each thread keeps a database connection; further requests wait their turn."""

MAX_CONNECTIONS = 500
"""Clients at a time, however slow. Each holds a socket and what it sent so far, of which 128 kB in memory."""

_M_ARENA_MAX = -8  # malloc.h

MAX_BODY_BYTES = 10 * 1024 * 1024
"""Ten times a bundle of a thousand observations. A larger request is told 413, whoever sends it."""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jhe.settings")
    os.environ.setdefault("PGAPPNAME", APPLICATION_NAME)
    os.environ.setdefault("PGOPTIONS", LIMITS)
    django.setup()
    try:
        call_command("check")  # without a key to sign tokens with, among others, it does not start
    except SystemCheckError as error:
        sys.exit(str(error))
    Thread(target=warn, daemon=True).start()  # a database that is away does not keep it from starting
    connections.close_all()  # the checks' own; from now on each thread has one
    signal.signal(signal.SIGTERM, _finish)
    import_module(settings.ROOT_URLCONF)  # with every view, so that the first request does not wait for it
    application = import_module("jhe.wsgi").application
    _share_memory()
    # What is there now stays; the collector goes through what a page of a thousand resources adds, and not so often.
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    create_server(
        application,
        listen=f"{env.WEB_HOST}:{env.WEB_PORT}",
        threads=THREADS,
        connection_limit=MAX_CONNECTIONS,
        max_request_body_size=MAX_BODY_BYTES + 1,  # it refuses from there on
        inbuf_overflow=128 * 1024,
        max_request_header_size=64 * 1024,
        channel_timeout=60,
        asyncore_use_poll=True,
        # Django reads X-Forwarded-Proto where the proxy is said to set it (SECURE_PROXY_SSL_HEADER), and no other.
        clear_untrusted_proxy_headers=False,
        ident="",
    ).run()


def _share_memory() -> None:
    """glibc has an arena of memory for each thread, and each keeps what its largest bundle needed: two are enough."""
    with suppress(AttributeError, OSError):  # other C libraries have no such thing
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _finish(_signal: int, _frame: FrameType | None) -> None:
    """What is being answered is answered, for at most five seconds."""
    raise SystemExit


def warn() -> None:
    """Said at every start, for a deployment that works and still is not what it should be."""
    from core.checks import services_cannot_change_the_trail

    for message in services_cannot_change_the_trail():
        logging.getLogger("jhe").warning("%s", message)
    connections.close_all()  # this thread's own


if __name__ == "__main__":
    main()
