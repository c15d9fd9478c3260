"""A peer's authorization server: where its endpoints are (RFC 8414), believed for some minutes."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.cache import caches

from core.models import Peer
from core.oauth.peers import outbound
from core.policy.errors import InvalidInput, Unavailable
from core.policy.peers import check_endpoint

_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Server:
    issuer: str
    token_endpoint: str
    authorization_endpoint: str = ""
    registration_endpoint: str = ""
    revocation_endpoint: str = ""
    names_itself: bool = False
    """Whether its answers to authorization requests say whose they are (RFC 9207)."""


def server_of(peer: Peer) -> Server:
    """The one that the administrators named, and no other: an endpoint that named its own could name another peer's.

    Raises Unavailable.
    """
    cache, key = caches["process"], f"peer-server:{peer.issuer}"
    server: Server | None = cache.get(key)
    if server is None:
        server = _described(peer.issuer)
        cache.set(key, server, _SECONDS)
    return server


def _described(issuer: str) -> Server:
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    for place in (
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}{path}/.well-known/openid-configuration",
    ):
        answer = outbound.get(place)
        if answer.is_ok and answer.body.get("issuer") == issuer:
            return _server(answer.body)
    raise Unavailable("Its authorization server does not describe itself: its administrators have to look at it.")


def _server(document: dict[str, Any]) -> Server:
    names = ("token_endpoint", "authorization_endpoint", "registration_endpoint", "revocation_endpoint")
    endpoints = {name: document[name] for name in names if isinstance(document.get(name), str)}
    try:
        for url in endpoints.values():
            check_endpoint(url)
        return Server(
            issuer=document["issuer"],
            names_itself=document.get("authorization_response_iss_parameter_supported") is True,
            **endpoints,
        )
    except (InvalidInput, TypeError):
        raise Unavailable("Its authorization server has endpoints that no token is sent to.") from None
