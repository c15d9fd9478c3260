"""/api/v1/data_sources and /api/v1/codes: the catalogue that everybody reads and superusers keep."""

from typing import Any

import orjson
import pytest
from django.test import Client

from core.models import CodeableConcept, DataSource
from tests.bearer import client_of
from tests.factories import ObservationFactory
from tests.personas import BP_AND_HR, study_of, user_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("demo_world")]

URL = "/api/v1/data_sources"


@pytest.fixture
def admin() -> Client:
    return client_of(user_of("admin"))


@pytest.fixture
def glucose() -> CodeableConcept:
    return CodeableConcept.objects.get(coding_code="omh:blood-glucose:4.0")


def send(client: Client, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    data = orjson.dumps(body) if body is not None else b""
    return client.generic(method, f"{URL}{path}", data, content_type="application/json")


@pytest.mark.parametrize("name", ["viewer_victor", "ll_patient_peter", "admin"])
def test_everybody_reads_all_data_sources(name: str, glucose: CodeableConcept) -> None:
    answer = client_of(user_of(name)).get(URL).json()
    assert answer["count"] == 8
    assert answer["results"][0] == {
        "id": DataSource.objects.get(name="Glucose sensor").pk,
        "name": "Glucose sensor",
        "type": "personal_device",
        "supportedScopes": [
            {
                "id": glucose.pk,
                "codingSystem": "https://w3id.org/openmhealth",
                "codingCode": "omh:blood-glucose:4.0",
                "text": "Blood glucose",
            }
        ],
    }


def test_the_list_can_be_narrowed(admin: Client) -> None:
    assert [row["name"] for row in admin.get(URL, {"type": "service"}).json()["results"]] == ["Questionnaire app"]
    assert admin.get(URL, {"search": "OMETER"}).json()["count"] == 2  # thermometer, spirometer
    assert admin.get(URL, {"type": "x"}).status_code == 400


def test_a_superuser_adds_a_data_source_and_changes_what_it_sends(admin: Client, glucose: CodeableConcept) -> None:
    made = send(admin, "POST", "", {"name": "Ring", "supportedScopeIds": [glucose.pk]})
    assert (made.status_code, made.json()["type"]) == (201, "personal_device")
    assert [scope["id"] for scope in made.json()["supportedScopes"]] == [glucose.pk]
    path = f"/{made.json()['id']}"
    assert send(admin, "PATCH", path, {"name": "Ring 2"}).json()["supportedScopes"] == made.json()["supportedScopes"]
    assert send(admin, "PATCH", path, {"supportedScopeIds": []}).json()["supportedScopes"] == []
    assert send(admin, "POST", "", {"name": "Ring 3", "supportedScopeIds": [99_999]}).status_code == 404
    assert not DataSource.objects.filter(name="Ring 3").exists()
    assert send(admin, "DELETE", path).status_code == 204


def test_a_data_source_takes_kinds_of_data_one_by_one(admin: Client, glucose: CodeableConcept) -> None:
    path = f"/{DataSource.objects.get(name='Scale').pk}/supported_scopes"
    for _ in range(2):
        assert len(send(admin, "POST", path, {"scopeCodeId": glucose.pk}).json()["supportedScopes"]) == 2
    assert admin.get(f"{URL}{path}").json()["count"] == 2
    assert send(admin, "DELETE", path, {"scopeCodeId": glucose.pk}).status_code == 204
    assert send(admin, "DELETE", path, {"scopeCodeId": glucose.pk}).status_code == 404


def test_a_data_source_that_sent_something_stays(admin: Client, glucose: CodeableConcept) -> None:
    sensor = DataSource.objects.get(name="Glucose sensor")
    ObservationFactory(code=glucose, data_source=sensor)
    refused = send(admin, "DELETE", f"/{sensor.pk}")
    assert (refused.status_code, "it stays" in refused.json()["detail"]) == (409, True)


def test_a_manager_changes_nothing_of_what_is_everybodys() -> None:
    mary = client_of(user_of("manager_mary"))
    refused = send(mary, "POST", "", {"name": "Ring"})
    assert (refused.status_code, refused.json()["detail"]) == (403, "Your role does not include catalogue:manage.")


def test_the_kinds_of_data_are_the_sixteen_and_can_be_found(glucose: CodeableConcept) -> None:
    peter = client_of(user_of("ll_patient_peter"))
    assert peter.get(f"{URL}/all_scopes").json()["count"] == 16
    found = peter.get("/api/v1/codes", {"codingCode": "omh:blood-glucose:4.0"}).json()["results"]
    assert found == [peter.get(f"/api/v1/codes/{glucose.pk}").json()]
    assert peter.get("/api/v1/codes", {"codingSystem": "https://w3id.org/ieee1752"}).json()["count"] == 1
    assert peter.get("/api/v1/codes/99999").status_code == 404


def test_a_study_does_not_lose_its_other_sources_when_one_is_deleted(admin: Client) -> None:
    study, cuff = study_of(BP_AND_HR), DataSource.objects.get(name="Blood pressure cuff")
    assert send(admin, "DELETE", f"/{cuff.pk}").status_code == 204
    assert [source.name for source in study.data_sources.all()] == ["Wrist wearable"]
