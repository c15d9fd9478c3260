from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from core.models.access import PatientAccess
from core.policy.permissions import Permission
from core.policy.principal import Principal


class PatientInvitationQuerySet(models.QuerySet["PatientInvitation"]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.PATIENT_MANAGE) -> Self:
        return self.filter(PatientAccess.reaching(principal, permission, patient_id="patient_id"))


class PatientInvitation(models.Model):
    """A patient is invited to use an app, which then acts as the patient. Of its token only the hash is kept."""

    class Status(models.TextChoices):
        ISSUED = "issued"
        REISSUED = "reissued", "Issued again, with a new token"
        REDEEMED = "redeemed"
        CANCELLED = "cancelled"
        EXPIRED = "expired"

    OPEN = (Status.ISSUED, Status.REISSUED)
    """What can still be redeemed, until it expires."""

    patient = models.ForeignKey("core.Patient", models.CASCADE, related_name="invitations")
    client = models.ForeignKey("oauth2_provider.Application", models.CASCADE, related_name="invitations")
    status = models.CharField(max_length=16, choices=Status, default=Status.ISSUED)
    token_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the token, in hexadecimal.")
    expires = models.DateTimeField()
    email = models.EmailField(help_text="Whom it was issued for: a change of the patient's record does not move it.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        related_name="+",
        help_text="The account that it lets the patient into again; none where redeeming it makes one.",
    )
    issuer = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    last_updated = models.DateTimeField(auto_now=True)

    objects = PatientInvitationQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = "invitation"
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "client"],
                condition=models.Q(status__in=["issued", "reissued"]),
                name="one_open_invitation_per_patient_and_client",
            )
        ]

    def __str__(self) -> str:
        return f"Invitation {self.pk} of patient {self.patient_id}"

    @property
    def state(self) -> str:
        """Its status at this moment: what nobody redeemed in time has expired, without anybody writing so."""
        is_late = self.status in self.OPEN and self.expires <= timezone.now()
        return self.Status.EXPIRED if is_late else self.Status(self.status)
