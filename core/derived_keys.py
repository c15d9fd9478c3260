"""Keys for one purpose each, made from SECRET_KEY: a deployment keeps one secret, and no two uses share a key."""

from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def derived_keys(purpose: str) -> list[bytes]:
    """32 bytes from SECRET_KEY, for what is made now, then from each of SECRET_KEY_FALLBACKS, for what was made before.

    HKDF-SHA-256 (RFC 5869).
    """
    return [_derived(secret, purpose) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


@lru_cache(64)
def _derived(secret: str, purpose: str) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret.encode())
