"""Keys for one purpose each, made from SECRET_KEY: a deployment keeps one secret, and no two uses share a key."""

from base64 import urlsafe_b64encode
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
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


def seal(purpose: str, text: str) -> str:
    """Encrypted (Fernet), for a column that neither a dump of the database nor a page is to show."""
    return _sealer(purpose).encrypt(text.encode()).decode()


def unseal(purpose: str, sealed: str) -> str | None:
    """What was sealed; None where SECRET_KEY is another now."""
    try:
        return _sealer(purpose).decrypt(sealed).decode()
    except InvalidToken:
        return None


def _sealer(purpose: str) -> MultiFernet:
    return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in derived_keys(purpose)])
