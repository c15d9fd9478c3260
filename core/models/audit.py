from copy import copy
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q, Value

from core.models.audit_reach import AuditReach
from core.policy.principal import Principal

DOORS = ("rest", "fhir", "mcp", "web", "admin", "command", "import")
"""The ways in. `web` is a page, `command` is manage.py on the machine itself, `import` a file brought in that way."""


BY_MCP_TOKEN = Q(client_id__startswith="mcp-token-")
"""What was done with MCP tokens (`McpToken.client_id`). Said in a query, too, it lets PostgreSQL use the index."""


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    """What is found is shown through `AuditEvent.as_seen_by`, which leaves out what is not the reader's to know."""

    def visible_to(self, principal: Principal) -> Self:
        """As `within`, for one question; who asks several looks up the reach once."""
        return self.within(AuditReach.of(principal))

    def within(self, reach: AuditReach) -> Self:
        """What the reader did themselves, and what concerns the patients and studies whose access log is theirs; of
        that what happened in the studies that they are narrowed to, if any.
        """
        if reach.everything:
            return self.all()
        theirs = self.filter(
            Q(user_id__in=reach.actor_ids)
            | Q(patient_ids__overlap=Value(sorted(reach.patient_ids), output_field=self.model.patient_ids.field))
            | Q(study_id__in=sorted(reach.study_ids))
        )
        return theirs if reach.within_ids is None else theirs.filter(study_id__in=sorted(reach.within_ids))

    def through(self, client_id: str) -> Self:
        """What was done with an MCP token, by what stands for its client."""
        return self.filter(BY_MCP_TOKEN, client_id=client_id)

    def touching(self, patient_id: int, reach: AuditReach) -> Self:
        """What touched a patient, as far as the reader may know that: an event tells nobody of its other patients."""
        touching = self.filter(patient_ids__contains=[patient_id])
        if reach.everything or patient_id in reach.patient_ids:
            return touching
        return touching.filter(user_id__in=reach.actor_ids)


class AuditEvent(models.Model):
    """One access to patient data, refused ones too (FHIR R5 AuditEvent). Written by `audit_record` and never changed.

    Plain ids, no foreign keys: an audit row outlives what it tells of.
    """

    class Outcome(models.TextChoices):
        SUCCESS = "success"
        REFUSED = "refused"
        FAILED = "failed"

    recorded = models.DateTimeField()
    door = models.TextField(help_text="The way in: rest, fhir, mcp, web, admin, command or import.")
    action = models.TextField(help_text="What was asked: a tool, or a method and route.")
    outcome = models.TextField(choices=Outcome)
    user_id = models.BigIntegerField(null=True)
    client_id = models.TextField(blank=True)
    token_key = models.TextField(blank=True, help_text="Which token: a hash or a jti, never the token.")
    study_id = models.BigIntegerField(null=True)
    patient_ids = ArrayField(models.BigIntegerField(), default=list)
    source = models.TextField(blank=True, help_text="The address that the request came from.")
    detail = models.JSONField(default=dict, help_text="What narrows the question (kinds, times), never its answer.")

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user_id", "id"], name="audit_by_user"),
            models.Index(fields=["recorded"], name="audit_by_time"),
            models.Index(fields=["client_id", "id"], name="audit_by_mcp_token", condition=BY_MCP_TOKEN),
            models.Index(fields=["study_id", "id"], name="audit_by_study", condition=Q(study_id__isnull=False)),
            GinIndex(fields=["patient_ids"], name="audit_by_patient"),
        ]

    def __str__(self) -> str:
        return f"Audit event {self.pk}"

    def as_seen_by(self, reach: AuditReach) -> "AuditEvent":
        """This event without what the reader is not to know: an unsaved copy with the same id.

        Other people's patients are left out, and so is `detail`, which may name them, when there are such. A patient
        learns who looked at their data, when and through what, and not from which address or with which token.
        """
        if reach.everything or self.user_id in reach.actor_ids:
            return self
        seen = copy(self)
        seen.patient_ids = [patient_id for patient_id in self.patient_ids if patient_id in reach.patient_ids]
        if len(seen.patient_ids) < len(self.patient_ids):
            seen.detail = {}
        if not reach.is_managed(self.patient_ids, self.study_id):
            seen.token_key = seen.source = ""
        return seen


class IdRanges(models.TextField):  # type: ignore[type-arg] # the stubs' parameters are not there at run time
    """Sets of ids as PostgreSQL writes its int8multirange: `{[1,501),[502,1001)}`, lower bounds in, upper ones out."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:  # noqa: ARG002
        return "int8multirange"


class AuditSeal(models.Model):
    """A seal over some rows of the audit trail, in a chain with those before. Made by `audit_seal`, never changed."""

    day = models.DateField(help_text="On which it was sealed, UTC.")
    number = models.IntegerField(help_text="Counts the seals of a day, from 1.")
    sealed_at = models.DateTimeField()
    row_count = models.IntegerField()
    ids = IdRanges(help_text="The ids of the rows under this seal.")
    last_id = models.BigIntegerField(help_text="The highest id under this seal or one before.")
    awaited = IdRanges(help_text="Lower ids under no seal yet: a transaction may still bring them.")
    horizon = models.BigIntegerField(null=True, help_text="Transactions from this id on bring none of the awaited.")
    digests = models.BinaryField(help_text="The first 8 bytes of each row's SHA-256, to find the row that was changed.")
    previous_hash = models.TextField(help_text="Of the seal before; 64 zeros for the first.")
    hash = models.TextField(help_text="SHA-256 over audit_seal_line and each row's audit_line.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["day", "number"], name="audit_seal_once"),
            models.UniqueConstraint(fields=["previous_hash"], name="audit_seal_chain_without_fork"),
        ]

    def __str__(self) -> str:
        return f"Seal {self.day}/{self.number}"
