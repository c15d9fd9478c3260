from typing import Any

from django.db import models
from django.db.models.functions import Now


class Versioned(models.Model):
    """A resource with versions (FHIR R5 `meta.versionId`, `meta.lastUpdated`).

    Triggers keep both and the former states, on every path (core/sql/history_v1.sql): what is assigned here is not
    written. All changes of one transaction are one version.
    """

    version_id = models.PositiveIntegerField(db_default=1, editable=False)
    last_updated = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        is_new = self._state.adding
        super().save(*args, **kwargs)
        if not is_new:
            self.refresh_from_db(fields=["version_id", "last_updated"])
