"""Bundles that are sent: batch, every entry for itself; transaction, all or nothing."""

import base64
import json

import pytest

from core.fhir import bundle_one
from core.models import AuditEvent, Ingest, Observation, Organization, Patient
from core.models.code import OPEN_MHEALTH
from tests import personas
from tests.bearer import client_of

FHIR = "/FHIR/R5"
JSON = "application/fhir+json"


@pytest.fixture(autouse=True)
def demo_world(db):
    personas.seed_demo_world()


@pytest.fixture
def megan():
    return client_of(personas.user_of("member_megan"))


@pytest.fixture
def peter():
    return personas.patient_of("ll_patient_peter").pk


def bundle(kind, *entries):
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def entry(method, url, resource=None, full_url=None, **request):
    return {
        **({"fullUrl": full_url} if full_url else {}),
        **({"resource": resource} if resource is not None else {}),
        "request": {"method": method, "url": url, **request},
    }


def post(who, body, **headers):
    return who.post(f"{FHIR}/", body, content_type=JSON, headers=headers)


def statuses(answer):
    return [entry["response"]["status"][:3] for entry in answer.json()["entry"]]


def patient(**elements):
    lab = personas.organization_of("Lifespan Lab").pk
    return {
        "resourceType": "Patient",
        "name": [{"family": "Lovell", "given": ["Ada"]}],
        "managingOrganization": {"reference": f"Organization/{lab}"},
        **elements,
    }


def heart_rate(subject, number=0, **elements):
    moment = f"2026-03-01T08:{number // 60 % 60:02}:{number % 60:02}Z"
    point = {
        "header": {
            "uuid": f"aaaa1234-1a2b-3c4d-8e6f-{number:012}",
            "schema_id": {"namespace": "omh", "name": "heart-rate", "version": "2.0"},
            "source_creation_date_time": moment,
            "modality": "sensed",
        },
        "body": {
            "heart_rate": {"value": 61, "unit": "beats/min"},
            "effective_time_frame": {"date_time": moment},
        },
    }
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": OPEN_MHEALTH, "code": "omh:heart-rate:2.0"}]},
        "subject": {"reference": subject},
        "identifier": [{"system": "https://test.invalid/ids", "value": f"hr-{number}"}],
        "valueAttachment": {
            "contentType": "application/json",
            "data": base64.b64encode(json.dumps(point).encode()).decode(),
        },
        **elements,
    }


def test_a_batch_answers_each_entry_for_itself(megan, peter):
    foreign = personas.patient_of("ccl_patient_paul").pk
    answer = post(
        megan,
        bundle(
            "batch",
            entry("POST", "Observation", heart_rate(f"Patient/{peter}", 1)),
            entry("POST", "Observation", heart_rate(f"Patient/{foreign}", 2)),
            entry("GET", f"Patient/{peter}"),
            entry("GET", f"Patient/{foreign}"),
            entry("POST", "Patient", patient()),
            entry("POST", "Patient", patient(gender="x")),
            {"resource": patient()},
            entry("GET", "Patient?gender=unknown"),
        ),
    )
    assert answer.status_code == 200, answer.json()
    assert answer.json()["type"] == "batch-response"
    assert statuses(answer)[:1] + statuses(answer)[2:] == ["201", "200", "404", "201", "400", "400", "200"]
    assert statuses(answer)[1] in ("403", "404", "422")
    outcomes = [entry["response"].get("outcome") for entry in answer.json()["entry"]]
    assert outcomes[5]["issue"][0]["expression"] == ["Bundle.entry[5].resource.gender"]
    assert outcomes[6]["issue"][0]["expression"] == ["Bundle.entry[6]"]
    assert outcomes[0] is None


def test_what_a_batch_refused_and_what_it_read_is_in_the_trail(megan, peter):
    before = AuditEvent.objects.count()
    post(megan, bundle("batch", entry("GET", f"Patient/{peter}"), entry("GET", "Patient/1")))
    rows = AuditEvent.objects.order_by("pk")[before:]
    assert sorted((row.outcome, row.patient_ids) for row in rows) == [("refused", [peter]), ("success", [peter])]
    assert rows[0].detail == {"entries": 2, "refused": [1]}


def test_a_transaction_resolves_its_own_references(megan):
    study = personas.study_of(personas.BP).pk
    group = megan.get(f"{FHIR}/Group/{study}").json()
    ada = "urn:uuid:5f5c1f6e-8f7a-4bd8-9e5c-000000000001"
    members = [*group["member"], {"entity": {"reference": ada}}]
    answer = post(
        megan,
        bundle(
            "transaction",
            entry("PUT", f"Group/{study}", {**group, "member": members}),
            entry("POST", "Patient", patient(), full_url=ada),
        ),
    )
    assert answer.status_code == 200, answer.json()
    assert statuses(answer) == ["200", "201"]
    created = answer.json()["entry"][1]["response"]["location"].split("/_history")[0]
    now = megan.get(f"{FHIR}/Group/{study}").json()["member"]
    assert created in [member["entity"]["reference"] for member in now]


def test_a_transaction_that_fails_leaves_nothing(megan, peter):
    counts = (Patient.objects.count(), Observation.objects.count(), Ingest.objects.count())
    before = AuditEvent.objects.count()
    answer = post(
        megan,
        bundle(
            "transaction",
            entry("POST", "Patient", patient()),
            entry("POST", "Observation", heart_rate(f"Patient/{peter}")),
            entry("DELETE", f"Patient/{peter}"),
        ),
    )
    assert answer.status_code == 409
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[2]"]
    assert (Patient.objects.count(), Observation.objects.count(), Ingest.objects.count()) == counts
    assert [row.outcome for row in AuditEvent.objects.order_by("pk")[before:]] == ["refused"]


def test_one_refused_observation_refuses_the_transaction(megan, peter):
    good, bad = heart_rate(f"Patient/{peter}", 1), heart_rate("Patient/1", 2)
    answer = post(megan, bundle("transaction", entry("POST", "Observation", good), entry("POST", "Observation", bad)))
    assert 400 <= answer.status_code < 500
    assert answer.json()["issue"][0]["expression"][0].startswith("Bundle.entry[1].resource")
    assert not Observation.objects.filter(identifiers__value="hr-1").exists()


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_thousand_observations_are_recorded_once(megan, peter, kind):
    sent = bundle(
        kind, *(entry("POST", "Observation", heart_rate(f"Patient/{peter}", number)) for number in range(1_000))
    )
    before = Observation.objects.count()
    first, again = post(megan, sent), post(megan, sent)
    assert (set(statuses(first)), set(statuses(again))) == ({"201"}, {"200"})
    assert Observation.objects.count() == before + 1_000
    locations = [entry["response"]["location"] for entry in first.json()["entry"]]
    assert locations == [entry["response"]["location"] for entry in again.json()["entry"]]


def test_a_conditional_create_in_a_bundle_finds_what_is_there(megan):
    mrn = {"system": "https://test.invalid/mrn", "value": "M-7"}
    query = f"identifier={mrn['system']}|{mrn['value']}"
    sent = bundle("transaction", entry("POST", "Patient", patient(identifier=[mrn]), ifNoneExist=query))
    first, again = post(megan, sent), post(megan, sent)
    assert (statuses(first), statuses(again)) == (["201"], ["200"])
    assert first.json()["entry"][0]["response"]["location"] == again.json()["entry"][0]["response"]["location"]


def test_a_patch_comes_as_a_binary(megan, peter):
    operations = base64.b64encode(b'[{"op": "replace", "path": "/birthDate", "value": "1971-02-03"}]').decode()
    binary = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": operations}
    sent = bundle("batch", entry("PATCH", f"Patient/{peter}", binary), entry("PATCH", f"Patient/{peter}", {}))
    answer = post(megan, sent, Prefer="return=representation")
    assert statuses(answer) == ["200", "400"]
    assert answer.json()["entry"][0]["resource"]["birthDate"] == "1971-02-03"


def test_organizations_in_one_transaction_come_from_the_top():
    admin = client_of(personas.user_of("admin"))
    root = {"reference": "Organization/0"}
    upper, lower = "urn:uuid:00000000-0000-4000-8000-000000000001", "urn:uuid:00000000-0000-4000-8000-000000000002"
    below = {"resourceType": "Organization", "name": "Below", "partOf": {"reference": upper}}
    above = {"resourceType": "Organization", "name": "Above", "partOf": root}
    sent = bundle(
        "transaction", entry("POST", "Organization", below, lower), entry("POST", "Organization", above, upper)
    )
    assert post(admin, sent).status_code == 200
    assert Organization.objects.get(name="Below").part_of.name == "Above"


def test_organizations_in_a_circle_are_refused():
    admin = client_of(personas.user_of("admin"))
    one, other = "urn:uuid:00000000-0000-4000-8000-000000000001", "urn:uuid:00000000-0000-4000-8000-000000000002"
    sent = bundle(
        "transaction",
        entry(
            "POST", "Organization", {"resourceType": "Organization", "name": "A", "partOf": {"reference": other}}, one
        ),
        entry(
            "POST", "Organization", {"resourceType": "Organization", "name": "B", "partOf": {"reference": one}}, other
        ),
    )
    assert post(admin, sent).status_code == 422


@pytest.mark.parametrize(
    ("body", "expression"),
    [
        ([], "Bundle"),
        ({"resourceType": "Bundle"}, "Bundle"),
        ({"resourceType": "Patient", "type": "batch"}, "Bundle.resourceType"),
        ({"resourceType": "Bundle", "type": "collection"}, "Bundle.type"),
        ({"resourceType": "Bundle", "type": "batch", "entry": {}}, "Bundle.entry"),
        ({"resourceType": "Bundle", "type": "transaction", "entry": [3]}, "Bundle.entry[0]"),
        ({"resourceType": "Bundle", "type": "transaction", "entry": [{}]}, "Bundle.entry[0]"),
        (bundle("transaction", entry("POST", "Patient")), "Bundle.entry[0]"),
        (bundle("transaction", entry("FLY", "Patient")), "Bundle.entry[0].request.method"),
        (bundle("transaction", entry("GET", "https://elsewhere.invalid/Patient/1")), "Bundle.entry[0].request.url"),
        (bundle("transaction", entry("GET", "Patient/1/$everything")), "Bundle.entry[0].request.url"),
        (bundle("transaction", entry("DELETE", "Patient")), "Bundle.entry[0].request.url"),
        (bundle("transaction", *[entry("DELETE", "Patient/1")] * 2), "Bundle.entry[1]"),
        (bundle("batch", *[entry("GET", "Patient/1")] * 1_001), "Bundle.entry"),
    ],
)
def test_a_malformed_bundle_is_refused_with_the_place_of_the_fault(megan, body, expression):
    answer = megan.post(FHIR, json.dumps(body), content_type=JSON)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == [expression]


def test_an_empty_bundle_is_answered_with_an_empty_one(megan):
    answer = post(megan, {"resourceType": "Bundle", "type": "batch"})
    assert (answer.status_code, answer.json()) == (200, {"resourceType": "Bundle", "type": "batch-response"})


def test_a_data_point_of_five_megabytes_is_recorded(megan, peter):
    large = heart_rate(f"Patient/{peter}")
    point = json.loads(base64.b64decode(large["valueAttachment"]["data"]))
    point["body"]["notes"] = "x" * 5_000_000
    large["valueAttachment"]["data"] = base64.b64encode(json.dumps(point).encode()).decode()
    answer = post(megan, bundle("transaction", entry("POST", "Observation", large)))
    assert (answer.status_code, statuses(answer)) == (200, ["201"])
    location = answer.json()["entry"][0]["response"]["location"].split("/_history")[0]
    read = megan.get(f"{FHIR}/{location}").json()
    assert json.loads(base64.b64decode(read["valueAttachment"]["data"]))["body"]["notes"] == point["body"]["notes"]


def test_a_bundle_reads_no_more_than_one_answer_should_hold(megan, peter, monkeypatch):
    monkeypatch.setattr(bundle_one, "MAX_RESOURCES", 3)
    monkeypatch.setattr(bundle_one, "MAX_SEARCHES", 2)
    reads = post(megan, bundle("batch", *[entry("GET", f"Patient/{peter}")] * 4))
    assert statuses(reads) == ["200", "200", "200", "400"]
    assert reads.json()["entry"][3]["response"]["outcome"]["issue"][0]["code"] == "too-costly"
    searches = post(megan, bundle("batch", *[entry("GET", "Patient?family=Nobody")] * 3))
    assert statuses(searches) == ["200", "200", "400"]
