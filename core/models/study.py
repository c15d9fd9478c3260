from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from core.models.access import EnrolmentAccess, StudyAccess
from core.models.fhir_extra import FHIR_EXTRA
from core.models.versioned import Versioned
from core.policy.permissions import Permission
from core.policy.principal import Principal


class StudyQuerySet(models.QuerySet["Study"]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.STUDY_READ) -> Self:
        return self.filter(StudyAccess.reaching(principal, permission, study_id="pk"))


class Study(Versioned):
    """FHIR R5 ResearchStudy, run by one organization."""

    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    organization = models.ForeignKey("core.Organization", models.PROTECT, related_name="studies")
    icon_url = models.URLField(blank=True)
    fhir_extra = models.JSONField(default=dict, blank=True, editable=False, help_text=FHIR_EXTRA)
    scopes = models.ManyToManyField("core.CodeableConcept", through="StudyScopeRequest", related_name="studies")
    patients = models.ManyToManyField("core.Patient", through="StudyPatient", related_name="studies")
    data_sources = models.ManyToManyField("core.DataSource", through="StudyDataSource", related_name="studies")
    clients: "models.ManyToManyField[models.Model, StudyClient]" = models.ManyToManyField(
        settings.OAUTH2_PROVIDER_APPLICATION_MODEL, through="StudyClient", related_name="studies"
    )

    objects = StudyQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "studies"

    def __str__(self) -> str:
        return self.name


class StudyScopeRequest(models.Model):
    """A kind of data that the study asks its patients for."""

    study = models.ForeignKey(Study, models.CASCADE, related_name="scope_requests")
    code = models.ForeignKey("core.CodeableConcept", models.PROTECT, related_name="scope_requests")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["study", "code"], name="study_requests_scope_once")]

    def __str__(self) -> str:
        return f"{self.study}: {self.code}"


class StudyPatientQuerySet(models.QuerySet["StudyPatient"]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.PATIENT_READ) -> Self:
        return self.filter(
            EnrolmentAccess.reaching(principal, permission, study_id="study_id", patient_id="patient_id")
        )


class StudyPatient(models.Model):
    """An enrolment (FHIR R5 ResearchSubject). Ending it ends the patient's consents; their history stays.

    It holds only while the patient belongs to the study's organization: composite foreign keys see to that, over a
    column that Django does not need to know (core/sql/enrolment_v1.sql).
    """

    study = models.ForeignKey(Study, models.CASCADE, related_name="enrolments")
    patient = models.ForeignKey("core.Patient", models.CASCADE, related_name="enrolments")
    enrolled_at = models.DateTimeField(default=timezone.now)

    objects = StudyPatientQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["study", "patient"], name="patient_once_per_study")]

    def __str__(self) -> str:
        return f"{self.patient} in {self.study}"


class StudyDataSource(models.Model):
    study = models.ForeignKey(Study, models.CASCADE, related_name="data_source_links")
    data_source = models.ForeignKey("core.DataSource", models.CASCADE, related_name="study_links")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["study", "data_source"], name="study_data_source_once")]

    def __str__(self) -> str:
        return f"{self.study}: {self.data_source}"


class StudyClient(models.Model):
    """An OAuth client that may send data for the study."""

    study = models.ForeignKey(Study, models.CASCADE, related_name="client_links")
    client = models.ForeignKey(settings.OAUTH2_PROVIDER_APPLICATION_MODEL, models.CASCADE, related_name="study_links")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["study", "client"], name="study_client_once")]

    def __str__(self) -> str:
        return f"{self.study}: client {self.client_id}"
