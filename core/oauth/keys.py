"""Signing with the key whose turn it is, and publishing what signatures are checked with."""

import json
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET
from jwcrypto import jwk, jwt

from core.actions.signing_keys import JWKS_SECONDS
from core.models.signing_key import Algorithm, SigningKey, key_ring, signer

RING_SECONDS = 5
"""A rotation by another process is seen within. No token waits for a query, and a new key waits longer than that."""


def sign(claims: Mapping[str, Any], *, typ: str, algorithm: Algorithm) -> str:
    """A JWT (RFC 7519). Until there is a key of the algorithm that may sign, the one of RS256 does."""
    key = signer(_ring(), algorithm) or signer(_ring(), Algorithm.RS256)
    private = key and key.key()
    if key is None or private is None:
        raise ImproperlyConfigured("No key can sign tokens: `manage.py check --deploy` says why.")
    token = jwt.JWT(
        header={"typ": typ, "alg": key.algorithm, "kid": key.kid},
        claims=json.dumps(claims, separators=(",", ":")),
    )
    token.make_signed_token(private)
    serialized: str = token.serialize()
    return serialized


def verification_key(kid: str) -> jwk.JWK | None:
    """The public part of a key whose signatures are worth something."""
    return next((jwk.JWK(**key.public) for key in _ring() if key.kid == kid and key.is_published), None)


@require_GET
def jwks(_request: HttpRequest) -> JsonResponse:
    """RFC 7517 §5, read at this moment: a key that signs is always in it, one that leaked is not."""
    keys = [key.public for key in key_ring() if key.is_published]
    headers = {"Cache-Control": f"public, max-age={JWKS_SECONDS}"}
    return JsonResponse({"keys": keys}, headers=headers)


def look_again() -> None:
    """Forget what was read, as a process does by itself after RING_SECONDS."""
    _ring_of.cache_clear()


def _ring() -> list[SigningKey]:
    return _ring_of(int(time.monotonic() // RING_SECONDS))


@lru_cache(1)
def _ring_of(_moment: int) -> list[SigningKey]:
    return key_ring()
