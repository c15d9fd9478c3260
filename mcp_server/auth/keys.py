"""An issuer's public keys, from its JWKS."""

import asyncio
import time
from contextlib import suppress

from jwt import PyJWK, PyJWKClient
from jwt.exceptions import PyJWKClientError, PyJWKError, PyJWKSetError

from core.policy.errors import NotAuthenticated, Unavailable

_FRESH_SECONDS = 300
_KEPT_SECONDS = 900
_COOLDOWN_SECONDS = 10
_PAUSE_SECONDS = 5
_TIMEOUT_SECONDS = 5

_FAILURES = (PyJWKClientError, PyJWKSetError, PyJWKError, ValueError, RecursionError, OSError)


class Keys:
    """PyJWT's key client, off the event loop: one fetch at a time, however many ask.

    Keys come from the configured URL only, never from what a token names (`jku`, `x5u`, `jwk`). A set older than five
    minutes is fetched again in the background. It counts for ten minutes more, so that an issuer that is away for a
    while is not noticed; what the issuer has withdrawn counts no longer than that. An unknown key id asks again, at
    most every 10 s. An issuer that does not answer is left alone for some seconds.
    """

    def __init__(self, jwks_url: str) -> None:
        self._client = PyJWKClient(jwks_url, cache_keys=False, cache_jwk_set=False, timeout=_TIMEOUT_SECONDS)
        self._keys: list[PyJWK] = []
        self._fetched_at = self._failed_at = -float("inf")
        self._fetching: asyncio.Task[None] | None = None
        self.fetches = self.failures = 0

    async def get(self, kid: str) -> PyJWK:
        """Raises NotAuthenticated for a key that the issuer does not have, Unavailable when the issuer cannot say."""
        key, age = self._kept(kid), time.monotonic() - self._fetched_at
        if key is not None and age < _FRESH_SECONDS:
            return key
        if key is not None and age < _KEPT_SECONDS:
            with suppress(Unavailable):
                self._fetch()
            return key
        if age >= _COOLDOWN_SECONDS:
            await asyncio.shield(self._fetch())
            key = self._kept(kid)
        if key is None:
            raise NotAuthenticated("The token is signed with a key that the issuer does not have.")
        return key

    async def check(self) -> None:
        """Raises Unavailable when there are no keys that count, and the issuer does not give any."""
        if time.monotonic() - self._fetched_at >= _KEPT_SECONDS:
            await asyncio.shield(self._fetch())

    def _kept(self, kid: str) -> PyJWK | None:
        return PyJWKClient.match_kid(self._keys, kid)

    def _fetch(self) -> asyncio.Task[None]:
        """The fetch that is under way, or a new one. Raises Unavailable while the issuer is left alone."""
        if self._fetching is None or self._fetching.done():
            if time.monotonic() < self._failed_at + _PAUSE_SECONDS:
                raise Unavailable("The issuer's keys cannot be fetched: try again in a minute.")
            self._fetching = asyncio.create_task(self._ask_issuer())
            self._fetching.add_done_callback(_seen)
        return self._fetching

    async def _ask_issuer(self) -> None:
        self.fetches += 1
        try:
            self._keys = await asyncio.to_thread(self._client.get_signing_keys, refresh=True)
        except _FAILURES as error:
            self.failures += 1
            self._failed_at = time.monotonic()
            raise Unavailable("The issuer's keys cannot be fetched: try again in a minute.") from error
        self._fetched_at = time.monotonic()


def _seen(fetch: asyncio.Task[None]) -> None:
    """Nobody may be waiting any more; whoever needs what it did not bring is told by the next one."""
    if not fetch.cancelled():
        fetch.exception()
