from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

PAGES = ("/accounts/", "/account/", "/admin/login/")

# No form-action: a login may end at a client's redirect URI, or begin at an identity provider.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


class PageHeadersMiddleware:
    """Pages about one's account run nothing but our own scripts, are shown in no frame, and are kept by no cache."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.path == "/" or request.path.startswith(PAGES):
            response.headers.setdefault("Content-Security-Policy", POLICY)
            response.headers["Cache-Control"] = "no-store"
        return response
