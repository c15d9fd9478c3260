"""What people have let OAuth clients do on their behalf."""

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from core.policy.own import sees_own_client_consents
from core.policy.principal import Principal


class ClientConsentQuerySet(models.QuerySet["ClientConsent"]):
    def visible_to(self, principal: Principal) -> Self:
        return self.filter(user_id=principal.user_id) if sees_own_client_consents(principal) else self.none()


class ClientConsent(models.Model):
    """A person has let a client act for them: one answer to the consent page, and every token that comes of it.

    It is remembered until the person withdraws it, which deletes it and, with it, the tokens.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="client_consents")
    application = models.ForeignKey("oauth2_provider.Application", models.CASCADE, related_name="consents")
    family = models.UUIDField(
        unique=True, help_text="Of the refresh tokens that come of it (RefreshToken.token_family)."
    )
    scope = models.TextField(help_text="What was granted: words separated by spaces.")
    resource = ArrayField(models.TextField(), default=list, help_text="What it was granted for (RFC 8707).")
    narrowing = models.ForeignKey(
        "core.Narrowing", models.RESTRICT, null=True, related_name="client_consents", help_text="None: everything."
    )
    redirect_uri = models.TextField(blank=True, help_text="Where the answer went; empty where none was sent anywhere.")
    authenticated = models.DateTimeField(default=timezone.now, help_text="When the person had logged in (auth_time).")
    refreshes = models.BooleanField(
        default=True, help_text="Unless the person unticked what keeps the client connected (offline_access)."
    )
    given = models.DateTimeField(auto_now_add=True)

    objects = ClientConsentQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["user", "application"], name="client_consent_of")]

    def __str__(self) -> str:
        return f"Consent {self.pk} of user {self.user_id} to client {self.application_id}"


class ConsentedToken(models.Model):
    """Which consent an access token comes of."""

    access_token = models.OneToOneField(
        "oauth2_provider.AccessToken", models.CASCADE, primary_key=True, related_name="consented"
    )
    consent = models.ForeignKey(ClientConsent, models.CASCADE, related_name="tokens")

    def __str__(self) -> str:
        return f"Token {self.access_token_id} of consent {self.consent_id}"


class DeviceRequest(models.Model):
    """What the library's DeviceGrant (RFC 8628) has no column for."""

    device_grant = models.OneToOneField(
        "oauth2_provider.DeviceGrant", models.CASCADE, primary_key=True, related_name="request"
    )
    resource = ArrayField(models.TextField(), default=list, help_text="What tokens are asked for (RFC 8707).")

    def __str__(self) -> str:
        return f"Request {self.device_grant_id} of a device"
