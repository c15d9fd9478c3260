"""Configurations that must not go live. `manage.py migrate` runs these too, so a deployment stops before it starts."""

from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import OperationalError, ProgrammingError, connection

from core.models.signing_key import key_ring
from core.sql import statement

SMALLEST_KEY_BITS = 2048
_MAKE_ONE = "Make one with `openssl genrsa 3072` and set OIDC_RSA_PRIVATE_KEY to the whole PEM text."


@register(Tags.security)
def signing_key_is_good(**_: Any) -> list[CheckMessage]:
    """core.E001: no key. core.E002: not an RSA private key. core.E003: a weak one. The messages hold nothing of it."""
    pem = settings.OAUTH2_PROVIDER["OIDC_RSA_PRIVATE_KEY"]
    if not pem:
        return [Error("There is no key to sign tokens with.", hint=_MAKE_ONE, id="core.E001")]
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        fault = "OIDC_RSA_PRIVATE_KEY is not an RSA private key in PEM form without a password."
        return [Error(fault, hint=_MAKE_ONE, id="core.E002")]
    if key.key_size < SMALLEST_KEY_BITS:
        fault = f"OIDC_RSA_PRIVATE_KEY has {key.key_size} bits; RS256 needs {SMALLEST_KEY_BITS} (RFC 7518 §3.3)."
        return [Error(fault, hint=_MAKE_ONE, id="core.E003")]
    return []


@register(Tags.security, deploy=True)
def public_addresses_are_https(**_: Any) -> list[CheckMessage]:
    """core.W001: the issuer (RFC 8414 §2) or the MCP endpoint is reached without TLS."""
    plain = [name for name in ("BASE_URL", "MCP_URL") if not getattr(settings, name).startswith("https://")]
    return [
        checks.Warning(
            f"JHE_{name} is not https: passwords and tokens would travel in the open.",
            hint=f"Set JHE_{name} to the public https address.",
            id="core.W001",
        )
        for name in plain
    ]


@register(Tags.security, deploy=True)
def keys_can_be_opened(**_: Any) -> list[CheckMessage]:
    """core.W010: a key whose turn it is, or will be, cannot sign. Not known while the database is out of reach."""
    try:
        shut = [key.kid for key in key_ring() if key.verify_until is None and key.key() is None]
    except (OperationalError, ProgrammingError):  # the tables may not be there yet
        return []
    return [
        checks.Warning(
            f"The signing key {kid} cannot be opened with this SECRET_KEY, so an older one signs.",
            hint="Put the SECRET_KEY of before into SECRET_KEY_FALLBACKS, or make a new key: `manage.py rotate_keys`.",
            id="core.W010",
        )
        for kid in shut
    ]


@register(Tags.security, deploy=True)
def services_cannot_change_the_trail(**_: Any) -> list[CheckMessage]:
    """core.W002: the services' role could change the audit trail. Not known while the database is out of reach."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement("can_change_the_trail"))
            (can_change,) = cursor.fetchone()
    except OperationalError:
        return []
    if not can_change:
        return []
    return [
        checks.Warning(
            "The database role of DATABASE_URL could change the audit trail.",
            hint="Set DATABASE_URL to what `manage.py database_password jhe_app` prints, and DATABASE_OWNER_URL to the "
            "URL that it was.",
            id="core.W002",
        )
    ]
