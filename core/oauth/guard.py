"""What the pages on which people decide have in common: nobody frames them, keeps them, or learns where they were."""

import re
from urllib.parse import urlsplit

from django.http.response import HttpResponseBase
from django.utils.cache import add_never_cache_headers

_HOST = re.compile(r"[A-Za-z0-9.-]+")


def guarded(response: HttpResponseBase, redirect_uri: str = "") -> HttpResponseBase:
    """`redirect_uri` is where the answer to the page's form leads on to: browsers hold form-action to redirects too.

    `no-referrer` would be a step too far: browsers then send forms with `Origin: null`, which Django's protection
    against forgery refuses. `same-origin` tells no other site anything either.
    """
    leads_to = f" {_source(redirect_uri)}" if redirect_uri else ""
    response["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self'{leads_to}"
    )
    response["X-Frame-Options"] = "DENY"
    response["Referrer-Policy"] = "same-origin"
    add_never_cache_headers(response)
    return response


def _source(uri: str) -> str:
    """CSP Level 3 §2.3.1 has no word for an IPv6 address: then the scheme has to do."""
    parts = urlsplit(uri)
    if not _HOST.fullmatch(parts.hostname or ""):
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
