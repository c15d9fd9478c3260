"""The keys that tokens are signed with. Public parts are for everybody; private parts leave the database sealed."""

import json
from base64 import urlsafe_b64encode
from datetime import datetime
from functools import lru_cache
from typing import Any, Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from jwcrypto import jwk

from core.derived_keys import derived_keys

_PURPOSE = "signing keys"


class Algorithm(models.TextChoices):
    """RFC 7518 §3.1."""

    RS256 = "RS256", "RS256"
    ES256 = "ES256", "ES256"


class SigningKey(models.Model):
    """A key pair from the moment it is published until the last token that it signed has run out.

    The private part is encrypted with a key made from SECRET_KEY: neither a dump of the database nor a page shows it.
    The row of OIDC_RSA_PRIVATE_KEY has none, because the environment holds it; it is there once that key was replaced.
    """

    kid = models.CharField(primary_key=True, max_length=43, help_text="RFC 7638: the thumbprint of the public part.")
    algorithm = models.CharField(max_length=5, choices=Algorithm.choices)
    public = models.JSONField(help_text="JWK (RFC 7517) of the public part.")
    private = models.TextField(blank=True, editable=False, help_text="JWK of both parts, encrypted (Fernet).")
    created = models.DateTimeField(auto_now_add=True)
    active_from = models.DateTimeField(help_text="Signs from then on, until a newer one does.")
    verify_until = models.DateTimeField(null=True, help_text="Not published any longer. None: nobody has replaced it.")

    class Meta:
        ordering = ["-active_from"]

    def __str__(self) -> str:
        return f"{self.algorithm} {self.kid}"

    @classmethod
    @sensitive_variables()
    def new(cls, algorithm: Algorithm, *, active_from: datetime) -> Self:
        """Not saved yet."""
        if algorithm == Algorithm.RS256:
            key = jwk.JWK.generate(kty="RSA", size=3072)
        else:
            key = jwk.JWK.generate(kty="EC", crv="P-256")
        sealed = _seal(derived_keys(_PURPOSE)[0]).encrypt(key.export_private().encode()).decode()
        return cls(private=sealed, active_from=active_from, **_public_parts(key, algorithm))

    @classmethod
    def of_the_environment(cls) -> Self:
        """OIDC_RSA_PRIVATE_KEY as a row, not saved: it signs until another key does."""
        first = datetime.fromtimestamp(0, tz=timezone.get_default_timezone())
        return cls(active_from=first, **_public_parts(_environments(), Algorithm.RS256))

    @property
    def is_published(self) -> bool:
        """Whether its signatures are, or will be, worth something."""
        return self.verify_until is None or self.verify_until > timezone.now()

    def key(self) -> jwk.JWK | None:
        """Both parts; None where the private one cannot be had: SECRET_KEY or OIDC_RSA_PRIVATE_KEY is another now."""
        if self.private:
            return _unsealed(self.private, tuple(derived_keys(_PURPOSE)))
        key = _environments()
        return key if key.thumbprint() == self.kid else None


def key_ring() -> list[SigningKey]:
    """Every key there is, the newest first, and that of the environment whether or not it has a row."""
    keys = list(SigningKey.objects.all())
    environments = SigningKey.of_the_environment()
    return keys if environments in keys else [*keys, environments]


def signer(ring: list[SigningKey], algorithm: Algorithm) -> SigningKey | None:
    """The one that signs at this moment. A key whose private part cannot be had is passed over."""
    now = timezone.now()
    able = (key for key in ring if key.algorithm == algorithm and key.active_from <= now and key.is_published)
    return next((key for key in able if key.key() is not None), None)


def _public_parts(key: jwk.JWK, algorithm: Algorithm) -> dict[str, Any]:
    kid = key.thumbprint()
    public = {**json.loads(key.export_public()), "alg": algorithm.value, "use": "sig", "kid": kid}
    return {"kid": kid, "algorithm": algorithm, "public": public}


def _seal(key: bytes) -> Fernet:
    return Fernet(urlsafe_b64encode(key))


@lru_cache(32)  # reading an RSA key checks it, which takes longer than signing with it
@sensitive_variables()
def _unsealed(sealed: str, keys: tuple[bytes, ...]) -> jwk.JWK | None:
    try:
        return jwk.JWK.from_json(MultiFernet([_seal(key) for key in keys]).decrypt(sealed).decode())
    except InvalidToken:
        return None


def _environments() -> jwk.JWK:
    return _from_pem(settings.OAUTH2_PROVIDER["OIDC_RSA_PRIVATE_KEY"])


@lru_cache(8)
def _from_pem(pem: str) -> jwk.JWK:
    return jwk.JWK.from_pem(pem.encode())
