from collections.abc import Callable
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponseBadRequest
from django.http.response import HttpResponseBase


class NulMiddleware:
    """Refuses the character NUL in a URL and in cookies: PostgreSQL has none, so a look-up with it is an error.

    The doors of REST and FHIR do so themselves, each in its own words.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(("/api/v1/", "/FHIR/R5", "/fhir/r5")):
            return self.get_response(request)
        given = (request.path, unquote(request.META["QUERY_STRING"]), *request.COOKIES.values())
        if any("\0" in text for text in given):
            return HttpResponseBadRequest("A URL and cookies hold no NUL character.\n", content_type="text/plain")
        return self.get_response(request)
