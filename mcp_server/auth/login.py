"""A person's login at the exchange, kept on their own machine."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol, Self

import httpx2

from core.policy.errors import DomainError, NotAuthenticated
from mcp_server.auth.discovery import issuer_of, server_of
from mcp_server.auth.prompt import Prompt, Show
from mcp_server.auth.provider import NobodyCame, Provider
from mcp_server.auth.token_store import Tokens, TokenStore, claims_of

_log = logging.getLogger(__name__)
_EARLY_SECONDS = 60
_LOOK_SECONDS = 1
"""How often somebody who waits looks whether the person has logged in with another program."""

Find = Callable[[], Awaitable[Provider]]


class LoginNeeded(NotAuthenticated):
    """Nobody is logged in yet; the sentence says where to, or why the last login did not succeed."""


class AccessTokens(Protocol):
    """Whoever gives tokens for the MCP endpoint."""

    given: asyncio.Event
    """Set once there was one."""

    async def access_token(self, refused: str = "") -> str:
        """Any but the one that was `refused`. Raises NotAuthenticated; Unavailable or InvalidInput without one."""


class Login:
    """Gives tokens that are in time. Refreshes them silently, and asks the person when there is no other way.

    However many need a token, one login is under way. They wait for it `wait` seconds, and are told LoginNeeded then.
    """

    def __init__(
        self,
        find: Find,
        store: TokenStore,
        show: Show | None,
        *,
        wait: float = 0,
        on_another_device: bool = False,
        remember: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Without `show` nobody is ever asked. `remember` is called when a new login has been kept."""
        self._find = find
        self._store = store
        self._show = show
        self._wait = wait
        self._on_another_device = on_another_device
        self._remember = remember
        self._tokens: Tokens | None = None
        self.given = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None
        self._prompted: asyncio.Future[Prompt]

    @classmethod
    def at_endpoint(cls, mcp_url: str, store: TokenStore, show: Show | None, **options: Any) -> Self:
        """For access tokens to an MCP endpoint, which says itself who issues them."""

        async def find() -> Provider:
            async with _http() as http:
                return Provider(await server_of(http, await issuer_of(http, mcp_url)), mcp_url)

        return cls(find, store, show, **options)

    @classmethod
    def at_issuer(cls, issuer: str, store: TokenStore, show: Show | None, **options: Any) -> Self:
        """For ID tokens, which tell a server on this machine who its user is."""

        async def find() -> Provider:
            async with _http() as http:
                return Provider(await server_of(http, issuer), None)

        return cls(find, store, show, **options)

    def quiet(self) -> Self:
        """The same login, for what is no reason to ask the person."""
        quiet = type(self)(self._find, self._store, None)
        quiet.given = self.given
        return quiet

    @property
    def prompt(self) -> Prompt | None:
        """What the person is asked to do now."""
        under_way = self._asking is not None and not self._asking.done() and self._prompted.done()
        return self._prompted.result() if under_way else None

    async def access_token(self, refused: str = "") -> str:
        """Any but the one that was `refused`. Raises LoginNeeded; Unavailable or InvalidInput when it cannot be had."""
        return await self._token("access_token", refused)

    async def id_token(self, refused: str = "") -> str:
        """As `access_token`."""
        return await self._token("id_token", refused)

    async def authorize(self) -> None:
        """Ask the person and wait for them."""
        provider = await self._find()
        ask = provider.authorize_on_another_device if self._on_another_device else provider.authorize
        await ask(self._open, self._keep)

    async def forget(self) -> bool:
        """Log out; False when nobody was logged in. Raises Unavailable when the exchange could not be told."""
        self._tokens = None
        async with self._store.locked():
            try:
                tokens = await self._kept()
            finally:
                await asyncio.to_thread(self._store.delete)
        if tokens is None:
            return False
        await (await self._find()).revoke(tokens)
        return True

    def give_up(self) -> None:
        """Ask the person no longer."""
        if self._asking is not None:
            self._asking.cancel()

    async def aclose(self) -> None:
        self.give_up()
        if self._asking is not None:
            with suppress(asyncio.CancelledError, DomainError):
                await self._asking

    async def _token(self, name: str, refused: str) -> str:
        tokens = self._tokens
        if not _usable(tokens, name, refused):
            tokens = await self._renewed(name, refused)
        if tokens is None:
            tokens = await self._asked(name, refused)
        self._tokens = tokens
        self.given.set()
        return str(tokens[name])

    async def _renewed(self, name: str, refused: str) -> Tokens | None:
        """What another program has stored meanwhile, or what the refresh token gives; None when neither will do."""
        async with self._store.locked():
            tokens = await self._kept()
            if tokens is None or _usable(tokens, name, refused):
                return tokens
            try:
                tokens = await (await self._find()).refresh(tokens)
            except NotAuthenticated:
                self._tokens = None
                await asyncio.to_thread(self._store.delete)
                return None
            await asyncio.to_thread(self._store.write, tokens)
            return tokens if _usable(tokens, name, refused) else None

    async def _asked(self, name: str, refused: str) -> Tokens:
        """Raises LoginNeeded when the person does not come in time, or says no."""
        if self._show is None:
            raise LoginNeeded("You are logged out.")
        asking, prompt = await self._ask()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._wait):
                return await self._first_of(asking, name, refused)
        raise LoginNeeded(f"You need to log in first. {prompt.sentence} - then ask again.")

    async def _ask(self) -> tuple[asyncio.Task[None], Prompt]:
        """The login that is under way, begun if there is none; or the last one, when nobody was told that it failed."""
        if self._asking is None or _is_over(self._asking):
            self._prompted = asyncio.get_running_loop().create_future()
            self._asking = asyncio.create_task(self.authorize())
            self._asking.add_done_callback(_tell)
        asking, prompted = self._asking, self._prompted
        either: set[asyncio.Future[Any]] = {prompted, asking}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not prompted.done():
            self._asking = None
            await asking
        return asking, prompted.result()

    async def _first_of(self, asking: asyncio.Task[None], name: str, refused: str) -> Tokens:
        """What this login gives, or another program's."""
        while not asking.done():
            await asyncio.wait({asking}, timeout=_LOOK_SECONDS)
            tokens = await self._kept()
            if _usable(tokens, name, refused) and tokens is not None:
                asking.cancel()
                return tokens
        self._asking = None if self._asking is asking else self._asking
        _raise_failure(asking)
        if self._tokens is None:
            raise LoginNeeded("You were logged out again: ask again to log in.")
        return self._tokens

    async def _open(self, prompt: Prompt) -> None:
        if self._asking is not None and not self._prompted.done():
            self._prompted.set_result(prompt)
        if self._show is not None:
            await self._show(prompt)

    async def _kept(self) -> Tokens | None:
        return await asyncio.to_thread(self._store.read)

    async def _keep(self, tokens: Tokens) -> None:
        async with self._store.locked():
            await asyncio.to_thread(self._store.write, tokens)
        self._tokens = tokens
        if self._remember is not None:
            await self._remember()


class GivenToken:
    """An MCP token that the person has made for this program and put into JHE_MCP_TOKEN. It is never stored."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.refused = False
        self.given = asyncio.Event()
        self.given.set()

    def quiet(self) -> Self:
        """Itself: it never asks anybody."""
        return self

    async def access_token(self, refused: str = "") -> str:
        if refused:
            self.refused = True
            raise NotAuthenticated("The exchange refuses the MCP token in JHE_MCP_TOKEN: make a new one there.")
        return self._token


def _http() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(timeout=15)


def _usable(tokens: Tokens | None, name: str, refused: str) -> bool:
    if tokens is None or tokens[name] == refused:
        return False
    expires = claims_of(tokens).get("exp", 0) if name == "id_token" else tokens["expires_at"]
    return bool(expires - _EARLY_SECONDS > time.time())


def _is_over(asking: asyncio.Task[None]) -> bool:
    """Whether there is nothing left to tell of it but that the person has to be asked again."""
    if not asking.done():
        return False
    return asking.cancelled() or isinstance(asking.exception(), NobodyCame | None)


def _raise_failure(asking: asyncio.Task[None]) -> None:
    try:
        asking.result()
    except asyncio.CancelledError:
        raise LoginNeeded("The login was given up: ask again to log in.") from None
    except NotAuthenticated as error:
        raise LoginNeeded(f"The login did not succeed: {error} Ask again to log in once more.") from error


def _tell(asking: asyncio.Task[None]) -> None:
    if not asking.cancelled() and (error := asking.exception()) is not None:
        _log.warning("The login did not succeed: %s", error)
