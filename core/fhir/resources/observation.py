import json
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from django.db.models import Exists, OuterRef, Q, QuerySet

from core.fhir.door import BASE
from core.fhir.errors import Resource
from core.fhir.observation_render import render
from core.fhir.observation_search import STUDY_CHAINS, page_of, which_of
from core.fhir.resource import ResourceType
from core.fhir.search.dates import Date
from core.fhir.search.parameters import Context, Quantity, Uri, Within
from core.fhir.search.query import Page, Search
from core.fhir.search.references import Reference, Target
from core.fhir.search.tokens import Token
from core.fhir.search.values import unescape
from core.models import (
    CodeableConcept,
    Observation,
    ObservationAccess,
    ObservationIdentifier,
    PatientIdentifier,
    StudyPatientScopeConsent,
)
from core.models.observation_pages import Row, count
from core.open_mhealth.kinds import CATEGORY, category_of, is_in_category
from core.policy.permissions import Permission
from core.policy.principal import Principal

_STATUS = "http://hl7.org/fhir/observation-status"


def _identifiers(_principal: Principal) -> QuerySet[Any]:
    """Those of observations that the caller reads are the caller's to read."""
    return ObservationIdentifier.objects.all()


class _Category(Token):
    """No column: the kind of data says it."""

    def one(self, value: str, modifier: str, context: Context) -> Q:
        return Q(
            code__in=[code.pk for code in CodeableConcept.objects.all() if is_in_category(code.coding_code, value)]
        )

    def present(self) -> Q:
        return Q(code__in=[code.pk for code in CodeableConcept.objects.all() if category_of(code.coding_code)])


class _Source(Uri):
    """`meta.source`: the Provenance that the observation came with."""

    def one(self, value: str, modifier: str, context: Context) -> Q:
        text, provenances = unescape(value), f"{BASE}/Provenance/"
        if modifier == "below" and provenances.startswith(text):
            return self.present()
        ids = context.types["Provenance"].keys([text.removeprefix(provenances)]) if provenances in text else []
        return Q(ingest_id__in=ids)

    def present(self) -> Q:
        return Q(ingest_id__isnull=False)


class ObservationType(ResourceType):
    """FHIR R5 Observation: a data point, consent-gated for everyone but the patient.

    Searches by what has an index are a statement of their own (core/models/observation_pages.py); the rest goes the way
    of every other type.
    """

    name = "Observation"
    history_of = Observation
    default_sort = "-date"
    search_parameters = {
        "_source": _Source(definition="Resource-source", column="ingest_id"),
        "category": _Category(definition="Observation-category", code="code", system=CATEGORY),
        "code": Token(
            definition="clinical-code",
            code="code__coding_code",
            system_column="code__coding_system",
            text="code__text",
        ),
        "date": Date(definition="clinical-date", start="effective_start", end="effective_end"),
        "device": Reference(definition="Observation-device", targets={"Device": Target(column="data_source_id")}),
        "identifier": Token(
            definition="clinical-identifier",
            code="value",
            system_column="system",
            within=Within(rows=_identifiers, owner="observation_id"),
        ),
        "patient": Reference(
            definition="clinical-patient",
            documentation="patient._has:Group:member:_id finds what was shared with a study.",
            targets={"Patient": Target(column="patient_id")},
        ),
        "status": Token(definition="Observation-status", code="status", system=_STATUS),
        "subject": Reference(definition="Observation-subject", targets={"Patient": Target(column="patient_id")}),
        "component-value-quantity": Quantity(
            definition="Observation-component-value-quantity", number="value_quantity", unit="value_unit"
        ),
        "combo-value-quantity": Quantity(
            definition="Observation-combo-value-quantity", number="value_quantity", unit="value_unit"
        ),
    }

    def visible_to(self, principal: Principal) -> QuerySet[Any]:
        return Observation.objects.visible_to(principal)

    def fetched(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.prefetch_related("identifiers")

    def special(self, name: str, value: str, context: Context) -> Q | None:
        """Through a study of which the patient is a member: what reaches the caller through that study."""
        if name not in STUDY_CHAINS:
            return None
        group, given = context.types["Group"], value.split(",")
        group.check_named(context.principal, given)
        ids = group.keys(given)
        same = {"patient_id": OuterRef("patient_id"), "code_id": OuterRef("code_id")}
        granting = ObservationAccess.granting(context.principal, Permission.OBSERVATION_READ).filter(**same)
        own = StudyPatientScopeConsent.objects.filter(**same, study__in=ids, consented=True)
        return Q(Exists(granting.filter(study_id__in=ids))) | (
            Q(Exists(granting.filter(study_id=None))) & Q(Exists(own))
        )

    def page(self, search: Search) -> Page:
        asked = which_of(search)
        return super().page(search) if asked is None else page_of(search, *asked)

    def total(self, search: Search) -> int:
        asked = which_of(search)
        return super().total(search) if asked is None else count(search.context.principal, asked[0])

    def key_of(self, row: Any) -> int:
        id_: int = row.id
        return id_

    def patient_ids(self, row: Any) -> Iterable[int]:
        return [row.patient_id]

    def render(self, rows: Sequence[Any], principal: Principal) -> list[Resource]:
        if rows and not isinstance(rows[0], Row):
            plain: list[Resource] = orjson.loads(orjson.dumps(render(_as_rows(rows))))
            return plain
        return render(rows)


def _as_rows(observations: Sequence[Observation]) -> list[Row]:
    """Observations as models, former versions too, as the fast pages have them."""
    codes = CodeableConcept.objects.in_bulk({observation.code_id for observation in observations})
    named = PatientIdentifier.objects.filter(patient__in={observation.patient_id for observation in observations})
    subjects = {patient_id: (system, value) for patient_id, system, value in _firsts(named)}
    return [_as_row(each, codes[each.code_id], subjects.get(each.patient_id)) for each in observations]


def _firsts(named: QuerySet[PatientIdentifier]) -> Iterable[tuple[int, str, str]]:
    return named.order_by("patient_id", "pk").distinct("patient_id").values_list("patient_id", "system", "value")


def _as_row(observation: Observation, code: CodeableConcept, subject: tuple[str, str] | None) -> Row:
    identifiers = [_identifier(identifier.system, identifier.value) for identifier in observation.identifiers.all()]
    return Row(
        id=observation.pk,
        patient_id=observation.patient_id,
        data_source_id=observation.data_source_id,
        status=observation.status,
        effective_start=observation.effective_start,
        effective_end=observation.effective_end,
        utc_offset_minutes=observation.utc_offset_minutes,
        value_quantity=observation.value_quantity,
        value_unit=observation.value_unit,
        data_point=json.dumps(observation.omh_data, ensure_ascii=False),  # as PostgreSQL writes jsonb
        fhir_extra=orjson.dumps(observation.fhir_extra).decode() if observation.fhir_extra else None,
        ingest_id=observation.ingest_id,
        version_id=observation.version_id,
        last_updated=observation.last_updated,
        code_id=observation.code_id,
        coding_system=code.coding_system,
        coding_code=code.coding_code,
        code_text=code.text,
        identifiers=orjson.dumps(identifiers).decode() if identifiers else None,
        patient_identifier=orjson.dumps(_identifier(*subject)).decode() if subject else None,
    )


def _identifier(system: str, value: str) -> Resource:
    return {"system": system, "value": value} if system else {"value": value}
