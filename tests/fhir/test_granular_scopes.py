"""SMART scopes with a query: of observations an app gets those that were granted, each with its letters."""

import base64
import copy
import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from core.models import CodeableConcept, Observation, StudyPatientScopeConsent
from core.models.code import OPEN_MHEALTH
from core.seed import scopes
from tests import personas
from tests.factories import ObservationFactory
from tests.oauth import flow

pytestmark = [pytest.mark.usefixtures("demo_world"), pytest.mark.django_db]

RATE = f"?code={OPEN_MHEALTH}|{scopes.HEART_RATE}"
PRESSURE = f"?code={OPEN_MHEALTH}|{scopes.BLOOD_PRESSURE}"
_POINT = {
    "header": {
        "uuid": "aaaa1234-1a2b-3c4d-8e6f-000000000001",
        "schema_id": {"namespace": "omh", "name": "heart-rate", "version": "2.0"},
        "source_creation_date_time": "2026-03-01T08:30:00-08:00",
    },
    "body": {
        "heart_rate": {"value": 61, "unit": "beats/min"},
        "effective_time_frame": {"date_time": "2026-03-01T08:30:00-08:00"},
    },
}


@pytest.fixture
def demo_world(db: None) -> None:
    personas.seed_demo_world()


@pytest.fixture
def readings(demo_world: None) -> dict[str, int]:
    """One of Peter's of each of three kinds, the ids by code."""
    peter = personas.patient_of("ll_patient_peter")
    kinds = CodeableConcept.objects.filter(
        coding_code__in=[scopes.HEART_RATE, scopes.BLOOD_PRESSURE, scopes.STEP_COUNT]
    )
    return {kind.coding_code: ObservationFactory(patient=peter, code=kind, omh_data=_POINT).pk for kind in kinds}


def app(name: str, *granted: str) -> Client:
    """A client to which this person granted these scopes, by the consent page."""
    token = flow.tokens(personas.user_of(name), scope=" ".join(granted), resource=None)["access_token"]
    return Client(headers={"Authorization": f"Bearer {token}"})


def found(client: Client, query: str = "") -> set[int]:
    response = client.get(f"/FHIR/R5/Observation{query}")
    assert response.status_code == 200, response.content
    return {int(entry["resource"]["id"]) for entry in response.json()["entry"]}


def heart_rate(status: str = "final") -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": status,
        "code": {"coding": [{"system": OPEN_MHEALTH, "code": scopes.HEART_RATE}]},
        "subject": {"reference": f"Patient/{personas.patient_of('ll_patient_peter').pk}"},
        "valueAttachment": {
            "contentType": "application/json",
            "data": base64.b64encode(json.dumps(_POINT).encode()).decode(),
        },
    }


def send(client: Client, resource: dict[str, Any], pk: int | None = None) -> HttpResponse:
    path = "/FHIR/R5/Observation" + (f"/{pk}" if pk else "")
    method = client.put if pk else client.post
    return method(path, json.dumps(resource), content_type="application/fhir+json")


@pytest.mark.parametrize("context", ["patient", "user"])
@pytest.mark.parametrize("value", [f"{OPEN_MHEALTH}|{scopes.HEART_RATE}", scopes.HEART_RATE])
def test_peters_app_finds_the_kind_that_it_was_given(readings: dict[str, int], context: str, value: str) -> None:
    client = app("ll_patient_peter", f"{context}/Observation.rs?code={value}")
    rate, pressure = readings[scopes.HEART_RATE], readings[scopes.BLOOD_PRESSURE]
    assert found(client) == {rate}
    assert found(client, f"?_id={pressure}") == set()
    assert client.get(f"/FHIR/R5/Observation/{rate}").status_code == 200
    assert client.get(f"/FHIR/R5/Observation/{pressure}").status_code == 404
    assert client.get(f"/FHIR/R5/Observation/{pressure}/_history").status_code == 404
    assert client.get(f"/api/v1/observations/{pressure}").status_code == 404
    rows = client.get("/api/v1/observations").json()["results"]
    assert {row["id"] for row in rows} == {rate}


def test_a_category_is_all_of_its_kinds_and_no_other(readings: dict[str, int]) -> None:
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    for value in ("vital-signs", f"{system}|vital-signs"):
        client = app("ll_patient_peter", f"patient/Observation.rs?category={value}")
        assert found(client) == {readings[scopes.HEART_RATE], readings[scopes.BLOOD_PRESSURE]}


def test_several_such_scopes_add_up(readings: dict[str, int]) -> None:
    client = app("ll_patient_peter", f"patient/Observation.rs{RATE}", "patient/Observation.rs?category=activity")
    assert found(client) == {readings[scopes.HEART_RATE], readings[scopes.STEP_COUNT]}


def test_one_for_all_kinds_makes_the_others_say_nothing(readings: dict[str, int]) -> None:
    client = app("ll_patient_peter", f"patient/Observation.rs{RATE}", "patient/*.rs")
    assert found(client) == set(readings.values())


def test_a_practitioners_app_gets_of_the_kind_what_the_practitioner_sees(readings: dict[str, int]) -> None:
    client = app("viewer_victor", f"user/Observation.rs{RATE}")
    assert found(client) == {readings[scopes.HEART_RATE]}
    StudyPatientScopeConsent.objects.update(consented=False)
    assert found(client) == set()


def test_scopes_that_do_not_count_for_somebody_give_nothing(readings: dict[str, int]) -> None:
    client = app("viewer_victor", f"user/Observation.rs{RATE}", "patient/Observation.rs")
    assert found(client) == {readings[scopes.HEART_RATE]}


def test_reading_and_searching_are_told_apart(readings: dict[str, int]) -> None:
    rate = readings[scopes.HEART_RATE]
    reads, searches = (
        app("ll_patient_peter", f"patient/Observation.r{RATE}"),
        app("ll_patient_peter", f"patient/Observation.s{RATE}"),
    )
    assert reads.get(f"/FHIR/R5/Observation/{rate}").status_code == 200
    assert reads.get("/FHIR/R5/Observation").status_code == 403
    assert searches.get(f"/FHIR/R5/Observation/{rate}").status_code == 403
    assert found(searches) == {rate}


def test_another_type_is_not_reached(readings: dict[str, int]) -> None:
    response = app("ll_patient_peter", f"patient/Observation.rs{RATE}").get("/FHIR/R5/Patient")
    assert (response.status_code, 'scope="patient/Patient.s"' in response["WWW-Authenticate"]) == (403, True)


def test_an_app_adds_the_kind_that_it_may_add_and_reads_another(readings: dict[str, int]) -> None:
    client = app("ll_patient_peter", f"patient/Observation.c{RATE}", f"patient/Observation.rs{PRESSURE}")
    sent = heart_rate() | {"identifier": [{"system": "urn:app", "value": "1"}]}
    assert [send(client, sent).status_code for _ in range(2)] == [201, 200]
    assert found(client) == {readings[scopes.BLOOD_PRESSURE]}


def test_an_app_that_only_adds_reads_nothing(readings: dict[str, int]) -> None:
    client = app("ll_patient_peter", f"patient/Observation.c{RATE}")
    sent = send(client, heart_rate())
    assert sent.status_code == 201
    assert client.get(f"/FHIR/R5/Observation/{sent.json()['id']}").status_code == 403
    assert client.get("/FHIR/R5/Observation").status_code == 403


def test_an_app_that_may_add_one_kind_adds_no_other(readings: dict[str, int]) -> None:
    client = app("ll_patient_peter", f"patient/Observation.crs{PRESSURE}", f"patient/Observation.rs{RATE}")
    before = Observation.objects.count()
    response = send(client, heart_rate())
    assert response.status_code == 403
    assert f"ask for patient/Observation.c{RATE}" in response.json()["issue"][0]["diagnostics"]
    batch = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"resource": heart_rate(), "request": {"method": "POST", "url": "Observation"}}],
    }
    answer = client.post("/FHIR/R5/", json.dumps(batch), content_type="application/fhir+json").json()
    assert answer["entry"][0]["response"]["status"].startswith("403")
    assert Observation.objects.count() == before


@pytest.mark.parametrize(("letters", "changed", "deleted"), [("crs", 403, 403), ("urs", 200, 403), ("rds", 403, 204)])
def test_changing_and_deleting_have_a_letter_each(
    readings: dict[str, int], letters: str, changed: int, deleted: int
) -> None:
    """The other kind has all letters, so that the type has them too."""
    ordered = "".join(letter for letter in "cruds" if letter in letters)
    client = app("ll_patient_peter", f"patient/Observation.{ordered}{RATE}", f"patient/Observation.cruds{PRESSURE}")
    rate = readings[scopes.HEART_RATE]
    resource = copy.deepcopy(heart_rate("amended")) | {"id": str(rate)}
    assert send(client, resource, rate).status_code == changed
    assert client.delete(f"/FHIR/R5/Observation/{rate}").status_code == deleted


@pytest.mark.parametrize(
    "granted",
    [
        ["patient/Observation.rs?code=omh:no-such-kind:1.0"],
        [f"patient/Observation.rs?code=https://elsewhere.example|{scopes.HEART_RATE}"],
        ["patient/Observation.rs?category=laboratory"],
        ["patient/Observation.rs?category=https://elsewhere.example|vital-signs"],
        [f"patient/Observation.r{RATE}", f"patient/Observation.s{PRESSURE}"],
        [f"patient/Observation.rs{RATE}", "patient/*.r"],
        [f"patient/Observation.ud{RATE}"],
    ],
    ids=str,
)
def test_what_no_row_could_be_held_to_is_refused_with_a_sentence(demo_world: None, granted: list[str]) -> None:
    browser = Client()
    browser.force_login(personas.user_of("ll_patient_peter"))
    said = flow.said(flow.ask(browser, scope=" ".join(granted), resource=None))
    assert said["error"] == "invalid_scope"
    assert "kind" in said["error_description"]


def test_a_refresh_for_fewer_of_such_scopes_is_refused_because_the_token_would_reach_more(
    readings: dict[str, int],
) -> None:
    both = f"patient/Observation.rs{RATE} patient/Observation.rs{PRESSURE}"
    given = flow.tokens(personas.user_of("ll_patient_peter"), scope=both, resource=None)
    assert flow.refused(flow.refresh(given["refresh_token"], scope=both.split()[0])) == "invalid_scope"
    assert flow.refresh(given["refresh_token"], scope=both).status_code == 200
