"""The issuer's public keys, from its JWKS."""

import asyncio
import time

from jwt import PyJWK, PyJWKClient
from jwt.exceptions import PyJWKClientConnectionError, PyJWKClientError, PyJWKError, PyJWKSetError

from core.policy.errors import NotAuthenticated, Unavailable

_FRESH_SECONDS = 300
_COOLDOWN_SECONDS = 30
_PAUSE_SECONDS = 5


class Keys:
    """PyJWT's key client, off the event loop.

    It keeps the set for five minutes and asks again for an unknown key id, at most every 30 s. Keys come from the
    configured URL only, never from what a token names (`jku`, `x5u`, `jwk`). An issuer that does not answer is left
    alone for some seconds, so that a flood of tokens cannot pile up threads.
    """

    def __init__(self, jwks_url: str) -> None:
        self._client = PyJWKClient(
            jwks_url,
            cache_keys=False,
            cache_jwk_set=True,
            lifespan=_FRESH_SECONDS,
            timeout=5,
            cooldown_duration=_COOLDOWN_SECONDS,
        )
        self._ask_again_at = 0.0

    async def get(self, kid: str) -> PyJWK:
        """Raises NotAuthenticated for a key that the issuer does not have, Unavailable when the issuer cannot say."""
        kept = self._kept(kid)
        if kept is not None:
            return kept
        if time.monotonic() < self._ask_again_at:
            raise Unavailable("The issuer's keys cannot be fetched: try again in a minute.")
        try:
            return await asyncio.to_thread(self._client.get_signing_key, kid)
        except (PyJWKClientConnectionError, PyJWKSetError, PyJWKError, ValueError) as error:
            self._ask_again_at = time.monotonic() + _PAUSE_SECONDS
            raise Unavailable("The issuer's keys cannot be fetched: try again in a minute.") from error
        except PyJWKClientError as error:
            raise NotAuthenticated("The token is signed with a key that the issuer does not have.") from error

    def _kept(self, kid: str) -> PyJWK | None:
        """The key from the set at hand, while that is fresh. It takes no thread, which would take longer than RS256."""
        cache = self._client.jwk_set_cache
        key_set = cache.get() if cache else None
        keys = [key for key in key_set.keys if key.public_key_use in ("sig", None)] if key_set else []
        return PyJWKClient.match_kid(keys, kid)
