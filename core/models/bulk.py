"""Jobs that outlive a request: bulk export and import. A worker does them (core/fhir/bulk); the state is here."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from core.models.narrowing import Narrowing
from core.policy.own import sees_every_own_job
from core.policy.principal import Principal

KEPT_FOR = timedelta(days=1)
"""How long a job and its files are there after it was asked for."""


def _in_a_day() -> datetime:
    return timezone.now() + KEPT_FOR


class BulkJobQuerySet(models.QuerySet["BulkJob"]):
    def visible_to(self, principal: Principal) -> Self:
        """Only who asked for a job knows of it, while it is kept."""
        theirs = self.kept_for(principal.user_id)
        return theirs if sees_every_own_job(principal) else theirs._asked_for_as(principal)

    def _asked_for_as(self, principal: Principal) -> Self:
        """By this client, with a narrowing that left the same."""
        asking = Narrowing.objects.get(pk=principal.caller_id)
        narrowed = Narrowing.objects.filter(job__in=self.filter(client_id=principal.client_id))
        return self.filter(narrowing__in=[each.pk for each in narrowed if each.leaves_what(asking)])

    def kept_for(self, user_id: int) -> Self:
        return self.filter(user_id=user_id, expires__gt=timezone.now())

    def unfinished(self) -> Self:
        return self.filter(finished__isnull=True, expires__gt=timezone.now())


class BulkJob(models.Model):
    """One export or import, how far it has come, and on whose behalf it reads or writes.

    A worker that ends at any point loses nothing: `position` moves in the transaction that keeps what was done.
    A row that is deleted ends its job, and its files go with it.
    """

    class Kind(models.TextChoices):
        EXPORT = "export"
        IMPORT = "import"

    kind = models.CharField(max_length=8, choices=Kind)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="bulk_jobs")
    client_id = models.TextField(blank=True)
    token_key = models.TextField(blank=True, help_text="Which token asked: a hash or a jti, never the token.")
    scopes = models.TextField(blank=True, help_text="What that token was given for; the job does no more.")
    permissions = ArrayField(
        models.TextField(), null=True, help_text="What that token can do at most; null: everything."
    )
    source = models.TextField(blank=True, help_text="The address that it was asked for from.")
    request = models.TextField(help_text="The URL of the kick-off, as the manifest repeats it.")
    types = ArrayField(models.TextField(), default=list, help_text="The types of resources to export, in order.")
    study = models.ForeignKey("core.Study", models.CASCADE, null=True, help_text="Export this study's data alone.")
    since = models.DateTimeField(null=True, help_text="Export what changed after this alone.")
    transaction_time = models.DateTimeField(null=True, help_text="What was there by then is in the export.")
    position = models.JSONField(default=dict)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often it was begun since it last got on.")
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField(default=_in_a_day)
    finished = models.DateTimeField(null=True)
    fault = models.TextField(blank=True, help_text="Why it did not succeed.")

    objects = BulkJobQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["expires"], name="bulk_job_by_expiry")]

    def __str__(self) -> str:
        return f"Bulk {self.kind} {self.pk}"


class BulkFile(models.Model):
    """NDJSON in the database, so that every machine can serve what any worker made.

    `keys` are the rows that an output's lines tell of, in their order. Observations are kept as they were exported; of
    all else the row alone is known, and it is rendered when somebody fetches the file.
    """

    class Part(models.TextChoices):
        INPUT = "input"
        OUTPUT = "output"
        ERROR = "error"

    job = models.ForeignKey(BulkJob, models.CASCADE, related_name="files")
    part = models.CharField(max_length=8, choices=Part)
    resource_type = models.TextField()
    number = models.PositiveIntegerField()
    count = models.PositiveIntegerField()
    keys = ArrayField(models.BigIntegerField(), default=list)
    patient_ids = ArrayField(models.BigIntegerField(), default=list, help_text="Whose data it is, each once.")
    content = models.BinaryField(default=bytes, help_text="gzip (RFC 1952)")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["job", "part", "resource_type", "number"], name="bulk_file_once"),
        ]

    def __str__(self) -> str:
        return f"{self.part} {self.resource_type}-{self.number} of {self.job_id}"
