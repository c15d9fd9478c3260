"""vread and _history: what resources were, as hidden as what they are."""

import pytest

from core.models import StudyPatientScopeConsent
from tests import personas
from tests.bearer import client_of
from tests.factories import ObservationFactory

FHIR = "/FHIR/R5"


@pytest.fixture(autouse=True)
def demo_world(db):
    personas.seed_demo_world()


@pytest.fixture
def mary():
    return client_of(personas.user_of("manager_mary"))


def change(client, path, **elements):
    resource = {**client.get(f"{FHIR}/{path}").json(), **elements}
    answer = client.put(f"{FHIR}/{path}", resource, content_type="application/fhir+json")
    assert answer.status_code == 200, answer.json()
    return answer


@pytest.mark.django_db(transaction=True)
def test_a_changed_patient_reads_as_it_was_in_each_version(mary):
    peter = personas.patient_of("ll_patient_peter")
    path = f"Patient/{peter.pk}"
    before = mary.get(f"{FHIR}/{path}").json()
    changed = change(mary, path, birthDate="1971-02-03")
    assert changed["ETag"] == f'W/"{int(before["meta"]["versionId"]) + 1}"'
    old = mary.get(f"{FHIR}/{path}/_history/{before['meta']['versionId']}")
    assert (old.status_code, old.json()) == (200, before)
    assert old["ETag"] == f'W/"{before["meta"]["versionId"]}"'
    bundle = mary.get(f"{FHIR}/{path}/_history").json()
    assert [entry["resource"]["birthDate"] for entry in bundle["entry"]] == ["1971-02-03", before["birthDate"]]
    assert [entry["request"]["method"] for entry in bundle["entry"]] == ["PUT", "POST"]


@pytest.mark.django_db(transaction=True)
def test_a_history_comes_in_pages_that_repeat_and_lose_nothing(mary):
    study = personas.study_of(personas.BP)
    newest = study.version_id + 4
    for number in range(4):
        change(mary, f"ResearchStudy/{study.pk}", description=f"Description {number}")
    url, versions = f"{FHIR}/ResearchStudy/{study.pk}/_history?_count=2", []
    while url:
        bundle = mary.get(url).json()
        versions += [entry["resource"]["meta"]["versionId"] for entry in bundle["entry"]]
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
    assert versions == [str(version) for version in range(newest, 0, -1)]


def test_a_missing_version_and_a_foreign_patient_are_not_found(mary):
    peter, paul = personas.patient_of("ll_patient_peter").pk, personas.patient_of("ccl_patient_paul").pk
    for path in (f"Patient/{peter}/_history/7", f"Patient/{peter}/_history/x", f"Patient/{paul}/_history/1"):
        assert mary.get(f"{FHIR}/{path}").status_code == 404
    assert mary.get(f"{FHIR}/Patient/{paul}/_history").status_code == 404


def test_the_history_of_a_type_holds_what_the_reader_sees_and_no_more(mary):
    bundle = mary.get(f"{FHIR}/Patient/_history").json()
    mine = {str(personas.patient_of(name).pk) for name in ("ll_patient_peter", "ll_patient_pamela")}
    assert {entry["resource"]["id"] for entry in bundle["entry"]} == mine


@pytest.mark.django_db(transaction=True)
def test_a_former_observation_is_hidden_with_the_consent(mary):
    peter = personas.patient_of("ll_patient_peter")
    consent = StudyPatientScopeConsent.objects.filter(patient=peter, consented=True).first()
    observation = ObservationFactory(patient=peter, code=consent.code)
    observation.status = "amended"
    observation.save()
    former = f"{FHIR}/Observation/{observation.pk}/_history/1"
    assert mary.get(former).json()["status"] == "final"
    StudyPatientScopeConsent.objects.filter(patient=peter, code=consent.code).update(consented=False)
    assert mary.get(former).status_code == 404
    assert mary.get(f"{FHIR}/Observation/{observation.pk}/_history").status_code == 404
    listed = mary.get(f"{FHIR}/Observation/_history").json()["entry"]
    assert str(observation.pk) not in [entry["resource"]["id"] for entry in listed]


def test_types_without_a_history_say_so(mary):
    answer = mary.get(f"{FHIR}/AuditEvent/1/_history")
    assert answer.status_code in (404, 405)
    assert mary.get(f"{FHIR}/Provenance/_history").status_code == 405


@pytest.mark.parametrize("query", ["_count=0", "_count=x", "_since=yesterday", "_page=made-up"])
def test_what_a_history_cannot_be_asked_is_refused(mary, query):
    answer = mary.get(f"{FHIR}/Patient/_history?{query}")
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.django_db(transaction=True)
def test_a_deleted_observation_is_gone_for_who_could_read_it_and_unknown_to_others(mary):
    peter = personas.patient_of("ll_patient_peter")
    consent = StudyPatientScopeConsent.objects.filter(patient=peter, consented=True).first()
    path = f"{FHIR}/Observation/{ObservationFactory(patient=peter, code=consent.code).pk}"
    assert client_of(personas.user_of("ll_patient_peter")).delete(path).status_code == 204
    gone = mary.get(path)
    assert (gone.status_code, gone.json()["issue"][0]["code"]) == (410, "deleted")
    assert mary.get(f"{path}/_history/2").status_code == 410
    methods = [entry["request"]["method"] for entry in mary.get(f"{path}/_history").json()["entry"]]
    assert methods == ["DELETE", "POST"]
    assert client_of(personas.user_of("three_org_tom")).get(path).status_code in (404, 410)
    assert client_of(personas.user_of("manager_mark")).get(path).status_code == 404
