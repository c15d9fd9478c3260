"""JWTs become trusted claims here, and only here: `SignedClaims` comes from nowhere else."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import jwt

from core.policy.claims import principal_from
from core.policy.errors import NotAuthenticated
from core.policy.principal import Principal
from mcp_server.auth.issuers import Issuer
from mcp_server.auth.keys import Keys
from mcp_server.auth.unverified import ALGORITHMS, header_of, issuer_of
from mcp_server.settings import Exchange

MAX_CHARACTERS = 16_384
MAX_CACHED = 10_000

_ACCESS_TOKEN_TYPES = {"at+jwt", "application/at+jwt"}  # RFC 9068 §4
_ID_TOKEN_TYPES = {"", "jwt"}


@dataclass(frozen=True)
class SignedClaims:
    """The claims of a token that is genuine, in time and meant for this server."""

    claims: Mapping[str, Any]
    token_key: str
    """Finds the token in the database: SHA-256 of an access token, the `jti` of an ID token."""
    expires: int
    """Seconds since 1970, with the leeway."""
    is_id_token: bool = False

    @property
    def issuer(self) -> str:
        return str(self.claims["iss"])

    @cached_property
    def principal(self) -> Principal:
        """Raises NotAuthenticated when the claims are not this exchange's."""
        return principal_from(self.claims, token_key=self.token_key)


class IssuerVerifier:
    """Checks the tokens of one issuer, against its keys and by its rules."""

    def __init__(self, issuer: Issuer, keys: Keys | None = None) -> None:
        self.issuer = issuer
        self.keys = keys or Keys(issuer.jwks_url)

    async def check(self, token: str, digest: str, resources: tuple[str, ...]) -> SignedClaims:
        """`digest` is the token's SHA-256. Raises NotAuthenticated with the reason, Unavailable without the keys."""
        header = header_of(token)
        key = await self.keys.get(header["kid"])
        if key.algorithm_name not in self.issuer.algorithms:
            raise NotAuthenticated(f"Tokens must be signed with {' or '.join(ALGORITHMS)}.")
        kind = _kind(header)
        if kind in _ACCESS_TOKEN_TYPES and self.issuer.access_tokens:
            claims = self._decode(token, key, self.issuer.audiences or set(resources))
            return self._signed(claims, digest)
        if kind in _ID_TOKEN_TYPES and self.issuer.trusted_client_ids:
            claims = self._decode(token, key, self.issuer.trusted_client_ids, "jti")
            return self._signed({**claims, "client_id": _client_of(claims)}, claims["jti"], is_id_token=True)
        if kind in _ACCESS_TOKEN_TYPES | _ID_TOKEN_TYPES:
            raise NotAuthenticated("Tokens of this kind are not accepted from this issuer.")
        raise NotAuthenticated("This is neither an access token nor an ID token.")

    def _signed(self, claims: Mapping[str, Any], token_key: str, *, is_id_token: bool = False) -> SignedClaims:
        return SignedClaims(claims, token_key, int(claims["exp"]) + self.issuer.leeway, is_id_token)

    def _decode(self, token: str, key: jwt.PyJWK, audience: Set[str], *required: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=sorted(audience),
                issuer=self.issuer.issuer,
                leeway=self.issuer.leeway,
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


class Verifier:
    """Checks tokens, each by the rules of the issuer that it names and of no other, and remembers what was checked.

    Whether a genuine token still stands is for the database to say.
    """

    def __init__(self, *issuers: IssuerVerifier, resource: str) -> None:
        """`resource` is this server's own URL (RFC 8707)."""
        self._issuers = {verifier.issuer.issuer: verifier for verifier in issuers}
        self._resource = resource
        self.kept = self.checked = 0
        """Tokens that were known already, and that were not."""
        self._verified: OrderedDict[tuple[str, tuple[str, ...]], SignedClaims] = OrderedDict()

    @classmethod
    def of(cls, settings: Exchange) -> Self:
        return cls(*(IssuerVerifier(issuer) for issuer in settings.issuers), resource=settings.mcp_url)

    async def verify(self, token: str, *resources: str) -> SignedClaims:
        """`resources` are those whose tokens the endpoint takes, where that is not this server's main one.

        Raises NotAuthenticated with the reason, Unavailable when the issuer's keys cannot be had.
        """
        if len(token) > MAX_CHARACTERS:
            raise NotAuthenticated("The token is too long.")
        digest = hashlib.sha256(token.encode()).hexdigest()
        asked = (digest, resources or (self._resource,))
        signed = self._verified.get(asked)
        if signed is not None:
            self.kept += 1
        else:
            self.checked += 1
            signed = await self._issuer_of(token).check(token, *asked)
            self._remember(asked, signed)
        if signed.expires <= time.time():
            self._verified.pop(asked, None)
            raise NotAuthenticated("The token has expired.")
        return signed

    async def verify_id_token(self, token: str) -> SignedClaims:
        """As `verify`, and an access token will not do."""
        if _kind(header_of(token)) not in _ID_TOKEN_TYPES:
            raise NotAuthenticated("This is not an ID token.")
        return await self.verify(token)

    async def check_keys(self) -> None:
        """Raises Unavailable when the tokens of an issuer could not be checked now."""
        await asyncio.gather(*(issuer.keys.check() for issuer in self._issuers.values()))

    @property
    def keys(self) -> list[Keys]:
        return [issuer.keys for issuer in self._issuers.values()]

    def _issuer_of(self, token: str) -> IssuerVerifier:
        """The one whose keys the token will be checked by: what it says is tried against nobody else's."""
        if "." not in token:
            raise NotAuthenticated(
                f"Opaque access tokens are not accepted here: ask for one with resource={self._resource} (RFC 8707)."
            )
        header_of(token)  # first, so that a token that nobody could check is told so
        issuer = self._issuers.get(issuer_of(token))
        if issuer is None:
            raise NotAuthenticated("The token comes from another issuer.")
        return issuer

    def _remember(self, asked: tuple[str, tuple[str, ...]], signed: SignedClaims) -> None:
        self._verified[asked] = signed
        if len(self._verified) > MAX_CACHED:
            self._verified.popitem(last=False)


def _kind(header: Mapping[str, Any]) -> str:
    return str(header.get("typ") or "").lower()


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
