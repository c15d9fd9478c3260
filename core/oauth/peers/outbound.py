"""Requests to other people's authorization servers: to addresses that may be reached, in bounded time and size.

As the library fetches clients' metadata documents (core/oauth/metadata_documents.py), and forms are sent as well.
"""

import json
import logging
import socket
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx2

from core.policy.errors import InvalidInput, Unavailable
from core.policy.peers import check_endpoint, reachable

_log = logging.getLogger(__name__)

_SECONDS = 5
_MAX_BYTES = 65_536
_TIMEOUT = httpx2.Timeout(_SECONDS, connect=3)


class Answer(NamedTuple):
    status: int
    body: dict[str, Any]
    """Empty where it was no JSON object."""

    @property
    def is_ok(self) -> bool:
        return self.status in (HTTPStatus.OK, HTTPStatus.CREATED)


def get(url: str) -> Answer:
    """Raises Unavailable, also for what is no answer."""
    return _ask("GET", url)


def post(url: str, *, form: Mapping[str, str], auth: tuple[str, str] | None = None) -> Answer:
    """A form, with a client's id and secret as RFC 6749 §2.3.1 wants them. Raises Unavailable."""
    return _ask("POST", url, data=dict(form), auth=auth)


def post_json(url: str, body: Mapping[str, Any]) -> Answer:
    """Raises Unavailable."""
    return _ask("POST", url, json=dict(body))


class _Pinned(httpx2.HTTPTransport):
    """Looks a name up once and connects to what was found and checked; certificates are the name's."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.host
        found = socket.getaddrinfo(host, request.url.port, proto=socket.IPPROTO_TCP)
        addresses = reachable(host, [str(info[4][0]) for info in found])
        failed: httpx2.TransportError = httpx2.ConnectError("no address that may be reached")
        for address in addresses:
            request.extensions["sni_hostname"] = host
            request.url = request.url.copy_with(host=address)  # the header Host was set from the name
            try:
                return super().handle_request(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failed = error
        raise failed


def _ask(method: str, url: str, **sent: Any) -> Answer:
    try:
        check_endpoint(url)
        with (
            httpx2.Client(transport=_Pinned(trust_env=False), timeout=_TIMEOUT, trust_env=False) as client,
            client.stream(method, url, headers={"Accept": "application/json"}, **sent) as response,
        ):
            return Answer(response.status_code, _object(_read(response)))
    except (httpx2.TransportError, httpx2.InvalidURL, OSError, UnicodeError, InvalidInput, _TooMuchError) as error:
        # Which of them it was is for administrators; the address may hold nothing that is not theirs to know.
        _log.warning("An authorization server of a peer did not answer: %s", type(error).__name__)
        raise Unavailable("Its authorization server does not answer: try again in a minute.") from None


class _TooMuchError(Exception):
    pass


def _read(response: httpx2.Response) -> bytes:
    body, until = b"", time.monotonic() + _SECONDS
    for part in response.iter_bytes():
        body += part
        if len(body) > _MAX_BYTES or time.monotonic() > until:
            raise _TooMuchError
    return body


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
