from typing import Self

from django.db import models
from django.db.models.functions import Upper

from core.models.access import OrganizationAccess, PatientAccess
from core.models.fhir_extra import FHIR_EXTRA
from core.models.versioned import Versioned
from core.policy.permissions import Permission
from core.policy.principal import Principal


class PatientQuerySet(models.QuerySet["Patient"]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.PATIENT_READ) -> Self:
        return self.filter(PatientAccess.reaching(principal, permission, patient_id="pk"))

    def named(self, words: str) -> Self:
        """Whose names, given and family together, contain each of these words."""
        found = self
        for word in words.split():
            found = found.filter(models.Q(name_given__icontains=word) | models.Q(name_family__icontains=word))
        return found


class Patient(Versioned):
    """FHIR R5 Patient. `user` is set once the patient has a login."""

    class Gender(models.TextChoices):
        """http://hl7.org/fhir/administrative-gender"""

        MALE = "male", "Male"
        FEMALE = "female", "Female"
        OTHER = "other", "Other"
        UNKNOWN = "unknown", "Unknown"

    user = models.OneToOneField("core.User", models.SET_NULL, null=True, blank=True, related_name="patient")
    name_family = models.CharField(max_length=255)
    name_given = models.CharField(max_length=255)
    birth_date = models.DateField(null=True, blank=True)
    gender = models.CharField(max_length=8, choices=Gender, default=Gender.UNKNOWN)
    telecom_phone = models.CharField(max_length=64, blank=True)
    telecom_email = models.EmailField(blank=True)
    fhir_extra = models.JSONField(default=dict, blank=True, editable=False, help_text=FHIR_EXTRA)
    organizations = models.ManyToManyField("core.Organization", through="PatientOrganization", related_name="patients")

    objects = PatientQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(Upper("telecom_email"), name="patient_by_email")]  # as `__iexact` compares

    def __str__(self) -> str:
        # Shown in logs and messages: an id, never a name.
        return f"Patient {self.pk}"


class PatientOrganizationQuerySet(models.QuerySet["PatientOrganization"]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.ORGANIZATION_READ) -> Self:
        """Those of organizations that the person reaches, and a patient's own: nobody learns who else treats them."""
        reached = OrganizationAccess.reaching(principal, permission, organization_id="organization_id")
        return self.filter(reached | models.Q(patient__user=principal.user_id))


class PatientOrganization(models.Model):
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="patient_organizations")
    organization = models.ForeignKey("core.Organization", models.CASCADE, related_name="patient_organizations")

    objects = PatientOrganizationQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["patient", "organization"], name="patient_once_per_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.patient} of {self.organization}"


class PatientIdentifier(models.Model):
    """FHIR R5 Identifier: one (system, value) belongs to one patient."""

    patient = models.ForeignKey(Patient, models.CASCADE, related_name="identifiers")
    system = models.CharField(max_length=255)
    value = models.CharField(max_length=255)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["system", "value"], name="patient_identifier_unique")]

    def __str__(self) -> str:
        return f"Identifier {self.pk} of {self.patient}"
