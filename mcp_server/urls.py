"""Addresses in the configuration, checked once. They stay the text that they were given as: issuers and resources are
compared byte for byte (RFC 8414 §3.3, RFC 8707 §2)."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _absolute(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("must be an absolute URL such as https://mcp.example.org/mcp, without a query or a user")
    return url


def _origin(url: str) -> str:
    if urlsplit(url).path:
        raise ValueError("must be an origin such as https://jhe.example.org, without a path or a trailing slash")
    return url


Url = Annotated[str, AfterValidator(_absolute)]
Origin = Annotated[Url, AfterValidator(_origin)]
