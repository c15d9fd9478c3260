"""What pages are compared against: a Django view that answers the bytes of a file and does nothing else, in the web
service's own Django: its server, its settings, its middleware. `python -m benchmarks.bare_django PORT FILE`
"""

import os
import sys
from pathlib import Path

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path
from waitress.server import create_server

from jhe.__main__ import THREADS

_body = b""


def view(_: HttpRequest) -> HttpResponse:
    return HttpResponse(_body, content_type="application/fhir+json")


urlpatterns = [path("page", view)]


def main(port: int, file: Path) -> None:
    global _body
    _body = file.read_bytes()
    os.environ["DJANGO_SETTINGS_MODULE"] = "jhe.settings"
    django.setup()
    settings.ROOT_URLCONF = sys.modules[__name__]
    from jhe.wsgi import application

    create_server(application, listen=f"127.0.0.1:{port}", threads=THREADS, asyncore_use_poll=True, ident="").run()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
