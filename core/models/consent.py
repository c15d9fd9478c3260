from typing import Self

from django.db import models
from django.utils import timezone

from core.models.access import EnrolmentAccess
from core.policy.permissions import Permission
from core.policy.principal import Principal


class ConsentQuerySet(models.QuerySet["StudyPatientScopeConsent"]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.CONSENT_READ) -> Self:
        return self.filter(
            EnrolmentAccess.reaching(principal, permission, study_id="study_id", patient_id="patient_id")
        )


class StudyPatientScopeConsent(models.Model):
    """A patient's answer to one scope of one study: yes or no; no row means not yet answered.

    Two composite foreign keys in the database (core/sql/consent_v1.sql) hold what Django cannot say: the patient is
    enrolled in the study and the study requests the code. When either ends, the answer goes with it.
    """

    study = models.ForeignKey("core.Study", models.CASCADE, related_name="consents")
    patient = models.ForeignKey("core.Patient", models.CASCADE, related_name="consents")
    code = models.ForeignKey("core.CodeableConcept", models.PROTECT, related_name="consents")
    consented = models.BooleanField()
    consented_time = models.DateTimeField(default=timezone.now)

    objects = ConsentQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["study", "patient", "code"], name="consent_once")]
        indexes = [models.Index(fields=["patient", "code"], name="consent_by_patient")]

    def __str__(self) -> str:
        return f"{self.patient}, {self.study}, {self.code}: {'yes' if self.consented else 'no'}"


class ConsentHistory(models.Model):
    """Every change of a consent, written by a trigger on the same transaction, never changed after.

    It keeps plain ids, because it outlives enrolments, studies and patients. `before`/`after` are null where there
    was, or is, no answer; `consented_time` is when `after` was said, which may be long before it was recorded.
    `user_id` and `client_id` are who the writing action named; null for a change made in the database by hand.
    `method` is the door that the change came through, and how the answer was obtained: `rest: paper form`.
    """

    recorded = models.DateTimeField()
    study_id = models.BigIntegerField()
    patient_id = models.BigIntegerField()
    code_id = models.BigIntegerField()
    before = models.BooleanField(null=True)
    after = models.BooleanField(null=True)
    consented_time = models.DateTimeField(null=True)
    user_id = models.BigIntegerField(null=True)
    client_id = models.TextField(blank=True)
    method = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "consent history"
        indexes = [models.Index(fields=["patient_id", "study_id"], name="consent_history_by_patient")]

    def __str__(self) -> str:
        return f"Consent change {self.pk} of patient {self.patient_id} in study {self.study_id}"
