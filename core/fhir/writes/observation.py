from typing import Any

from core.actions.ingest import Kept, UploadsRefused, ingest
from core.actions.observation_changes import delete_observation, update_observation
from core.fhir.errors import Resource
from core.fhir.observation_parse import parse
from core.fhir.observation_refusals import located
from core.fhir.writes.writer import DOOR, Known, Writer
from core.models import Observation
from core.policy.principal import Principal

ACTIVITY = "create Observation"


class ObservationWriter(Writer):
    """FHIR R5 Observation, one at a time. Many are created at a time by core/fhir/observation_uploads.py."""

    name = "Observation"
    keeps_extra = True  # with the rest of it, as in a set

    def create(self, principal: Principal, resource: Resource) -> str:
        upload = parse(resource, is_checked=True)
        try:
            [kept] = ingest(actor=principal, door=DOOR, activity=ACTIVITY, uploads=[upload], all_or_nothing=True)
        except UploadsRefused as error:
            raise located(error.refusals[0]) from error
        assert isinstance(kept, Kept)  # noqa: S101 - all or nothing
        return str(kept.id) if kept.is_new else Known(kept.id)

    def update(self, principal: Principal, row: Observation, resource: Resource) -> None:
        upload = parse(resource, is_checked=True)
        try:
            update_observation(actor=principal, door=DOOR, observation=row, upload=upload)
        except UploadsRefused as error:
            raise located(error.refusals[0]) from error

    def delete(self, principal: Principal, row: Any) -> None:
        delete_observation(actor=principal, door=DOOR, observation=row)
