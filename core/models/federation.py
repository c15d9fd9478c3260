"""People whom other identity providers know: an EHR, a hospital."""

from django.conf import settings
from django.db import models


class FederatedIdentity(models.Model):
    """Who somebody is at an issuer that this exchange trusts (settings.TRUSTED_ISSUERS). Superusers make these.

    Nothing that other people write, such as an e-mail address or a patient's identifier, says who may act as a person.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="federated_identities")
    issuer = models.CharField(max_length=500, help_text="As its tokens spell it (iss).")
    subject = models.CharField(max_length=255, help_text="Who it is there, as its tokens say it (sub).")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "federated identities"
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="federated_identity_unique")]

    def __str__(self) -> str:
        return f"Federated identity {self.pk} of user {self.user_id}"


class UsedAssertion(models.Model):
    """A token of another issuer that was exchanged: it is taken once (RFC 8693 §2.1, RFC 7519 §4.1.7)."""

    key = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of its issuer and jti, in hexadecimal.")
    expires = models.DateTimeField(db_index=True, help_text="After this it would be refused for its age.")

    def __str__(self) -> str:
        return f"Assertion {self.key}"
