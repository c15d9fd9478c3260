from typing import Self

from django.db import models

from core.models.access import OrganizationAccess, PractitionerAccess
from core.models.fhir_extra import FHIR_EXTRA
from core.models.versioned import Versioned
from core.policy.permissions import Permission
from core.policy.principal import Principal
from core.policy.roles import PRACTITIONER_ROLES

ROLE_CHOICES = [(role.code, f"{role.code}: {role.sentence}") for role in PRACTITIONER_ROLES]


class PractitionerQuerySet(models.QuerySet["Practitioner"]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.PRACTITIONER_READ) -> Self:
        return self.filter(PractitionerAccess.reaching(principal, permission, practitioner_id="pk"))


class Practitioner(Versioned):
    """FHIR R5 Practitioner: a user who works for organizations."""

    user = models.OneToOneField("core.User", models.CASCADE, related_name="practitioner")
    identifier = models.CharField(max_length=255, blank=True)
    name_family = models.CharField(max_length=255, blank=True)
    name_given = models.CharField(max_length=255, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    telecom_phone = models.CharField(max_length=64, blank=True)
    fhir_extra = models.JSONField(default=dict, blank=True, editable=False, help_text=FHIR_EXTRA)
    organizations = models.ManyToManyField("core.Organization", through="PractitionerOrganization")

    objects = PractitionerQuerySet.as_manager()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name_given} {self.name_family}".strip() or f"Practitioner {self.pk}"


class PractitionerOrganizationQuerySet(models.QuerySet["PractitionerOrganization"]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.PRACTITIONER_READ) -> Self:
        return self.filter(OrganizationAccess.reaching(principal, permission, organization_id="organization_id"))


class PractitionerOrganization(Versioned):
    """A membership with its role (FHIR R5 PractitionerRole)."""

    practitioner = models.ForeignKey(Practitioner, models.CASCADE, related_name="memberships")
    organization = models.ForeignKey("core.Organization", models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=ROLE_CHOICES)

    objects = PractitionerOrganizationQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["practitioner", "organization"], name="practitioner_once_per_organization"),
            models.CheckConstraint(
                condition=models.Q(role__in=[role.code for role in PRACTITIONER_ROLES]), name="practitioner_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.practitioner} is {self.role} of {self.organization}"
