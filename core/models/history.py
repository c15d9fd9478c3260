from functools import reduce
from operator import or_
from typing import Any, Self

from django.apps import apps
from django.db import models
from django.db.models import Exists, OuterRef, Q

from core.models.access import DeletedAccess, ObservationAccess
from core.models.former import former_instance
from core.models.versioned import Versioned
from core.policy.permissions import Permission
from core.policy.principal import Principal


class ResourceHistoryQuerySet(models.QuerySet["ResourceHistory"]):
    def visible_to(self, principal: Principal, *kinds: type[Versioned]) -> Self:
        """The former versions that the person may see, of these kinds or of all.

        A former observation is visible to whom consent lets see observations of its patient and its code now. Anything
        else is visible to whom the resource itself is visible now, and once it is deleted, to superusers.
        """
        rules = [
            Q(resource_type=kind.__name__) & _rule(principal, kind) for kind in kinds or Versioned.__subclasses__()
        ]
        return self.filter(reduce(or_, rules))


def _rule(principal: Principal, kind: type[Versioned]) -> Q:
    if kind.__name__ == "Observation":
        consented = {"patient_id": "patient_id", "code_id": "code_id"}
        return Q(ObservationAccess.reaching(principal, Permission.OBSERVATION_READ, **consented))
    current: Any = kind._default_manager
    deleted = {"resource_type": "resource_type", "resource_id": "resource_id"}
    return Q(Exists(current.visible_to(principal).filter(pk=OuterRef("resource_id")))) | Q(
        DeletedAccess.reaching(principal, Permission.ORGANIZATION_MANAGE, **deleted)
    )


class ResourceHistory(models.Model):
    """A version that ended: what a resource was, with the rows that belong to it (FHIR R5 http.html#history).

    Written by triggers (core/sql/history_v1.sql) and never changed. The current version is the resource's own row.
    `user_id` and `client_id` are who ended the version, as the writing action named them; null for a change made in the
    database by hand. Plain ids: it outlives what it tells of.
    """

    resource_type = models.TextField(help_text="The name of the model.")
    resource_id = models.BigIntegerField()
    version_id = models.IntegerField()
    last_updated = models.DateTimeField(help_text="When the version began.")
    ended_at = models.DateTimeField(help_text="When the next version began.")
    content = models.JSONField(null=True, help_text="The columns, and the parts in lists. Null: deleted.")
    patient_id = models.BigIntegerField(null=True)
    code_id = models.BigIntegerField(null=True)
    user_id = models.BigIntegerField(null=True)
    client_id = models.TextField(blank=True)

    objects = ResourceHistoryQuerySet.as_manager()

    class Meta:
        ordering = ["-last_updated", "-id"]
        verbose_name_plural = "resource history"
        constraints = [
            models.UniqueConstraint(fields=["resource_type", "resource_id", "version_id"], name="history_version_once"),
        ]
        indexes = [models.Index(fields=["resource_type", "last_updated", "id"], name="history_by_time")]

    def __str__(self) -> str:
        return f"{self.resource_type} {self.resource_id}, version {self.version_id}"

    @property
    def is_deletion(self) -> bool:
        """A version that says that the resource is gone: reading it answers 410 (FHIR R5 http.html#vread)."""
        return self.content is None

    def as_instance(self) -> Versioned:
        """The resource as it was: an instance of its model, whose parts (`.identifiers.all()`) are those of then.

        Never save it. Raises ValueError for a deletion, which has no state.
        """
        if self.content is None:
            raise ValueError(f"{self} is a deletion.")
        instance: Versioned = former_instance(apps.get_model("core", self.resource_type), self.content, self._state.db)
        return instance
