"""A person's login at the exchange, kept on their own machine."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

import httpx2
import jwt

from core.policy.errors import DomainError, NotAuthenticated
from mcp_server.auth.discovery import issuer_of, server_of
from mcp_server.auth.provider import Provider, Show
from mcp_server.auth.token_store import Tokens, TokenStore

_log = logging.getLogger(__name__)
_EARLY_SECONDS = 60


class LoginNeeded(NotAuthenticated):
    """Nobody is logged in yet; the sentence holds the URL that was opened in the browser."""


class Login:
    """Gives tokens that are in time. Refreshes them silently, and asks the person when there is no other way.

    Asking never waits for the person: whoever needs a token meanwhile gets LoginNeeded, and the token once it is there.
    """

    def __init__(self, find: Callable[[], Awaitable[Provider]], store: TokenStore, show: Show) -> None:
        self._find = find
        self._store = store
        self._show = show
        self._tokens: Tokens | None = None
        self._asking: asyncio.Task[Tokens] | None = None
        self._url: asyncio.Future[str]

    @classmethod
    def at_endpoint(cls, mcp_url: str, store: TokenStore, show: Show) -> Self:
        """For access tokens to an MCP endpoint, which says itself who issues them."""

        async def find() -> Provider:
            async with _http() as http:
                return Provider(await server_of(http, await issuer_of(http, mcp_url)), mcp_url)

        return cls(find, store, show)

    @classmethod
    def at_issuer(cls, issuer: str, store: TokenStore, show: Show) -> Self:
        """For ID tokens, which tell a server on this machine who its user is."""

        async def find() -> Provider:
            async with _http() as http:
                return Provider(await server_of(http, issuer), None)

        return cls(find, store, show)

    async def access_token(self, refused: str = "") -> str:
        """Any but the one that was `refused`. Raises LoginNeeded; Unavailable or InvalidInput when it cannot be had."""
        return await self._token("access_token", refused)

    async def id_token(self, refused: str = "") -> str:
        """As `access_token`."""
        return await self._token("id_token", refused)

    async def prepare(self) -> None:
        """Have the person asked now if they will have to be."""
        with suppress(DomainError):
            await self.access_token()

    async def authorize(self) -> Tokens:
        """Ask the person and wait for them."""
        provider = await self._find()
        tokens = await provider.authorize(self._open)
        await self._keep(tokens)
        return tokens

    async def forget(self) -> bool:
        """Log out; False when nobody was logged in."""
        tokens = await self._kept()
        if tokens is None:
            return False
        await asyncio.to_thread(self._store.delete)
        self._tokens = None
        with suppress(DomainError):
            await (await self._find()).revoke(tokens)
        return True

    async def person(self) -> dict[str, Any] | None:
        """The claims of the ID token of whoever is logged in, as they were at the last refresh."""
        tokens = await self._kept()
        return None if tokens is None else _claims(tokens["id_token"])

    async def aclose(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError, DomainError):
                await self._asking

    async def _token(self, name: str, refused: str) -> str:
        if not _usable(self._tokens, name, refused):
            self._tokens = await self._renewed(name, refused)
        if self._tokens is None:
            raise LoginNeeded(await self._ask())
        return str(self._tokens[name])

    async def _renewed(self, name: str, refused: str) -> Tokens | None:
        """What another program has stored meanwhile, or what the refresh token gives; None when neither will do."""
        async with self._store.locked():
            tokens = await self._kept()
            if tokens is None or _usable(tokens, name, refused):
                return tokens
            try:
                tokens = await (await self._find()).refresh(tokens)
            except NotAuthenticated:
                await asyncio.to_thread(self._store.delete)
                return None
            await self._keep(tokens)
            return tokens if _usable(tokens, name, refused) else None

    async def _ask(self) -> str:
        if self._asking is None or self._asking.done():
            self._url = asyncio.get_running_loop().create_future()
            self._asking = asyncio.create_task(self.authorize())
            self._asking.add_done_callback(_tell)
        either: set[asyncio.Future[Any]] = {self._url, self._asking}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self._url.done():
            await self._asking
        return f"You need to log in first. A browser window was opened for it; if not, open {self._url.result()}"

    async def _open(self, url: str) -> None:
        if self._asking is not None and not self._url.done():
            self._url.set_result(url)
        await self._show(url)

    async def _kept(self) -> Tokens | None:
        return await asyncio.to_thread(self._store.read)

    async def _keep(self, tokens: Tokens) -> None:
        await asyncio.to_thread(self._store.write, tokens)


def _http() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(timeout=15)


def _usable(tokens: Tokens | None, name: str, refused: str) -> bool:
    if tokens is None or name not in tokens or tokens[name] == refused:
        return False
    expires = _claims(tokens[name])["exp"] if name == "id_token" else tokens["expires_at"]
    return bool(expires - _EARLY_SECONDS > time.time())


def _claims(token: str) -> dict[str, Any]:
    """Of a token that was verified when it was stored."""
    return jwt.decode(token, options={"verify_signature": False})


def _tell(asking: asyncio.Task[Tokens]) -> None:
    if not asking.cancelled() and (error := asking.exception()) is not None:
        _log.warning("The login did not succeed: %s", error)
