from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet

from core.fhir.elements import instant, reference
from core.fhir.errors import Resource
from core.fhir.resource import ResourceType
from core.fhir.resources.people import PEOPLE, clients, users
from core.fhir.search.dates import Date
from core.fhir.search.parameters import Within
from core.fhir.search.references import Reference, Target
from core.models import Ingest, Observation
from core.policy.principal import Principal


class ProvenanceType(ResourceType):
    """FHIR R5 Provenance: who sent observations, a batch at a time. Only what the caller may read is among the targets.

    What nobody reads any more of a batch, because consent ended, takes the batch along.
    """

    name = "Provenance"
    search_parameters = {
        "agent": Reference(definition="Provenance-agent", targets=PEOPLE),
        "patient": Reference(
            definition="clinical-patient",
            targets={"Patient": Target(column="patient_id")},
            within=Within(rows=Observation.objects.visible_to, owner="ingest_id"),
        ),
        "recorded": Date(definition="Provenance-recorded", start="recorded"),
        "target": Reference(
            definition="Provenance-target",
            targets={"Observation": Target(column="pk")},
            within=Within(rows=Observation.objects.visible_to, owner="ingest_id"),
        ),
    }
    updated = "recorded"
    default_sort = "-recorded"
    max_page = 20  # each has as many targets as the batch had observations
    same_for_everybody = False

    def visible_to(self, principal: Principal) -> QuerySet[Any]:
        return Ingest.objects.visible_to(principal)

    def version_of(self, row: Ingest) -> int:
        return 1

    def patient_ids(self, row: Any) -> Iterable[int]:
        patient_ids: set[int] = row.shown_patients
        return patient_ids

    def render(self, rows: Sequence[Any], principal: Principal) -> list[Any]:
        targets: dict[int, list[int]] = defaultdict(list)
        patients: dict[int, set[int]] = defaultdict(set)
        for ingest_id, id_, patient_id in _observations(rows, principal):
            targets[ingest_id].append(id_)
            patients[ingest_id].add(patient_id)
        by = users((row.user_id for row in rows), principal)
        on_behalf = clients([row.client_id for row in rows])
        for row in rows:
            row.shown_patients = patients[row.pk]
        return [self._render(row, targets[row.pk], by[row.user_id], on_behalf.get(row.client_id)) for row in rows]

    def _render(self, row: Any, targets: Sequence[int], sender: Resource, client: Resource | None) -> Resource:
        [*only] = row.shown_patients if len(row.shown_patients) == 1 else ()
        return {
            "resourceType": "Provenance",
            "id": self.id_of(row),
            "meta": {"versionId": "1", "lastUpdated": instant(row.recorded)},
            "target": [reference("Observation", id_) for id_ in targets],
            "recorded": instant(row.recorded),
            "activity": {"text": f"{row.door}: {row.activity}"},
            **({"patient": reference("Patient", only[0])} if only else {}),
            "agent": [{"who": sender, **({"onBehalfOf": client} if client else {})}],
        }


def _observations(rows: Sequence[Ingest], principal: Principal) -> Iterable[tuple[int, int, int]]:
    """(ingest, observation, patient) of what the caller may read of these batches, in the order of the ids."""
    if not rows:
        return []
    first, last = min(row.first_observation_id for row in rows), max(row.last_observation_id for row in rows)
    visible = Observation.objects.visible_to(principal).filter(ingest__in=rows, pk__range=(first, last))
    return visible.order_by("pk").values_list("ingest_id", "pk", "patient_id")
