from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef

from core.models.observation import Observation, ObservationQuerySet
from core.policy.permissions import Permission
from core.policy.principal import Principal


class IngestQuerySet(models.QuerySet["Ingest"]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.OBSERVATION_READ) -> Self:
        """Those that brought something which the person may read today."""
        brought = Observation.objects.visible_to(principal, permission).filter(
            ingest=OuterRef("pk"), pk__gte=OuterRef("first_observation_id"), pk__lte=OuterRef("last_observation_id")
        )
        return self.filter(Exists(brought))


class Ingest(models.Model):
    """One batch of observations that came in together (FHIR R5 Provenance): who sent it, by which way, what was new.

    Written by `record_observations` in the statement that records the observations, and never changed after. Plain
    ids, no foreign keys: it outlives what it tells of. A batch of which nothing was new leaves none.

    `door` and `activity` are what the writing action named: `fhir` and `transaction`, `import` and `import_cgm`.
    """

    recorded = models.DateTimeField()
    user_id = models.BigIntegerField(null=True, help_text="Nobody for a command on the machine itself.")
    client_id = models.TextField(blank=True)
    door = models.TextField(help_text="rest, fhir, web, import or command")
    activity = models.TextField(help_text="The interaction or the command.")
    patient_ids = ArrayField(models.BigIntegerField(), help_text="Whose observations they are.")
    recorded_count = models.IntegerField(help_text="Observations of the batch that were new.")
    known_count = models.IntegerField(help_text="Observations of the batch that were there already.")
    first_observation_id = models.BigIntegerField()
    last_observation_id = models.BigIntegerField()

    objects = IngestQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["recorded", "id"], name="ingest_by_time")]

    def __str__(self) -> str:
        return f"Ingest {self.pk}"

    @property
    def observations(self) -> ObservationQuerySet:
        """What it recorded and is still there. Ids given at one moment lie together, so no index is needed."""
        return Observation.objects.filter(
            pk__range=(self.first_observation_id, self.last_observation_id), ingest_id=self.pk
        )
