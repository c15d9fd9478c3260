"""Tokens for peers, from this exchange's own authorization server (RFC 8693): keys and logins are there, not here."""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from http import HTTPStatus

import httpx2

from core.policy.errors import NotVisible, PermissionDenied, Unavailable
from core.policy.peers import ACCESS_TOKEN, MCP_SERVER_CLIENT_ID, TOKEN_EXCHANGE
from mcp_server.auth.caller import Caller
from mcp_server.peers.peer import Peer

MAX_KEPT = 10_000
_SPARE_SECONDS = 30
_AT_A_TIME = 4
"""The authorization server waits for others while it answers, and has twelve threads for everybody."""
_TIMEOUT = httpx2.Timeout(20, connect=3)
_NOT_NOW = "This exchange cannot get you a token for it now: try again in a minute."

_log = logging.getLogger(__name__)


class PeerTokens:
    """One token per person's token and peer, kept until shortly before it ends."""

    def __init__(self, token_url: str, secret: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._token_url = token_url
        self._http = httpx2.AsyncClient(
            auth=(MCP_SERVER_CLIENT_ID, secret), timeout=_TIMEOUT, transport=transport, trust_env=False
        )
        self._kept: OrderedDict[tuple[str, int, str], tuple[str, float]] = OrderedDict()
        self._asking = asyncio.Semaphore(_AT_A_TIME)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def get(self, caller: Caller, inbound: str, peer: Peer, refused: str = "") -> str:
        """`inbound` is the caller's own token; it goes to the authorization server that issued it, and nowhere else.

        `refused` is the SHA-256 (hexadecimal) of a token that the peer takes no more. Raises PermissionDenied with what
        the person can do about it, NotVisible, Unavailable.
        """
        key = (caller.principal.token_key, peer.id, peer.stamp)
        token, until = self._kept.get(key, ("", 0.0))
        if token and time.monotonic() < until and hashlib.sha256(token.encode()).hexdigest() != refused:
            return token
        self._kept.pop(key, None)
        async with self._asking:
            token, seconds = await self._ask(inbound, peer, refused)
        self._kept[key] = (token, time.monotonic() + seconds - _SPARE_SECONDS)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return token

    async def _ask(self, inbound: str, peer: Peer, refused: str) -> tuple[str, int]:
        form = {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": inbound,
            "subject_token_type": ACCESS_TOKEN,
            "resource": peer.url,
            **({"refused": refused} if refused else {}),
        }
        try:
            response = await self._http.post(self._token_url, data=form)
            said = response.json()
            if response.status_code == HTTPStatus.OK:
                return str(said["access_token"]), int(said["expires_in"])
            error, description = str(said["error"]), str(said.get("error_description", ""))
        except (httpx2.TransportError, ValueError, KeyError, TypeError, AttributeError) as fault:
            _log.warning("No token for a peer could be asked for: %s", type(fault).__name__)
            raise Unavailable(_NOT_NOW) from None
        if error == "access_denied":
            raise PermissionDenied(description)
        if error == "temporarily_unavailable":
            raise Unavailable(description)
        if error == "invalid_target":
            raise NotVisible("It is not there for you any more.")
        _log.error("The authorization server refuses to get tokens for peers: %s", error)
        raise Unavailable(_NOT_NOW)
