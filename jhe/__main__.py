"""The web service, the same in production and in the demo: `python -m jhe`."""

import os
import sys

import django
import uvicorn
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from jhe import env

MAX_CONNECTIONS = 150
"""Answered at once; one more is told 503. Each request holds a thread, a database connection and up to 2.5 MB."""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jhe.settings")
    django.setup()
    try:
        call_command("check")  # without a key to sign tokens with, among others, it does not start
    except SystemCheckError as error:
        sys.exit(str(error))
    uvicorn.run(
        "jhe.asgi:application",
        host=env.WEB_HOST,
        port=env.WEB_PORT,
        http="httptools",
        lifespan="off",
        log_config=None,  # Django's own, see jhe/settings.py
        access_log=False,  # a URL can carry an authorization code or a name that somebody searched for
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
