from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

PATHS = ("/health", "/healthz")


class HealthMiddleware:
    """Says that the process is alive, before anything else can have an opinion.

    Probes come by address, without TLS and without a host name of ours, so this stands in front of the host check and
    the redirect to https. It asks no database: a process that waits for its database is alive, and restarting it would
    not help.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path in PATHS and request.method in ("GET", "HEAD"):
            return HttpResponse("ok\n", content_type="text/plain", headers={"Cache-Control": "no-store"})
        return self.get_response(request)
