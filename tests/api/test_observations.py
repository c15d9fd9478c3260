"""/api/v1/observations: whose data who reads, in which order, and who sends some."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from core.models import AuditEvent, CodeableConcept, Observation, StudyPatientScopeConsent
from core.models.code import OPEN_MHEALTH
from core.seed import scopes
from tests.bearer import client_of
from tests.factories import ObservationFactory
from tests.personas import BP, BP_AND_HR, O2, organization_of, patient_of, seed_demo_world, study_of, user_of

pytestmark = pytest.mark.django_db

URL = "/api/v1/observations"
PRESSURE, RATE, OXYGEN = scopes.BLOOD_PRESSURE, scopes.HEART_RATE, scopes.OXYGEN_SATURATION
MORNING = datetime(2026, 9, 1, 6, tzinfo=UTC)


@pytest.fixture(autouse=True)
def world() -> None:
    seed_demo_world()


def as_(name: str, **fields: Any) -> Client:
    return client_of(user_of(name), **fields)


def code(name: str) -> CodeableConcept:
    return CodeableConcept.objects.get(coding_code=name)


def reading(patient: str, kind: str = RATE, *, minutes: int = 0, **fields: Any) -> Observation:
    start = MORNING + timedelta(minutes=minutes)
    return ObservationFactory(patient=patient_of(patient), code=code(kind), effective_start=start, **fields)


def ids(answer: Any) -> list[int]:
    return [row["id"] for row in answer.json()["results"]]


def trail() -> list[tuple[str, str, list[int], int | None]]:
    rows = AuditEvent.objects.filter(door="rest").order_by("pk")
    return list(rows.values_list("action", "outcome", "patient_ids", "study_id"))


def test_mary_reads_of_an_observation_what_clients_rely_on() -> None:
    point = {
        "header": {"schema_id": {"name": "heart-rate"}},
        "body": {"heart_rate": {"value": 61.5, "unit": "beats/min"}},
    }
    observation, peter = reading("ll_patient_peter", omh_data=point), patient_of("ll_patient_peter")
    observation.refresh_from_db()
    mary, kind = as_("manager_mary"), code(RATE)
    row = mary.get(f"{URL}/{observation.pk}").json()
    assert row == {
        "id": observation.pk,
        "subjectPatientId": peter.pk,
        "patientNameFamily": "Larsen",
        "patientNameGiven": "Peter",
        "jheUserId": peter.user_id,
        "codeableConceptId": kind.pk,
        "codingSystem": OPEN_MHEALTH,
        "codingCode": RATE,
        "codingText": kind.text,
        "lastUpdated": observation.last_updated.isoformat().replace("+00:00", "Z"),
        "omhData": point,
    }
    assert mary.get(URL).json() == {"count": None, "next": None, "previous": None, "results": [row]}


@pytest.fixture
def three() -> dict[str, Observation]:
    """Consented for a study of Lifespan; consented for one of Cosmic; Peter's, for no study at all."""
    return {
        "peter's rate": reading("ll_patient_peter"),
        "pat's oxygen": reading("ccl_cardio_patient_pat", OXYGEN),
        "peter's weight": reading("ll_patient_peter", scopes.BODY_WEIGHT),
    }


@pytest.mark.parametrize(
    ("person", "seen"),
    [
        ("admin", {"peter's rate", "pat's oxygen"}),
        ("manager_mary", {"peter's rate"}),
        ("viewer_victor", {"peter's rate"}),
        ("three_org_tom", {"peter's rate", "pat's oxygen"}),
        ("manager_mark", set()),
        ("ll_patient_peter", {"peter's rate", "peter's weight"}),
        ("ll_patient_pamela", set()),
    ],
)
def test_each_person_reads_what_was_consented_to_in_a_study_of_theirs(
    person: str, seen: set[str], three: dict[str, Observation]
) -> None:
    client = as_(person)
    assert set(ids(client.get(URL))) == {three[name].pk for name in seen}
    for name, observation in three.items():
        answer = client.get(f"{URL}/{observation.pk}")
        assert answer.status_code == (200 if name in seen else 404)
        if name not in seen:
            assert answer.json() == {"detail": f"No observation {observation.pk} that you can see."}


def test_a_withdrawal_works_on_the_next_request_and_on_the_next_page() -> None:
    for minutes in range(4):
        reading("ll_patient_peter", minutes=minutes)
        reading("ll_patient_pamela", minutes=minutes)
    mary = as_("manager_mary")
    first = mary.get(URL, {"page_size": 3}).json()
    consents = StudyPatientScopeConsent.objects.filter(patient=patient_of("ll_patient_peter"))
    consents.update(consented=False)
    rest = mary.get(first["next"]).json()
    assert {row["patientNameGiven"] for row in first["results"]} == {"Peter", "Pamela"}
    assert {row["patientNameGiven"] for row in rest["results"]} == {"Pamela"}
    assert rest["next"] is None


def test_the_newest_come_first_and_pages_follow_each_other_whatever_is_added() -> None:
    sent = [reading("ll_patient_peter", [PRESSURE, RATE][n % 2], minutes=n // 2).pk for n in range(10)]
    mary = as_("manager_mary")
    first = mary.get(URL, {"pageSize": 4, "count": "true"}).json()
    assert first["count"] == 10
    reading("ll_patient_peter", minutes=60)
    second = mary.get(first["next"]).json()
    third = mary.get(second["next"]).json()
    found = [row["id"] for page in (first, second, third) for row in page["results"]]
    assert found == sent[::-1]
    assert third["next"] is None


def test_tom_narrows_by_patient_study_organization_kind_and_time() -> None:
    peter, later = reading("ll_patient_peter"), reading("ll_patient_peter", PRESSURE, minutes=30)
    pamela, pat = reading("ll_patient_pamela", minutes=20), reading("ccl_cardio_patient_pat", OXYGEN, minutes=10)
    tom = as_("three_org_tom")

    def found(**asked: Any) -> list[int]:
        return ids(tom.get(URL, asked))

    assert found() == [later.pk, pamela.pk, pat.pk, peter.pk]
    assert found(patient_id=patient_of("ll_patient_peter").pk) == [later.pk, peter.pk]
    assert found(studyId=study_of(BP).pk) == []  # Peter has not answered it, and of Pamela there is a rate
    assert found(study_id=study_of(O2).pk) == [pat.pk]
    assert found(organization_id=organization_of("Lifespan Lab").pk) == [later.pk, pamela.pk, peter.pk]
    assert found(coding_code=RATE) == [pamela.pk, peter.pk]
    assert found(coding_system=OPEN_MHEALTH, coding_code=PRESSURE) == [later.pk]
    assert found(coding_system="https://other.invalid", coding_code=PRESSURE) == []
    assert found(start="2026-09-01T06:10:00Z", end="2026-09-01T08:30:00+02:00") == [pamela.pk, pat.pk]
    assert found(patient_id=99_999_999) == found(study_id=99_999_999) == []


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"patient_id": "x"}, "patientId: A valid integer is required."),
        ({"start": "yesterday"}, "start: Datetime has wrong format."),
        ({"cursor": "x"}, "The cursor is none of this exchange's"),
        ({"page_size": 0}, "pageSize: Ensure this value is greater than or equal to 1."),
    ],
)
def test_a_wrong_question_is_refused_with_what_is_wrong(asked: dict[str, Any], sentence: str) -> None:
    answer = as_("manager_mary").get(URL, asked)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(sentence)


def test_a_page_costs_the_same_queries_however_many_patients_it_has(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    tom, queries = as_("three_org_tom"), 4  # token, the page, names, audit
    reading("ll_patient_peter")
    tom.get(URL)
    with django_assert_num_queries(queries):
        assert len(ids(tom.get(URL))) == 1
    for minutes in range(10):
        reading("ll_patient_pamela", minutes=minutes)
        reading("ccl_patient_paul", OXYGEN, minutes=minutes)
    with django_assert_num_queries(queries):
        assert len(ids(tom.get(URL, {"page_size": 1000}))) == 21


def test_reads_are_in_the_trail_with_whose_data_it_was() -> None:
    observation, peter = reading("ll_patient_peter"), patient_of("ll_patient_peter")
    mary = as_("manager_mary")
    mary.get(URL, {"study_id": study_of(BP_AND_HR).pk})
    mary.get(f"{URL}/{observation.pk}")
    as_("manager_mark").get(f"{URL}/{observation.pk}")
    assert trail() == [
        ("GET api/v1/observations", "success", [peter.pk], study_of(BP_AND_HR).pk),
        ("GET api/v1/observations/<id:pk>", "success", [peter.pk], None),
        ("GET api/v1/observations/<id:pk>", "refused", [], None),
    ]


def body(patient: str = "ll_patient_peter", **fields: Any) -> dict[str, Any]:
    return {
        "subjectPatientId": patient_of(patient).pk,
        "codingCode": RATE,
        "omhData": {
            "header": {
                "uuid": "1a5f8a1e-6f0d-4a33-8d0b-0d6fc6a6a001",
                "schema_id": {"namespace": "omh", "name": "heart-rate", "version": "2.0"},
                "source_creation_date_time": "2026-09-01T08:00:00-07:00",
                "modality": "sensed",
            },
            "body": {
                "heart_rate": {"value": 61, "unit": "beats/min"},
                "effective_time_frame": {"date_time": "2026-09-01T08:00:00-07:00"},
            },
        },
        **fields,
    }


def post(client: Client, sent: Any) -> Any:
    return client.post(URL, json.dumps(sent), content_type="application/json")


@pytest.mark.parametrize("person", ["ll_patient_peter", "member_megan"])
def test_peter_and_megan_send_a_reading_of_peters_once(person: str) -> None:
    client, sent = as_(person), body(identifiers=[{"system": "https://test.invalid/ids", "value": "1"}])
    answer = post(client, sent)
    assert answer.status_code == 201
    row = answer.json()
    assert row["omhData"] == sent["omhData"]
    assert client.get(f"{URL}/{row['id']}").json() == row
    again = post(client, sent)
    assert (again.status_code, again.json()) == (200, row)
    assert Observation.objects.get().effective_start == datetime(2026, 9, 1, 15, tzinfo=UTC)
    assert trail()[0] == ("create", "success", [patient_of("ll_patient_peter").pk], None)


@pytest.mark.parametrize(
    ("person", "status"),
    [("viewer_victor", 403), ("three_org_tom", 403), ("manager_mark", 404), ("ll_patient_pamela", 404)],
)
def test_nobody_sends_for_whom_they_may_not(person: str, status: int) -> None:
    answer = post(as_(person), body())
    assert answer.status_code == status
    assert not Observation.objects.exists()
    assert [(row[1], row[2]) for row in trail()] == [("refused", [patient_of("ll_patient_peter").pk])]


def test_what_peter_has_not_consented_to_is_not_recorded() -> None:
    StudyPatientScopeConsent.objects.filter(patient=patient_of("ll_patient_peter"), code=code(RATE)).delete()
    for person in ("ll_patient_peter", "member_megan"):
        answer = post(as_(person), body())
        assert answer.status_code == 403
        assert "has not consented" in answer.json()["detail"]
    assert not Observation.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "start"),
    [
        ({"codingCode": "omh:mood:1.0"}, "codingCode: The code is none of the kinds"),
        ({"omhData": {"header": {}, "body": {}}}, "omhData: "),
        ({"omhData": "text"}, "omhData: "),
        ({"omhData": None}, "omhData: This field may not be null."),
        ({"dataSourceId": 99_999_999}, "dataSourceId: There is no Device 99999999"),
        ({"identifiers": [{"value": "1"}]}, "identifiers[0].system: This field is required."),
        ({"status": "done"}, 'status: "done" is not a valid choice.'),
        ({"subjectPatientId": None}, "subjectPatientId: This field may not be null."),
    ],
)
def test_a_wrong_data_point_is_refused_with_the_place_of_the_fault(wrong: dict[str, Any], start: str) -> None:
    answer = post(as_("ll_patient_peter"), body(**wrong))
    assert (answer.status_code, answer.json()["detail"][: len(start)]) == (400, start)
    assert not Observation.objects.exists()


def change(client: Client, verb: str, pk: int, sent: Any) -> Any:
    return getattr(client, verb)(f"{URL}/{pk}", json.dumps(sent), content_type="application/json")


def test_peter_corrects_a_reading_and_megan_may_too() -> None:
    peter, sent = as_("ll_patient_peter"), body(identifiers=[{"system": "https://test.invalid/ids", "value": "1"}])
    pk = post(peter, sent).json()["id"]
    sent["omhData"]["body"]["heart_rate"]["value"] = 62
    assert change(peter, "put", pk, sent).json()["omhData"] == sent["omhData"]
    assert change(as_("member_megan"), "patch", pk, {"status": "corrected"}).status_code == 200
    observation = Observation.objects.get()
    assert (observation.value_quantity, observation.status) == (62, "corrected")
    assert observation.identifiers.get().value == "1"
    assert [row[0] for row in trail()] == ["create", "update Observation", "update Observation"]


@pytest.mark.parametrize(
    ("wrong", "start"),
    [
        ({"codingCode": PRESSURE}, "codingCode: An observation keeps its patient and its code"),
        ({"omhData": {"header": {}, "body": {}}}, "omhData: "),
        ({"status": "done"}, 'status: "done" is not a valid choice.'),
    ],
)
def test_a_wrong_correction_is_refused_with_the_place_of_the_fault(wrong: dict[str, Any], start: str) -> None:
    peter = as_("ll_patient_peter")
    pk = post(peter, body()).json()["id"]
    answer = change(peter, "patch", pk, wrong)
    assert (answer.status_code, answer.json()["detail"][: len(start)]) == (400, start)
    assert Observation.objects.get().value_quantity == 61


@pytest.mark.parametrize("verb", ["put", "patch", "delete"])
@pytest.mark.parametrize(("person", "status"), [("viewer_victor", 403), ("three_org_tom", 403), ("manager_mark", 404)])
def test_nobody_changes_or_deletes_whose_data_they_may_not(verb: str, person: str, status: int) -> None:
    pk = post(as_("ll_patient_peter"), body()).json()["id"]
    assert change(as_(person), verb, pk, body()).status_code == status
    assert Observation.objects.get().version_id == 1


def test_peter_deletes_a_reading_even_after_he_withdrew() -> None:
    peter = as_("ll_patient_peter")
    pk = post(peter, body()).json()["id"]
    StudyPatientScopeConsent.objects.filter(patient=patient_of("ll_patient_peter")).update(consented=False)
    assert change(as_("member_megan"), "delete", pk, {}).status_code == 404
    assert peter.delete(f"{URL}/{pk}").status_code == 204
    assert not Observation.objects.exists()
    assert peter.get(f"{URL}/{pk}").status_code == 404


@pytest.mark.parametrize(
    ("scope", "verb", "status"),
    [
        ("patient/Observation.rs", "get", 200),
        ("patient/Observation.r", "get", 403),
        ("patient/Patient.rs", "get", 403),
        ("patient/Observation.rs", "post", 403),
        ("patient/Observation.c", "post", 201),
    ],
)
def test_a_token_does_what_it_was_given_for(scope: str, verb: str, status: int) -> None:
    client = as_("ll_patient_peter", scope=scope)
    answer = client.get(URL) if verb == "get" else post(client, body())
    assert answer.status_code == status
