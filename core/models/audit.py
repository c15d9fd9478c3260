from django.contrib.postgres.fields import ArrayField
from django.db import models


class AuditEvent(models.Model):
    """One access to patient data, refused ones too (FHIR R5 AuditEvent). Written by `audit_record` and never changed.

    Plain ids, no foreign keys: an audit row outlives what it tells of.
    """

    class Outcome(models.TextChoices):
        SUCCESS = "success"
        REFUSED = "refused"
        FAILED = "failed"

    recorded = models.DateTimeField()
    door = models.TextField(help_text="rest, fhir, mcp, web, admin or command")
    action = models.TextField(help_text="What was asked: a tool, or a method and route.")
    outcome = models.TextField(choices=Outcome)
    user_id = models.BigIntegerField(null=True)
    client_id = models.TextField(blank=True)
    token_key = models.TextField(blank=True, help_text="Which token: a hash or a jti, never the token.")
    study_id = models.BigIntegerField(null=True)
    patient_ids = ArrayField(models.BigIntegerField(), default=list)
    source = models.TextField(blank=True, help_text="The address that the request came from.")
    detail = models.JSONField(default=dict, help_text="What narrows the question (kinds, times), never its answer.")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user_id", "id"], name="audit_by_user"),
            models.Index(fields=["recorded"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"Audit event {self.pk}"
