"""Tokens become trusted claims here, and only here: `SignedClaims` comes from nowhere else."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Self

import jwt

from core.policy.claims import principal_from
from core.policy.errors import NotAuthenticated
from core.policy.principal import Principal
from mcp_server.auth.keys import Keys
from mcp_server.settings import Exchange

ALGORITHMS = ("RS256", "ES256")
LEEWAY_SECONDS = 30
MAX_CHARACTERS = 16_384
MAX_CACHED = 10_000
SCOPE = "mcp"

_ACCESS_TOKEN_TYPES = {"at+jwt", "application/at+jwt"}  # RFC 9068 §4
_ID_TOKEN_TYPES = {"", "jwt"}


@dataclass(frozen=True)
class SignedClaims:
    """The claims of a token that is genuine, in time and meant for this server."""

    claims: Mapping[str, Any]
    token_key: str
    """Finds the token in the database: SHA-256 of an access token, the `jti` of an ID token."""

    @property
    def expires(self) -> float:
        return float(self.claims["exp"]) + LEEWAY_SECONDS

    @cached_property
    def principal(self) -> Principal:
        """Raises NotAuthenticated when the claims are not this exchange's."""
        return principal_from(self.claims, token_key=self.token_key)


class Verifier:
    """Checks tokens against the issuer's keys. Whether a genuine token still stands is for the database to say."""

    def __init__(self, keys: Keys, *, issuer: str, resource: str, trusted_client_ids: Set[str]) -> None:
        """`resource` is this server's own URL (RFC 8707); ID tokens are taken from `trusted_client_ids` only."""
        self._keys = keys
        self._issuer = issuer
        self._resource = resource
        self._trusted_client_ids = sorted(trusted_client_ids)
        self._verified: OrderedDict[str, SignedClaims] = OrderedDict()

    @classmethod
    def of(cls, settings: Exchange) -> Self:
        return cls(
            Keys(settings.jwks_url),
            issuer=settings.issuer,
            resource=settings.mcp_url,
            trusted_client_ids=settings.trusted_client_ids,
        )

    async def verify(self, token: str) -> SignedClaims:
        """Raises NotAuthenticated with the reason, Unavailable when the issuer's keys cannot be had."""
        if len(token) > MAX_CHARACTERS:
            raise NotAuthenticated("The token is too long.")
        digest = hashlib.sha256(token.encode()).hexdigest()
        signed = self._verified.get(digest)
        if signed is None:
            signed = await self._check(token, digest)
            self._remember(digest, signed)
        if signed.expires <= time.time():
            self._verified.pop(digest, None)
            raise NotAuthenticated("The token has expired.")
        return signed

    async def verify_id_token(self, token: str) -> SignedClaims:
        """As `verify`, and an access token will not do."""
        if str(_header(token).get("typ") or "").lower() not in _ID_TOKEN_TYPES:
            raise NotAuthenticated("This is not an ID token.")
        return await self.verify(token)

    def _remember(self, digest: str, signed: SignedClaims) -> None:
        self._verified[digest] = signed
        if len(self._verified) > MAX_CACHED:
            self._verified.popitem(last=False)

    async def _check(self, token: str, digest: str) -> SignedClaims:
        header = _header(token)
        key = await self._keys.get(header["kid"])
        if key.algorithm_name not in ALGORITHMS:
            raise NotAuthenticated(f"Tokens must be signed with {' or '.join(ALGORITHMS)}.")
        kind = str(header.get("typ") or "").lower()
        if kind in _ACCESS_TOKEN_TYPES:
            claims = self._decode(token, key, [self._resource])
            return SignedClaims(claims, digest)
        if kind in _ID_TOKEN_TYPES:
            claims = self._decode(token, key, self._trusted_client_ids, "jti")
            return SignedClaims({**claims, "client_id": _client_of(claims)}, claims["jti"])
        raise NotAuthenticated("This is neither an access token nor an ID token.")

    def _decode(self, token: str, key: jwt.PyJWK, audience: list[str], *required: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={
                    "verify_signature": True,
                    "verify_exp": True,
                    "verify_nbf": True,
                    "verify_iat": True,
                    "verify_aud": True,
                    "verify_iss": True,
                    "verify_sub": True,
                    "verify_jti": True,
                    "strict_aud": False,
                    "enforce_minimum_key_length": True,
                    "require": ["exp", "iat", "iss", "aud", "sub", *required],
                },
            )
        except jwt.InvalidTokenError as error:
            raise NotAuthenticated(_reason(error)) from None
        except jwt.InvalidKeyError:
            raise NotAuthenticated("The token is signed with a key that is too weak.") from None


def _header(token: str) -> Mapping[str, Any]:
    return _header_of(token.partition(".")[0])


@lru_cache(100)  # tokens that one key has signed begin the same
def _header_of(first_part: str) -> Mapping[str, Any]:
    try:
        # Without the other two parts: the library would read them letter by letter, as `decode` does later.
        header = jwt.get_unverified_header(f"{first_part}..")
    except jwt.InvalidTokenError:
        raise NotAuthenticated("This is not a token of this exchange.") from None
    if header.get("alg") not in ALGORITHMS:
        raise NotAuthenticated(f"Tokens must be signed with {' or '.join(ALGORITHMS)}.")
    if not isinstance(header.get("kid"), str):
        raise NotAuthenticated("The token does not name its key (kid).")
    return header


def _client_of(claims: Mapping[str, Any]) -> str:
    """The one client that an ID token was issued to (OpenID Connect Core §3.1.3.7)."""
    audience = claims["aud"]
    clients = [audience] if isinstance(audience, str) else list(audience)
    if len(clients) != 1 or claims.get("azp", clients[0]) != clients[0]:
        raise NotAuthenticated("The ID token is meant for more than one client.")
    return str(clients[0])


_REASONS: dict[type[jwt.InvalidTokenError], str] = {
    jwt.ExpiredSignatureError: "The token has expired.",
    jwt.ImmatureSignatureError: "The token is not valid yet.",
    jwt.InvalidIssuerError: "The token comes from another issuer.",
    jwt.InvalidAudienceError: "The token is meant for another resource.",
    jwt.InvalidSignatureError: "The token's signature is wrong.",
}


def _reason(error: jwt.InvalidTokenError) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"The token lacks the claim {error.claim}."
    return _REASONS.get(type(error), "This is not a valid token.")
