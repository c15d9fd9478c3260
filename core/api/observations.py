"""/observations: data points as they were sent, the newest first; and one more, or one corrected or taken out."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from rest_framework import serializers
from rest_framework.response import Response

from core.actions.ingest import Kept, Upload, UploadsRefused, ingest
from core.actions.observation_changes import delete_observation, update_observation
from core.api.pagination import MAX_PAGE_SIZE
from core.api.patients import IdentifierBody
from core.api.serializers import CamelCase, IdField, PageQuery
from core.api.views import DOOR, AnySerializer, RestView, operation
from core.models import CodeableConcept, Observation, Patient
from core.models.code import OPEN_MHEALTH
from core.models.fetch import fetch
from core.models.observation_pages import Cursor, Order, Row, Which, count, page
from core.policy.errors import InvalidInput
from core.policy.permissions import Permission

_PLACES = {
    "subject": "subjectPatientId",
    "code": "codingCode",
    "code.coding[0]": "codingCode",
    "device": "dataSourceId",
    "identifier": "identifiers",
    "value": "omhData",
}
"""The element of a FHIR Observation that was at fault -> the member of the body."""


class ObservationAnswer(CamelCase):
    """`omhData` is the data point, `header` and `body`, in its own snake_case and with its own time offsets."""

    id = IdField()
    subject_patient_id = IdField()
    patient_name_family = serializers.CharField()
    patient_name_given = serializers.CharField()
    jhe_user_id = IdField(allow_null=True)
    codeable_concept_id = IdField()
    coding_system = serializers.CharField()
    coding_code = serializers.CharField()
    coding_text = serializers.CharField()
    last_updated = serializers.DateTimeField()
    omh_data = serializers.JSONField()


class ObservationQuery(PageQuery):
    patient_id = IdField(required=False, help_text="Only of this patient.")
    study_id = IdField(required=False, help_text="Only what this study was consented to.")
    organization_id = IdField(required=False, help_text="Only of patients of this organization.")
    coding_system = serializers.CharField(required=False, help_text="Only kinds of data of this system.")
    coding_code = serializers.CharField(required=False, help_text="Only this kind: `omh:blood-glucose:4.0`.")
    start = serializers.DateTimeField(required=False, help_text="Only what began then or later (UTC).")
    end = serializers.DateTimeField(required=False, help_text="Only what began before.")


class ObservationBody(CamelCase):
    """A data point to record. What comes again under one of its identifiers is known already, and not a second row."""

    aliases = {"patientId": "subjectPatientId"}

    subject_patient_id = IdField()
    coding_system = serializers.CharField(default=OPEN_MHEALTH)
    coding_code = serializers.CharField()
    omh_data = serializers.JSONField(help_text="The data point: header and body.")
    identifiers: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=IdentifierBody(), required=False, max_length=20
    )
    data_source_id = IdField(required=False, allow_null=True)
    status = serializers.ChoiceField(Observation.Status.choices, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "identifiers" in attrs:
            attrs["identifiers"] = tuple((one["system"], one["value"]) for one in attrs["identifiers"])
        return attrs


class ObservationList(RestView):
    @operation("Observation.s", query=ObservationQuery, answer=ObservationAnswer)
    def get(self) -> Any:
        self.touched([], study_id=self.query.get("study_id"))
        return Which(
            patients=self._only("patient_id"),
            studies=self._only("study_id"),
            organizations=self._only("organization_id"),
            codes=self._codes(),
            starts_from=self.query.get("start"),
            starts_before=self.query.get("end"),
        )

    @operation("Observation.c", body=ObservationBody, answer=ObservationAnswer, status=201)
    def post(self) -> Any:
        upload = Upload(**_named_as_in_upload(self.body))
        self.touched([upload.patient_id])
        with _refusals_as_errors():
            sent = ingest(actor=self.principal, door=DOOR, activity="create", uploads=[upload], all_or_nothing=True)
        [kept] = [outcome for outcome in sent if isinstance(outcome, Kept)]
        status = 201 if kept.is_new else 200
        return Response(_answer_of(fetch(_OBSERVATIONS, kept.id, self.principal)), status=status)

    def page(self, rows: Any, serializer: AnySerializer, *, counted: bool) -> Response:
        size = min(self.query["page_size"], MAX_PAGE_SIZE)
        after = Cursor.parse(self.query["cursor"]) if "cursor" in self.query else None
        found = page(self.principal, rows, limit=size + 1, after=after)
        shown = found[:size]
        self.touched(row.patient_id for row in shown)
        return Response(
            {
                "count": count(self.principal, rows) if self.query["count"] else None,
                "next": self.url_of(str(shown[-1].cursor(Order.NEWEST))) if len(found) > size else None,
                "previous": None,
                "results": list(_answers(shown)),
            }
        )

    def _only(self, name: str) -> list[int] | None:
        return [self.query[name]] if name in self.query else None

    def _codes(self) -> list[int] | None:
        named = {name: self.query[name] for name in ("coding_system", "coding_code") if name in self.query}
        return list(CodeableConcept.objects.filter(**named).values_list("pk", flat=True)) if named else None


class ObservationDetail(RestView):
    """PUT replaces all of it, PATCH what is sent; patient and kind stay. What it was is kept in its history."""

    @operation("Observation.r", answer=ObservationAnswer)
    def get(self, pk: int) -> Any:
        return Response(_answer_of(self._fetch(pk)))

    @operation("Observation.u", body=ObservationBody, answer=ObservationAnswer)
    def put(self, pk: int) -> Any:
        observation = self._fetch(pk, Permission.OBSERVATION_WRITE)
        return self._change(observation, Upload(**_named_as_in_upload(self.body)))

    @operation("Observation.u", body=ObservationBody, answer=ObservationAnswer)
    def patch(self, pk: int) -> Any:
        observation = self._fetch(pk, Permission.OBSERVATION_WRITE)
        return self._change(observation, replace(_upload_of(observation), **_named_as_in_upload(self.body)))

    @operation("Observation.d")
    def delete(self, pk: int) -> None:
        observation = self._fetch(pk, Permission.OBSERVATION_WRITE)
        delete_observation(actor=self.principal, door=DOOR, observation=observation)

    def _change(self, observation: Observation, upload: Upload) -> Response:
        with _refusals_as_errors():
            update_observation(actor=self.principal, door=DOOR, observation=observation, upload=upload)
        return Response(_answer_of(self._fetch(observation.pk)))

    def _fetch(self, pk: int, permission: Permission | None = None) -> Observation:
        observation = fetch(_OBSERVATIONS, pk, self.principal, permission)
        self.touched([observation.patient_id])
        return observation


_OBSERVATIONS = Observation.objects.select_related("patient", "code")


def _answers(rows: list[Row]) -> Iterable[dict[str, Any]]:
    """Row by row as ObservationAnswer describes; the data point goes through as the database's own text."""
    names = ("pk", "name_family", "name_given", "user_id")
    patients = Patient.objects.only(*names).in_bulk({row.patient_id for row in rows})
    for row in rows:
        if patient := patients.get(row.patient_id):  # else they were deleted since
            code = (row.code_id, row.coding_system, row.coding_code, row.code_text)
            yield _answer(row.id, patient, code, row.last_updated, orjson.Fragment(row.data_point))


def _answer_of(observation: Observation) -> dict[str, Any]:
    kind = observation.code
    code = (kind.pk, kind.coding_system, kind.coding_code, kind.text)
    return _answer(observation.pk, observation.patient, code, observation.last_updated, observation.omh_data)


def _answer(
    pk: int, patient: Patient, code: tuple[int, str, str, str], last_updated: datetime, data_point: Any
) -> dict[str, Any]:
    code_id, system, coding_code, text = code
    return {
        "id": pk,
        "subjectPatientId": patient.pk,
        "patientNameFamily": patient.name_family,
        "patientNameGiven": patient.name_given,
        "jheUserId": patient.user_id,
        "codeableConceptId": code_id,
        "codingSystem": system,
        "codingCode": coding_code,
        "codingText": text,
        "lastUpdated": last_updated.isoformat().replace("+00:00", "Z"),
        "omhData": data_point,
    }


def _named_as_in_upload(body: Mapping[str, Any]) -> dict[str, Any]:
    names = {"subject_patient_id": "patient_id", "omh_data": "data_point"}
    return {names.get(name, name): value for name, value in body.items()}


def _upload_of(observation: Observation) -> Upload:
    return Upload(
        patient_id=observation.patient_id,
        coding_system=observation.code.coding_system,
        coding_code=observation.code.coding_code,
        data_point=observation.omh_data,
        identifiers=tuple(observation.identifiers.values_list("system", "value")),
        data_source_id=observation.data_source_id,
        status=observation.status,
    )


@contextmanager
def _refusals_as_errors() -> Iterator[None]:
    """The one refusal's error, said of the member of the body that it is about."""
    try:
        yield
    except UploadsRefused as refused:
        refusal = refused.refusals[0]
        if isinstance(refusal.error, InvalidInput):
            raise InvalidInput(f"{_PLACES[refusal.element]}: {refusal.error}") from None
        raise refusal.error from None
