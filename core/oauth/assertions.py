"""ID tokens of the issuers that this exchange trusts: each is checked whole, and taken once."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jwt
from django.conf import settings
from django.utils import timezone
from jwt.exceptions import PyJWKClientConnectionError, PyJWKClientError, PyJWKError, PyJWKSetError, PyJWTError

from core.models import UsedAssertion
from core.policy.errors import InvalidInput, Unavailable
from core.policy.issuers import TrustedIssuer

LEEWAY_SECONDS = 30
MAX_LENGTH = 16_384
_REQUIRED = ["aud", "exp", "iat", "iss", "jti", "sub"]
MAX_LIFETIME_SECONDS = 86_400
_REFUSED = "The subject_token is none that is taken here: "
_UNAVAILABLE = "The keys of the subject_token's issuer cannot be fetched: try again in a minute."


def issuer_of(token: str) -> TrustedIssuer:
    """Whose a token says it is: nothing else of it is believed. Raises InvalidInput."""
    if len(token) > MAX_LENGTH:
        raise InvalidInput(f"{_REFUSED}it is too long.")
    try:
        named = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (PyJWTError, RecursionError):
        raise InvalidInput(f"{_REFUSED}it is no JWT.") from None
    issuer = settings.TRUSTED_ISSUERS.get(named) if isinstance(named, str) else None
    if issuer is None:
        raise InvalidInput(f"{_REFUSED}its issuer is not trusted.")
    found: TrustedIssuer = issuer
    return found


def verified(token: str, issuer: TrustedIssuer) -> dict[str, Any]:
    """The claims of an ID token of this issuer for this exchange (OpenID Connect Core §3.1.3.7), signed and in time.

    Keys come from the configured URL alone, never from what a token names (`jku`, `x5u`, `jwk`). Raises InvalidInput,
    and Unavailable when the issuer's keys cannot be had.
    """
    try:
        header = jwt.get_unverified_header(token)
    except PyJWTError:
        raise InvalidInput(f"{_REFUSED}it is no JWT.") from None
    if header.get("typ", "JWT") != "JWT" or "kid" not in header:
        raise InvalidInput(f"{_REFUSED}its header is not that of an ID token with a kid.")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(issuer, header["kid"]),
            algorithms=list(issuer.algorithms),
            audience=issuer.audience,
            issuer=issuer.issuer,
            leeway=LEEWAY_SECONDS,
            options={
                "require": _REQUIRED,
                "verify_signature": True,
                "verify_aud": True,
                "verify_exp": True,
                "verify_iat": True,
                "verify_iss": True,
                "verify_jti": True,
                "verify_nbf": True,
                "verify_sub": True,
            },
        )
    except (PyJWTError, OverflowError) as error:
        raise InvalidInput(f"{_REFUSED}{type(error).__name__}.") from None
    _check_more(claims, issuer)
    return claims


def use_up(claims: dict[str, Any]) -> None:
    """Take a token for good: of two that come at once, one is refused. Raises InvalidInput for one that came before."""
    now = timezone.now()
    UsedAssertion.objects.filter(expires__lt=now).delete()
    key = hashlib.sha256(f"{claims['iss']}\0{claims['jti']}".encode()).hexdigest()
    until = datetime.fromtimestamp(claims["exp"], UTC) + timedelta(seconds=2 * LEEWAY_SECONDS)
    _, is_new = UsedAssertion.objects.get_or_create(key=key, defaults={"expires": until})
    if not is_new:
        raise InvalidInput(f"{_REFUSED}it was used before.")


def _check_more(claims: dict[str, Any], issuer: TrustedIssuer) -> None:
    """What PyJWT leaves: the age, the authorized party, and values that are none."""
    if type(claims["iat"]) is not int or type(claims["exp"]) is not int:
        raise InvalidInput(f"{_REFUSED}its times are no whole seconds.")
    if claims["exp"] - claims["iat"] > MAX_LIFETIME_SECONDS:
        raise InvalidInput(f"{_REFUSED}it lives for more than a day.")
    if claims["iat"] < timezone.now().timestamp() - issuer.max_age - LEEWAY_SECONDS:
        raise InvalidInput(f"{_REFUSED}it is older than {issuer.max_age} s.")
    if not all(_is_text(claims[name]) for name in ("sub", "jti")):
        raise InvalidInput(f"{_REFUSED}its sub or jti is empty, or no text.")
    is_for_others = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if is_for_others else issuer.audience) != issuer.audience:
        raise InvalidInput(f"{_REFUSED}it was issued to another party (azp).")


def _is_text(value: str) -> bool:
    """JSON can also spell what is none: a half of a surrogate pair has no UTF-8 (RFC 8259 §8.2)."""
    try:
        return bool(value.encode()) and "\0" not in value
    except UnicodeEncodeError:
        return False


def _key(issuer: TrustedIssuer, kid: Any) -> jwt.PyJWK:
    try:
        return _client(issuer.jwks_url).get_signing_key(kid)
    except PyJWKClientConnectionError as error:
        raise Unavailable(_UNAVAILABLE) from error
    except (PyJWKSetError, PyJWKError, ValueError) as error:  # what is there are no keys
        raise Unavailable(_UNAVAILABLE) from error
    except PyJWKClientError:
        raise InvalidInput(f"{_REFUSED}its key is none of its issuer's.") from None


@cache
def _client(jwks_url: str) -> jwt.PyJWKClient:
    """Keeps the set for five minutes, and asks again for an unknown key at most every 30 s. There is one per issuer."""
    return jwt.PyJWKClient(
        jwks_url, cache_keys=False, cache_jwk_set=True, lifespan=300, timeout=5, cooldown_duration=30
    )
