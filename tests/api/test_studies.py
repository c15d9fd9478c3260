"""/api/v1/studies and what belongs to a study: who changes it, and that no answer of a patient is lost on the way."""

from typing import Any

import orjson
import pytest
from django.test import Client

from core.models import AuditEvent, ConsentHistory, Patient, Study, StudyPatientScopeConsent
from tests.bearer import client_of
from tests.factories import ObservationFactory, PatientFactory
from tests.personas import BP, BP_AND_HR, O2, organization_of, patient_of, study_of, user_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("demo_world")]

URL = "/api/v1/studies"


@pytest.fixture
def megan() -> Client:
    """A member of Lifespan Lab."""
    return client_of(user_of("member_megan"))


@pytest.fixture
def study() -> Study:
    return study_of(BP_AND_HR)


@pytest.fixture
def peter() -> Patient:
    return patient_of("ll_patient_peter")


def send(client: Client, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    data = orjson.dumps(body) if body is not None else b""
    return client.generic(method, f"{URL}{path}", data, content_type="application/json")


def names(answer: Any) -> list[str]:
    return [row["name"] for row in answer.json()["results"]]


def last_event() -> AuditEvent:
    return AuditEvent.objects.filter(door="rest").latest("pk")


def test_megan_reads_a_study_as_clients_know_it(megan: Client, study: Study) -> None:
    assert megan.get(f"{URL}/{study.pk}").json() == {
        "id": study.pk,
        "name": BP_AND_HR,
        "description": "Blood pressure and heart rate at home.",
        "iconUrl": "",
        "organization": {"id": study.organization_id, "name": "Lifespan Lab", "type": "laboratory"},
    }


def test_each_lists_the_studies_they_reach(megan: Client) -> None:
    assert names(megan.get(URL)) == [BP_AND_HR, BP]
    assert names(client_of(user_of("ll_patient_peter")).get(URL)) == [BP_AND_HR, BP]
    assert names(client_of(user_of("ccl_patient_paul")).get(URL)) == [O2]
    assert len(names(client_of(user_of("admin")).get(URL))) == 5


@pytest.mark.parametrize("name", ["organization_id", "organizationId"])
def test_the_list_can_be_narrowed_and_an_unknown_organization_has_none(name: str) -> None:
    tom = client_of(user_of("three_org_tom"))
    assert names(tom.get(URL, {name: organization_of("Cosmic Cardio Lab").pk})) == [O2]
    for unseen in (organization_of("Cardiology Division").pk, 99_999):
        answer = tom.get(URL, {name: unseen}).json()
        assert (answer["count"], answer["results"]) == (0, [])
    assert names(tom.get(URL, {"search": "lifespan study on bp &"})) == [BP_AND_HR]


def test_megan_makes_a_study_and_changes_it(megan: Client) -> None:
    lab = organization_of("Lifespan Lab").pk
    made = send(megan, "POST", "", {"name": "Sleep", "organization": lab, "iconUrl": "https://example.org/s.png"})
    assert (made.status_code, made.json()["iconUrl"]) == (201, "https://example.org/s.png")
    path = f"/{made.json()['id']}"
    assert send(megan, "PATCH", path, {"description": "At night."}).json()["description"] == "At night."
    assert send(megan, "PUT", path, {**made.json(), "name": "Sleep 2"}).json()["name"] == "Sleep 2"


def test_a_study_that_nobody_took_part_in_can_be_deleted(megan: Client) -> None:
    made = send(megan, "POST", "", {"name": "Draft", "organization_id": organization_of("Lifespan Lab").pk}).json()
    assert send(megan, "DELETE", f"/{made['id']}").status_code == 204
    assert megan.get(f"{URL}/{made['id']}").status_code == 404


def test_a_study_stays_whose_consent_history_would_be_about_nothing(megan: Client, study: Study) -> None:
    everybody = list(study.enrolments.values_list("patient_id", flat=True))
    assert send(megan, "DELETE", f"/{study.pk}/patients", {"patientIds": everybody}).status_code == 204
    refused = send(megan, "DELETE", f"/{study.pk}")
    assert (refused.status_code, "has or had patients" in refused.json()["detail"]) == (409, True)


def test_a_study_does_not_move_away_from_its_patients() -> None:
    mary, study = client_of(user_of("manager_mary")), study_of(BP_AND_HR)
    refused = send(mary, "PATCH", f"/{study.pk}", {"organization": organization_of("Planetary Research Institute").pk})
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "Patients take part only in studies of their organizations: add the patient to the study's organization first.",
    )


def test_a_study_that_moves_names_its_patients_in_the_audit_trail() -> None:
    mary, study, saturn = (
        client_of(user_of("manager_mary")),
        study_of(BP),
        organization_of("Saturn School of Data Science"),
    )
    patients = list(Patient.objects.filter(enrolments__study=study).order_by("pk"))
    for patient in patients:
        patient.patient_organizations.create(organization=saturn)
    moved = send(mary, "PATCH", f"/{study.pk}", {"organization": saturn.pk})
    assert moved.json()["organization"]["name"] == "Saturn School of Data Science"
    event = last_event()
    assert (event.action, event.patient_ids) == ("move_study", [patient.pk for patient in patients])
    assert client_of(user_of("member_megan")).get(f"{URL}/{study.pk}").status_code == 404


def test_a_study_does_not_move_to_where_one_does_not_manage_studies(megan: Client, study: Study) -> None:
    for place, status in (("Planetary Research Institute", 404), ("Cosmic Cardio Lab", 404)):
        body = {"organization": organization_of(place).pk}
        assert send(megan, "PATCH", f"/{study.pk}", body).status_code == status


def test_the_patients_of_a_study_are_named_in_the_audit_trail(megan: Client, study: Study, peter: Patient) -> None:
    rows = megan.get(f"{URL}/{study.pk}/patients").json()["results"]
    assert [row["nameGiven"] for row in rows] == ["Peter", "Pamela"]
    assert peter.pk in last_event().patient_ids
    assert last_event().study_id == study.pk


def test_megan_enrols_patients_all_or_nobody(megan: Client) -> None:
    study, lab = study_of(BP), organization_of("Lifespan Lab")
    newcomers = PatientFactory.create_batch(2, organizations=[lab])
    foreign = patient_of("npl_patient_percy")
    ids = [patient.pk for patient in newcomers]
    refused = send(megan, "POST", f"/{study.pk}/patients", {"patientIds": [*ids, foreign.pk]})
    assert (refused.status_code, refused.json()["detail"]) == (404, f"No patient {foreign.pk} that you can see.")
    assert not study.enrolments.filter(patient__in=newcomers).exists()
    done = send(megan, "POST", f"/{study.pk}/patients", {"patient_ids": ids})
    assert [row["patientId"] for row in done.json()["studyPatients"]] == ids
    assert (last_event().action, last_event().patient_ids) == ("enrol", ids)
    assert send(megan, "POST", f"/{study.pk}/patients", {"patientIds": ids}).json() == done.json()


def test_a_patient_of_another_of_ones_organizations_is_not_enrolled() -> None:
    mark, percy = client_of(user_of("manager_mark")), patient_of("npl_patient_percy")
    refused = send(mark, "POST", f"/{study_of('Cardiology Div Study on BGL').pk}/patients", {"patientIds": percy.pk})
    assert (refused.status_code, "does not belong to organization" in refused.json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    "body", [{}, {"patientIds": []}, {"patientIds": ["x"]}, {"patientIds": {}}, {"patientIds": None}]
)
def test_enrolling_nobody_in_particular_is_refused(megan: Client, study: Study, body: dict[str, Any]) -> None:
    answer = send(megan, "POST", f"/{study.pk}/patients", body)
    assert (answer.status_code, answer.json()["detail"].startswith("patientIds")) == (400, True)


def test_who_is_withdrawn_keeps_data_and_history_and_the_study_reads_no_more(
    megan: Client, study: Study, peter: Patient
) -> None:
    heart_rate = study.scopes.get(coding_code="omh:heart-rate:2.0")
    observation = ObservationFactory(patient=peter, code=heart_rate)
    path = f"/api/v1/observations/{observation.pk}"
    assert megan.get(path).status_code == 200
    assert send(megan, "DELETE", f"/{study.pk}/patients?patientIds={peter.pk}").status_code == 204
    assert megan.get(path).status_code == 404
    assert client_of(user_of("ll_patient_peter")).get(path).status_code == 200
    ended = ConsentHistory.objects.filter(study_id=study.pk, patient_id=peter.pk, after=None)
    assert set(ended.values_list("user_id", flat=True)) == {user_of("member_megan").pk}
    assert len(ended) == 2
    assert (last_event().action, last_event().patient_ids) == ("GET api/v1/observations/<id:pk>", [peter.pk])


@pytest.mark.parametrize(
    "reference",
    [
        lambda code: {"scopeCodeId": code.pk},
        lambda code: {"scope_code_id": code.pk},
        lambda code: {"codingSystem": code.coding_system, "codingCode": code.coding_code},
    ],
)
def test_a_study_asks_for_a_kind_of_data_and_ends_asking(megan: Client, study: Study, reference: Any) -> None:
    code = study_of(O2).scopes.get()
    path = f"/{study.pk}/scope_requests"
    asked = send(megan, "POST", path, reference(code)).json()
    assert (asked["studyId"], asked["scopeCode"]["codingCode"]) == (study.pk, "omh:oxygen-saturation:2.0")
    assert send(megan, "POST", path, reference(code)).json() == asked
    assert megan.get(f"{URL}{path}").json()["count"] == 3
    assert send(megan, "DELETE", path, reference(code)).status_code == 204
    assert send(megan, "DELETE", path, reference(code)).status_code == 404


def test_ending_a_request_ends_its_consents_and_says_whose(megan: Client, study: Study) -> None:
    code = study.scopes.get(coding_code="omh:blood-pressure:4.0")
    consents = StudyPatientScopeConsent.objects.filter(study=study, code=code)
    whose = sorted(consents.values_list("patient_id", flat=True))
    assert send(megan, "DELETE", f"/{study.pk}/scope_requests", {"scopeCodeId": code.pk}).status_code == 204
    assert not consents.exists()
    assert (last_event().action, last_event().patient_ids) == ("end_scope", whose)
    assert ConsentHistory.objects.filter(study_id=study.pk, code_id=code.pk, after=None).count() == len(whose)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"codingSystem": "https://w3id.org/openmhealth"}, 400),
        ({"codingSystem": "https://w3id.org/openmhealth", "codingCode": "omh:mood:1.0"}, 400),
        ({"scopeCodeId": 99_999}, 404),
    ],
)
def test_a_kind_of_data_that_nobody_knows_is_not_asked_for(
    megan: Client, study: Study, body: dict[str, Any], status: int
) -> None:
    assert send(megan, "POST", f"/{study.pk}/scope_requests", body).status_code == status


def test_a_study_takes_data_sources_and_lets_them_go(megan: Client, study: Study) -> None:
    path = f"/{study.pk}/data_sources"
    before = [row["id"] for row in megan.get(f"{URL}{path}").json()["results"]]
    scale = client_of(user_of("admin")).get("/api/v1/data_sources", {"search": "Scale"}).json()["results"][0]
    for _ in range(2):
        assert send(megan, "POST", path, {"data_source_id": scale["id"]}).json() == scale
    assert [row["id"] for row in megan.get(f"{URL}{path}").json()["results"]] == [*before, scale["id"]]
    assert send(megan, "DELETE", path, {"dataSourceId": scale["id"]}).status_code == 204
    assert send(megan, "DELETE", path, {"dataSourceId": scale["id"]}).status_code == 404
    assert send(megan, "POST", path, {"dataSourceId": 99_999}).status_code == 404


def test_a_study_takes_clients_by_their_oauth_name_and_lets_them_go(megan: Client, study: Study) -> None:
    path = f"/{study.pk}/clients"
    linked = send(megan, "POST", path, {"clientId": "jhe-mcp-stdio"}).json()
    assert (linked["studyId"], linked["client"]["clientId"]) == (study.pk, "jhe-mcp-stdio")
    assert megan.get(f"{URL}{path}").json()["results"] == [linked]
    assert send(megan, "DELETE", path, {"client_id": "jhe-mcp-stdio"}).status_code == 204
    assert send(megan, "DELETE", path, {"client_id": "jhe-mcp-stdio"}).status_code == 404
    assert send(megan, "POST", path, {"clientId": "nobody"}).status_code == 404
