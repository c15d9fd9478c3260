from typing import Self

from django.db import models
from django.db.models.functions import Upper

from core.models.access import PatientAccess
from core.models.fhir_extra import FHIR_EXTRA
from core.models.versioned import Versioned
from core.policy.permissions import Permission
from core.policy.principal import Principal


class PatientQuerySet(models.QuerySet["Patient"]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.PATIENT_READ) -> Self:
        return self.filter(PatientAccess.reaching(principal, permission, patient_id="pk"))


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


class PatientOrganization(models.Model):
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="patient_organizations")
    organization = models.ForeignKey("core.Organization", models.CASCADE, related_name="patient_organizations")

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
