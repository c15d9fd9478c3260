"""Observations over FHIR: what is sent, what comes back, and how it is found, by each kind of person."""

import base64
import copy
import json
from datetime import UTC, datetime

import orjson
import pytest
from fhir.resources.observation import Observation as R5Observation

from core.actions.observations import NewObservation, record_observations
from core.fhir.observation_render import render
from core.models import AuditEvent, CodeableConcept, Observation, StudyPatientScopeConsent
from core.models.code import OPEN_MHEALTH
from core.models.observation_pages import Which, page
from core.seed import demo_world, scopes, world
from tests.bearer import client_of
from tests.factories import ObservationFactory, PatientFactory
from tests.personas import (
    BP,
    BP_AND_HR,
    patient_of,
    principal_of,
    seed_demo_world,
    study_of,
    user_of,
)

BASE = "/FHIR/R5"
POINT = {
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
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def demo_people():
    seed_demo_world()


@pytest.fixture
def peter():
    return patient_of("ll_patient_peter")


@pytest.fixture
def megan():
    return client_of(user_of("member_megan"))


def encoded(data_point):
    return base64.b64encode(json.dumps(data_point).encode()).decode()


def upload(patient, *identifiers, point=POINT, **elements):
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": OPEN_MHEALTH, "code": scopes.HEART_RATE}]},
        "subject": {"reference": f"Patient/{patient.pk}"},
        "valueAttachment": {"contentType": "application/json", "data": encoded(point)},
        **({"identifier": [{"system": "urn:app", "value": value} for value in identifiers]} if identifiers else {}),
        **elements,
    }


def post(client, resource, path="Observation", **headers):
    return client.post(f"{BASE}/{path}", json.dumps(resource), content_type="application/fhir+json", headers=headers)


def record(patient, *, code=scopes.HEART_RATE, when="2026-03-01T08:30:00-08:00", value=61):
    point = copy.deepcopy(POINT)
    point["body"]["effective_time_frame"]["date_time"] = when
    point["body"]["heart_rate"]["value"] = value
    row = CodeableConcept.objects.get(coding_code=code)
    sent = NewObservation(patient_id=patient.pk, code_id=row.pk, code=code, data_point=point)
    return record_observations(actor=None, door="command", activity="test", observations=[sent])[0]


def found(client, query=""):
    answer = client.get(f"{BASE}/Observation?{query}")
    assert answer.status_code == 200, answer.content
    return [int(e["resource"]["id"]) for e in answer.json()["entry"] if e["search"]["mode"] == "match"]


def issue_of(answer):
    return answer.json()["issue"][0]


def test_what_a_member_sends_comes_back_with_its_number_and_its_time_and_whole(megan, peter):
    created = post(megan, upload(peter, "a"))
    assert created.status_code == 201, created.content
    resource = created.json()
    assert created.headers["Location"].endswith(f"/FHIR/R5/Observation/{resource['id']}/_history/1")
    R5Observation.model_validate(resource)
    assert megan.get(f"{BASE}/Observation/{resource['id']}").json() == resource
    assert json.loads(base64.b64decode(resource["valueAttachment"]["data"])) == POINT
    assert resource["code"]["coding"][0] == {
        "system": OPEN_MHEALTH,
        "code": scopes.HEART_RATE,
        "display": "Heart rate",
    }
    assert resource["effectiveDateTime"] == "2026-03-01T08:30:00-08:00"
    assert resource["subject"]["reference"] == f"Patient/{peter.pk}"
    assert resource["identifier"] == [{"system": "urn:app", "value": "a"}]
    assert resource["category"][0]["coding"][0]["code"] == "vital-signs"
    [component] = resource["component"]
    assert component["code"]["coding"][0]["code"] == "8867-4"
    assert component["valueQuantity"] == {
        "value": 61,
        "unit": "beats/min",
        "system": "http://unitsofmeasure.org",
        "code": "/min",
    }


def test_what_is_sent_again_is_the_one_that_is_there(megan, peter):
    first = post(megan, upload(peter, "a"))
    again = post(megan, upload(peter, "a"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert Observation.objects.count() == 1


def test_a_patient_sends_their_own(peter):
    assert post(client_of(user_of("ll_patient_peter")), upload(peter)).status_code == 201


def test_a_viewer_a_stranger_and_a_token_without_the_scope_send_nothing(peter):
    assert post(client_of(user_of("viewer_victor")), upload(peter)).status_code == 403
    stranger = post(client_of(user_of("manager_mark")), upload(peter))
    assert stranger.status_code == 404
    assert issue_of(stranger)["expression"] == ["Observation.subject"]
    assert post(client_of(user_of("member_megan"), scope="user/Observation.rs"), upload(peter)).status_code == 403
    assert not Observation.objects.exists()


def test_without_consent_nothing_is_taken(megan, peter):
    StudyPatientScopeConsent.objects.filter(patient=peter).update(consented=False)
    answer = post(megan, upload(peter))
    assert answer.status_code == 403
    assert "has not consented" in issue_of(answer)["diagnostics"]
    assert AuditEvent.objects.filter(outcome="refused").count() == 1


@pytest.mark.parametrize(
    ("elements", "status", "expression"),
    [
        ({"status": "done"}, 400, "Observation.status"),
        ({"status": None}, 400, "Observation.status"),
        ({"subject": {"reference": "Patient/zero"}}, 422, "Observation.subject"),
        ({"subject": {"display": "Peter"}}, 422, "Observation.subject"),
        ({"device": {"reference": "Device/1"}}, 422, "Observation.device"),
        ({"device": {"reference": "Patient/1"}}, 422, "Observation.device"),
        ({"code": {"text": "pulse"}}, 422, "Observation.code"),
        ({"code": {"coding": [{"system": OPEN_MHEALTH, "code": "omh:mood:1.0"}]}}, 422, "Observation.code.coding[0]"),
        ({"identifier": [{"system": "urn:app"}]}, 422, "Observation.identifier[0]"),
        (
            {"valueAttachment": {"contentType": "application/json", "data": "%%%"}},
            400,
            "Observation.valueAttachment.data",
        ),
        (
            {"valueAttachment": {"contentType": "text/plain", "data": "eA=="}},
            422,
            "Observation.valueAttachment.contentType",
        ),
        ({"valueAttachment": {"contentType": "application/json"}}, 422, "Observation.valueAttachment"),
        ({"valueAttachment": {"contentType": "application/json", "data": "e30="}}, 422, "Observation.valueAttachment"),
        ({"effectiveDateTime": "2020-01-01"}, 422, "Observation.effectiveDateTime"),
        ({"effectiveInstant": "2026-03-01T08:30:00-08:00"}, 422, "Observation.effectiveInstant"),
        ({"unknownElement": 1}, 400, "Observation.unknownElement"),
    ],
)
def test_a_fault_is_a_4xx_with_its_place(megan, peter, elements, status, expression):
    answer = post(megan, upload(peter, **elements))
    assert answer.status_code == status, answer.content
    assert issue_of(answer)["expression"] == [expression]
    assert not Observation.objects.exists()


def test_elements_beyond_our_columns_come_back(megan, peter):
    note = [{"text": "after a run"}]
    created = post(megan, upload(peter, note=note, effectiveDateTime="2026-03-01T08:30:00-08:00"))
    assert created.status_code == 201, created.content
    read = megan.get(f"{BASE}/Observation/{created.json()['id']}").json()
    assert read["note"] == note
    [entry] = megan.get(f"{BASE}/Observation").json()["entry"]
    assert entry["resource"] == read


def bundle(kind, *resources):
    request = {"method": "POST", "url": "Observation"}
    entries = [{"resource": resource, "request": request} for resource in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def test_each_entry_of_a_batch_has_an_answer_of_its_own(megan, peter):
    strange = upload(PatientFactory())
    wrong = upload(peter, point={**POINT, "body": {}})
    answer = post(
        megan, bundle("batch", upload(peter, "a"), strange, wrong, upload(peter, status="done"), upload(peter, "a")), ""
    )
    assert answer.status_code == 200, answer.content
    responses = [entry["response"] for entry in answer.json()["entry"]]
    assert [r["status"][:3] for r in responses] == ["201", "404", "422", "400", "200"]
    places = [r["outcome"]["issue"][0]["expression"] for r in responses[1:4]]
    assert places == [
        ["Bundle.entry[1].resource.subject"],
        ["Bundle.entry[2].resource.valueAttachment"],
        ["Bundle.entry[3].resource.status"],
    ]
    assert responses[0]["location"] == responses[4]["location"]
    assert Observation.objects.count() == 1
    assert AuditEvent.objects.filter(door="fhir", outcome="success").count() == 1


def test_of_a_transaction_all_or_nothing_is_kept(megan, peter):
    answer = post(megan, bundle("transaction", upload(peter, "a"), upload(peter, "b", point={**POINT, "body": {}})), "")
    assert answer.status_code == 422
    assert issue_of(answer)["expression"] == ["Bundle.entry[1].resource.valueAttachment"]
    assert not Observation.objects.exists()
    answer = post(megan, bundle("transaction", upload(peter, "a"), upload(peter, "b")), "")
    assert [entry["response"]["status"][:3] for entry in answer.json()["entry"]] == ["201", "201"]


def test_an_update_puts_another_data_point_in_place(megan, peter):
    resource = post(megan, upload(peter, "a")).json()
    point = copy.deepcopy(POINT)
    point["body"]["heart_rate"]["value"] = 75
    changed = {**upload(peter, "a", "b", point=point, status="amended"), "id": resource["id"]}
    answer = megan.put(f"{BASE}/Observation/{resource['id']}", json.dumps(changed), "application/fhir+json")
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["status"], len(body["identifier"])) == ("amended", 2)
    assert body["component"][0]["valueQuantity"]["value"] == 75
    victor = client_of(user_of("viewer_victor"))
    answer = victor.put(f"{BASE}/Observation/{resource['id']}", json.dumps(changed), "application/fhir+json")
    assert answer.status_code == 403


def test_an_observation_keeps_its_patient_and_its_kind(megan, peter):
    resource = post(megan, upload(peter, "a")).json()
    pamela = patient_of("ll_patient_pamela")
    answer = megan.put(
        f"{BASE}/Observation/{resource['id']}",
        json.dumps({**upload(pamela, "a"), "id": resource["id"]}),
        "application/fhir+json",
    )
    assert answer.status_code == 422
    assert issue_of(answer)["expression"] == ["Observation.subject"]


def test_a_member_deletes_and_a_viewer_does_not(megan, peter):
    id_ = record(peter)
    assert client_of(user_of("viewer_victor")).delete(f"{BASE}/Observation/{id_}").status_code == 403
    assert client_of(user_of("manager_mark")).delete(f"{BASE}/Observation/{id_}").status_code == 404
    assert megan.delete(f"{BASE}/Observation/{id_}").status_code == 204
    assert not Observation.objects.exists()


def test_the_main_search_of_the_client_finds_a_study_a_patient_and_a_kind(megan, peter):
    pamela = patient_of("ll_patient_pamela")
    first, second, other = record(peter), record(peter, when="2026-03-02T08:30:00Z"), record(pamela)
    study = study_of(BP_AND_HR).pk
    assert found(megan) == [second, other, first] or found(megan) == [second, first, other]
    code = f"https://w3id.org/openmhealth|{scopes.HEART_RATE}"
    for group in ("Group", "_group"):
        query = f"patient._has:{group}:member:_id={study}&patient={peter.pk}&code={code}&_count=1000"
        assert found(megan, query) == [second, first]
    assert found(megan, f"patient._has:Group:member:_id={study_of(BP).pk}") == []
    assert found(megan, f"patient=Patient/{pamela.pk}") == [other]
    assert found(client_of(user_of("manager_mark"))) == []


SEARCHES = [
    "patient={peter}",
    "subject=Patient/{peter}",
    "subject:Patient={peter}",
    "patient={peter},{pamela}",
    "patient={peter}&patient={pamela}",
    "patient=Patient/none",
    "code=omh:heart-rate:2.0",
    "code=https://w3id.org/openmhealth|omh:heart-rate:2.0,omh:blood-pressure:4.0",
    "code=http://elsewhere|omh:heart-rate:2.0",
    "status=final",
    "status=amended,final",
    "status=amended",
    "date=2026-03-01",
    "date=ge2026-03-02",
    "date=gt2026-03-01&date=lt2026-03-04",
    "date=le2026-03-02T08:30:00Z",
    "date=sa2026-03-01",
    "date=eb2026-03-02",
    "_lastUpdated=ge2020-01-01",
    "_lastUpdated=lt2020-01-01",
    "_id={first}",
    "_id={first},1",
    "identifier=urn:app|one",
    "identifier=one",
    "identifier=urn:other|one",
    "device=Device/1",
    "patient.organization={organization}",
    "patient._has:Group:member:_id={study}",
    "patient._has:Group:member:_id={study},{other_study}&code=omh:heart-rate:2.0&patient={peter}",
]


@pytest.mark.parametrize("order", ["-date", "date", "_lastUpdated", "-_lastUpdated"])
def test_the_fast_searches_find_what_the_search_of_every_type_finds(peter, order, monkeypatch):
    pamela = patient_of("ll_patient_pamela")
    first = record(peter)
    for patient in (peter, pamela):
        for day in (1, 2, 3, 4):
            record(patient, when=f"2026-03-0{day}T08:30:00Z")
    Observation.objects.filter(pk=first).get().identifiers.create(patient=peter, system="urn:app", value="one")
    given = {
        "peter": peter.pk,
        "pamela": pamela.pk,
        "first": first,
        "study": study_of(BP_AND_HR).pk,
        "other_study": study_of(BP).pk,
        "organization": study_of(BP).organization_id,
    }
    queries = [f"{query.format(**given)}&_sort={order}&_total=accurate" for query in SEARCHES]
    for name in ("member_megan", "manager_mark", "ll_patient_peter"):
        client = client_of(user_of(name))
        fast = [client.get(f"{BASE}/Observation?{query}").json() for query in queries]
        with monkeypatch.context() as without:
            without.setattr("core.fhir.resources.observation.which_of", lambda _search: None)
            slow = [client.get(f"{BASE}/Observation?{query}").json() for query in queries]
        for query, ours, theirs in zip(queries, fast, slow, strict=True):
            assert ours.get("entry") == theirs.get("entry"), (name, query)
            assert ours["total"] == theirs["total"], (name, query)


def test_pages_are_followed_by_their_links_to_the_end(megan, peter):
    recorded = [record(peter, when=f"2026-03-0{day}T08:30:00Z") for day in range(1, 8)]
    url, seen = f"{BASE}/Observation?patient={peter.pk}&_count=3", []
    while url:
        answer = megan.get(url).json()
        seen += [int(entry["resource"]["id"]) for entry in answer["entry"]]
        url = next((link["url"] for link in answer["link"] if link["relation"] == "next"), None)
    assert seen == recorded[::-1]


def test_the_number_of_queries_does_not_grow_with_the_page(megan, peter, django_assert_max_num_queries):
    for day in range(1, 10):
        record(peter, when=f"2026-03-0{day}T08:30:00Z")
    with django_assert_max_num_queries(8):
        assert len(found(megan, f"patient={peter.pk}&_count=100")) == 9


def test_everything_that_the_demo_holds_is_valid_r5():
    for person in demo_world.PATIENTS:
        world.write_readings(person)
    seen = set()
    for name in (
        "ll_patient_peter",
        "ll_patient_pamela",
        "npl_patient_percy",
        "ccl_patient_paul",
        "ccl_cardio_patient_pat",
    ):
        rows = page(principal_of(user_of(name)), Which(), limit=10_000)
        for resource in json.loads(json.dumps([_plain(each) for each in render(rows)])):
            kind = resource["code"]["coding"][0]["code"]
            if (kind, resource["id"][-1]) not in seen:  # ten of each kind say what all would
                seen.add((kind, resource["id"][-1]))
                R5Observation.model_validate(resource)
                assert resource["component"], "each of these is a number, or two"
    assert {kind for kind, _ in seen} >= {scopes.BLOOD_PRESSURE, scopes.HEART_RATE, scopes.BLOOD_GLUCOSE}


def _plain(resource):
    return orjson.loads(orjson.dumps(resource))


@pytest.mark.parametrize(
    ("end", "offset", "effective"),
    [
        (None, -480, {"effectiveDateTime": "2026-03-01T08:30:00.250000-08:00"}),
        (None, None, {"effectiveDateTime": "2026-03-01T16:30:00.250000Z"}),
        (
            datetime(2026, 3, 1, 18, 0, tzinfo=UTC),
            330,
            {"effectivePeriod": {"start": "2026-03-01T22:00:00.250000+05:30", "end": "2026-03-01T23:30:00+05:30"}},
        ),
    ],
)
def test_times_are_told_with_the_offset_they_were_recorded_with(peter, end, offset, effective):
    ObservationFactory(
        patient=peter,
        code=CodeableConcept.objects.get(coding_code=scopes.HEART_RATE),
        effective_start=datetime(2026, 3, 1, 16, 30, 0, 250_000, tzinfo=UTC),
        effective_end=end,
        utc_offset_minutes=offset,
    )
    [row] = page(principal_of(user_of("ll_patient_peter")), Which(), limit=1)
    [resource] = render([row])
    assert {name: value for name, value in resource.items() if name.startswith("effective")} == effective
    R5Observation.model_validate(_plain(resource))
