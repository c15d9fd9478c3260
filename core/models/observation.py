from typing import Self

from django.db import models

from core.models.access import ObservationAccess
from core.models.fhir_extra import FHIR_EXTRA
from core.models.versioned import Versioned
from core.policy.permissions import Permission
from core.policy.principal import Principal


class ObservationQuerySet(models.QuerySet["Observation"]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.OBSERVATION_READ) -> Self:
        """Consent-gated for everyone but the patient, superusers too."""
        reached = ObservationAccess.reaching(principal, permission, patient_id="patient_id", code_id="code_id")
        return self.filter(reached)


class Observation(Versioned):
    """One Open mHealth / IEEE 1752.1 data point, as sent, and beside it what queries need as typed columns.

    `effective_start` is the instant, or the beginning of the period that `effective_end` closes.
    `utc_offset_minutes` is the offset the time was recorded with, so that a patient's local day can be found again.
    `value_quantity` and `value_unit` hold the number of scalar kinds, in the unit it was sent in.
    """

    class Status(models.TextChoices):
        """http://hl7.org/fhir/observation-status"""

        REGISTERED = "registered"
        PRELIMINARY = "preliminary"
        FINAL = "final"
        AMENDED = "amended"
        CORRECTED = "corrected"
        CANCELLED = "cancelled"
        ENTERED_IN_ERROR = "entered-in-error"
        UNKNOWN = "unknown"

    patient = models.ForeignKey("core.Patient", models.CASCADE, related_name="observations", db_index=False)
    code = models.ForeignKey("core.CodeableConcept", models.PROTECT, related_name="observations", db_index=False)
    data_source = models.ForeignKey("core.DataSource", models.PROTECT, null=True, blank=True, db_index=False)
    status = models.CharField(max_length=16, choices=Status, default=Status.FINAL)
    effective_start = models.DateTimeField()
    effective_end = models.DateTimeField(null=True, blank=True)
    utc_offset_minutes = models.SmallIntegerField(null=True, blank=True)
    value_quantity = models.FloatField(null=True, blank=True)
    value_unit = models.TextField(blank=True)
    omh_data = models.JSONField()
    fhir_extra = models.JSONField(null=True, blank=True, editable=False, help_text=FHIR_EXTRA)
    # Without a key in the database: an ingest stays for ever, and the check would cost each observation a look-up.
    ingest = models.ForeignKey(
        "core.Ingest",
        models.DO_NOTHING,
        null=True,
        editable=False,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )

    objects = ObservationQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(effective_end__isnull=True)
                | models.Q(effective_end__gte=models.F("effective_start")),
                name="observation_ends_after_start",
            ),
        ]
        indexes = [
            # The newest of a patient and code, a time window, and a cursor along it.
            models.Index("patient", "code", models.F("effective_start").desc(), models.F("id").desc(), name="obs_time"),
            # What holds until after a moment although it began before: few have an end.
            models.Index(
                fields=["patient", "code", "effective_end"],
                condition=models.Q(effective_end__isnull=False),
                name="obs_period",
            ),
            # The last changed of a patient and code, and a cursor along it.
            models.Index(fields=["patient", "code", "last_updated", "id"], name="obs_changed"),
        ]

    def __str__(self) -> str:
        return f"Observation {self.pk}"


class ObservationIdentifier(models.Model):
    """FHIR R5 Identifier of an observation. Unique within the patient: what comes twice is kept once."""

    observation = models.ForeignKey(Observation, models.CASCADE, related_name="identifiers")
    patient = models.ForeignKey("core.Patient", models.CASCADE, db_index=False)
    system = models.TextField()
    value = models.TextField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["patient", "value", "system"], name="observation_identifier_unique"),
        ]

    def __str__(self) -> str:
        return f"Identifier {self.pk} of observation {self.observation_id}"
