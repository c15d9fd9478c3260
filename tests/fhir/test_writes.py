"""Create, update, patch and delete over FHIR: who may, who may not, and what is answered."""

import json

import pytest

from core.fhir.resources.patient import PatientType
from core.models import AuditEvent, Patient
from tests import personas
from tests.bearer import client_of
from tests.versions import settle

FHIR = "/FHIR/R5"
JSON = "application/fhir+json"


@pytest.fixture(autouse=True)
def demo_world(db):
    personas.seed_demo_world()


def client(name, **options):
    return client_of(personas.user_of(name), **options)


def new_patient(**elements):
    lab = personas.organization_of("Lifespan Lab").pk
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "https://test.invalid/mrn", "value": "M-1"}],
        "name": [{"use": "official", "family": "Lovell", "given": ["Ada", "May"], "prefix": ["Dr"]}],
        "birthDate": "1980-05-17",
        "gender": "female",
        "managingOrganization": {"reference": f"Organization/{lab}"},
        "maritalStatus": {"text": "married"},
        **elements,
    }


def send(who, method, path, body=None, content_type=JSON, **headers):
    return getattr(who, method)(f"{FHIR}/{path}", body, content_type=content_type, headers=headers)


def test_a_member_creates_a_patient_who_reads_back_as_sent():
    answer = send(client("member_megan"), "post", "Patient", new_patient())
    assert answer.status_code == 201, answer.json()
    created = answer.json()
    assert answer["Location"].endswith(f"/FHIR/R5/Patient/{created['id']}/_history/1")
    assert answer["ETag"] == 'W/"1"'
    read = client("manager_mary").get(f"{FHIR}/Patient/{created['id']}").json()
    assert {name: read[name] for name in new_patient()} == new_patient()


def test_what_a_column_says_later_wins_over_what_was_sent():
    created = send(client("member_megan"), "post", "Patient", new_patient()).json()
    Patient.objects.filter(pk=created["id"]).update(name_family="Byron")
    read = client("member_megan").get(f"{FHIR}/Patient/{created['id']}").json()
    assert read["name"] == [{"family": "Byron", "given": ["Ada May"]}]
    assert read["maritalStatus"] == {"text": "married"}


@pytest.mark.parametrize(("who", "status"), [("viewer_victor", 403), ("manager_mark", 404), ("ll_patient_peter", 404)])
def test_others_create_no_patient_of_the_lab(who, status):
    before = Patient.objects.count()
    assert send(client(who), "post", "Patient", new_patient()).status_code == status
    assert Patient.objects.count() == before


def test_prefer_says_what_comes_back():
    megan = client("member_megan")
    minimal = send(megan, "post", "Patient", new_patient(), Prefer="return=minimal")
    assert (minimal.status_code, minimal.content) == (201, b"")
    assert minimal["ETag"] == 'W/"1"'
    other = new_patient(identifier=[])
    del other["identifier"]
    outcome = send(megan, "post", "Patient", other, Prefer="return=OperationOutcome")
    assert outcome.json()["resourceType"] == "OperationOutcome"


def test_an_update_needs_the_version_it_was_made_for():
    megan = client("member_megan")
    created = send(megan, "post", "Patient", new_patient()).json()
    path = f"Patient/{created['id']}"
    stale = send(megan, "put", path, {**created, "gender": "other"}, **{"If-Match": 'W/"9"'})
    assert (stale.status_code, stale.json()["issue"][0]["code"]) == (412, "conflict")
    fitting = send(megan, "put", path, {**created, "gender": "other"}, **{"If-Match": created_tag(megan, path)})
    assert (fitting.status_code, fitting.json()["gender"]) == (200, "other")


def created_tag(who, path):
    return who.get(f"{FHIR}/{path}")["ETag"]


def test_a_patch_changes_one_element():
    megan = client("member_megan")
    created = send(megan, "post", "Patient", new_patient()).json()
    operations = [{"op": "replace", "path": "/birthDate", "value": "1981-01-02"}]
    patched = send(megan, "patch", f"Patient/{created['id']}", operations, "application/json-patch+json")
    assert (patched.status_code, patched.json()["birthDate"]) == (200, "1981-01-02")
    assert patched.json()["name"] == created["name"]


def test_a_body_of_another_id_is_refused():
    megan = client("member_megan")
    created = send(megan, "post", "Patient", new_patient()).json()
    answer = send(megan, "put", f"Patient/{created['id']}", {**created, "id": "1"})
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, ["Patient.id"])


def test_a_patient_of_whom_nothing_was_recorded_can_be_deleted_and_others_stay():
    megan = client("member_megan")
    created = send(megan, "post", "Patient", new_patient()).json()
    assert megan.delete(f"{FHIR}/Patient/{created['id']}").status_code == 204
    peter = personas.patient_of("ll_patient_peter").pk
    kept = megan.delete(f"{FHIR}/Patient/{peter}")
    assert (kept.status_code, kept.json()["issue"][0]["code"]) == (409, "conflict")


def test_a_token_that_only_reads_writes_nothing():
    reader = client("member_megan", scope="user/*.rs")
    answer = send(reader, "post", "Patient", new_patient())
    assert answer.status_code == 403
    assert "insufficient_scope" in answer["WWW-Authenticate"]


@pytest.mark.parametrize(("method", "path"), [("post", "AuditEvent"), ("post", "Group"), ("post", "Provenance")])
def test_what_is_not_written_here_says_so(method, path):
    body = {"resourceType": path}
    assert send(client("manager_mary"), method, path, body).status_code == 405


def test_a_body_that_is_no_fhir_json_is_refused():
    assert send(client("member_megan"), "post", "Patient", "a=b", "text/plain").status_code == 415
    broken = send(client("member_megan"), "post", "Patient", "{", JSON)
    assert (broken.status_code, broken.json()["resourceType"]) == (400, "OperationOutcome")


def test_each_write_leaves_one_row_in_the_trail():
    megan = client("member_megan")
    before = AuditEvent.objects.count()
    created = send(megan, "post", "Patient", new_patient())
    assert send(megan, "post", "Patient", new_patient(gender="x")).status_code == 400
    rows = AuditEvent.objects.order_by("pk")[before:]
    assert [(row.outcome, row.patient_ids) for row in rows] == [
        ("success", [int(created.json()["id"])]),
        ("refused", []),
    ]


def test_a_manager_gives_changes_and_ends_a_role():
    mary, lab = client("manager_mary"), personas.organization_of("Saturn School of Data Science").pk
    megan = personas.user_of("member_megan").practitioner.pk
    system = mary.get(f"{FHIR}/PractitionerRole").json()["entry"][0]["resource"]["code"][0]["coding"][0]["system"]
    role = {
        "resourceType": "PractitionerRole",
        "practitioner": {"reference": f"Practitioner/{megan}"},
        "organization": {"reference": f"Organization/{lab}"},
        "code": [{"coding": [{"system": system, "code": "viewer"}]}],
    }
    given = send(mary, "post", "PractitionerRole", role)
    assert given.status_code == 201, given.json()
    path = f"PractitionerRole/{given.json()['id']}"
    raised = {**given.json(), "code": [{"coding": [{"system": system, "code": "member"}]}]}
    assert send(mary, "put", path, raised).status_code == 200
    assert send(client("member_megan"), "put", path, raised).status_code == 403
    assert mary.delete(f"{FHIR}/{path}").status_code == 204
    assert mary.get(f"{FHIR}/{path}").status_code == 404


def test_a_member_enrols_and_withdraws_through_the_group():
    megan, study = client("member_megan"), personas.study_of(personas.BP).pk
    created = send(megan, "post", "Patient", new_patient()).json()
    group = megan.get(f"{FHIR}/Group/{study}").json()
    more = {**group, "member": [*group["member"], {"entity": {"reference": f"Patient/{created['id']}"}}]}
    answer = send(megan, "put", f"Group/{study}", more)
    assert answer.status_code == 200, answer.json()
    assert len(answer.json()["member"]) == len(group["member"]) + 1
    assert send(client("viewer_victor"), "put", f"Group/{study}", group).status_code == 403
    assert len(send(megan, "put", f"Group/{study}", group).json()["member"]) == len(group["member"])


def test_a_patient_says_no_over_fhir_and_a_member_cannot_answer_for_a_foreign_study():
    peter = personas.patient_of("ll_patient_peter").pk
    study = personas.study_of(personas.BP_AND_HR).pk
    own = client("ll_patient_peter")
    consent = own.get(f"{FHIR}/Consent/{study}-{peter}").json()
    fewer = {**consent, "provision": consent["provision"][:1]}
    assert send(own, "put", f"Consent/{study}-{peter}", fewer).status_code == 200
    assert len(own.get(f"{FHIR}/Consent/{study}-{peter}").json()["provision"]) == 1
    assert send(client("manager_mark"), "put", f"Consent/{study}-{peter}", consent).status_code == 404
    assert send(client("viewer_victor"), "put", f"Consent/{study}-{peter}", consent).status_code == 403


@pytest.mark.parametrize(
    ("if_match", "status"),
    [('W/"{}"', 200), ('"{}"', 200), ("{}", 200), ("*", 200), ('W/"9"', 412), ('"9"', 412)]
    + [(malformed, 400) for malformed in ("W/{}", 'w/"{}"', '"x"', 'W/"1", W/"2"', '"99999999999999999999999999"')],
)
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_if_match_in_each_spelling(method, if_match, status):
    megan = client("member_megan")
    created = send(megan, "post", "Patient", new_patient()).json()
    body = [] if method == "patch" else {**created, "gender": "other"}
    kind = "application/json-patch+json" if method == "patch" else JSON
    header = {"If-Match": if_match.format(created["meta"]["versionId"])}
    answer = send(megan, method, f"Patient/{created['id']}", body, kind, **header)
    assert answer.status_code == (204 if (method, status) == ("delete", 200) else status)
    assert Patient.objects.filter(pk=created["id"]).exists() == ((method, status) != ("delete", 200))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("post", "Group", {"GET", "HEAD", "PUT", "PATCH"}),
        ("delete", "Group/1", {"GET", "HEAD", "PUT", "PATCH"}),
        ("put", "AuditEvent/1", {"GET", "HEAD"}),
        ("post", "Patient/1", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
        ("get", "", {"POST"}),
    ],
)
def test_what_is_not_allowed_is_answered_with_what_is(method, path, allowed):
    answer = send(client("manager_mary"), method, path, {} if method == "get" else {"resourceType": path.split("/")[0]})
    assert answer.status_code == 405
    assert set(answer["Allow"].split(", ")) == allowed


def test_a_device_without_a_name_is_called_by_what_else_it_says():
    admin = client("admin")
    for elements, name in (
        ({"manufacturer": "Acme", "modelNumber": "M1"}, "Acme M1"),
        ({"type": [{"coding": [{"system": "urn:x", "code": "1", "display": "Thermometer"}]}]}, "Thermometer"),
        ({"identifier": [{"value": "12345"}]}, "12345"),
    ):
        answer = send(admin, "post", "Device", {"resourceType": "Device", **elements})
        assert (answer.status_code, answer.json()["displayName"]) == (201, name)
    assert send(admin, "post", "Device", {"resourceType": "Device"}).status_code == 422


def test_a_patient_changes_organizations_by_no_update():
    megan = client("member_megan")
    created = send(megan, "post", "Patient", new_patient()).json()
    other = {"reference": f"Organization/{personas.organization_of('Cosmic Cardio Lab').pk}"}
    answer = send(megan, "put", f"Patient/{created['id']}", {**created, "managingOrganization": other})
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Patient.managingOrganization"])


def test_a_group_counts_its_members_itself():
    megan, study = client("member_megan"), personas.study_of(personas.BP).pk
    group = megan.get(f"{FHIR}/Group/{study}").json()
    answer = send(megan, "put", f"Group/{study}", {**group, "quantity": 99})
    assert (answer.status_code, answer.json()["quantity"]) == (200, len(group["member"]))


@pytest.mark.parametrize("number", ["1e30", "18446744073709551616", "-1e300"])
def test_a_number_that_could_not_be_read_again_is_refused(number):
    megan = client("member_megan")
    body = json.dumps(new_patient(extension=[{"url": "https://test.invalid/a", "valueDecimal": 0.5}]))
    answer = send(megan, "post", "Patient", body.replace("0.5", number))
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Patient.extension"])
    assert send(megan, "post", "Patient", body.replace("0.5", "9007199254740993")).status_code == 201


def test_what_was_deleted_is_gone_for_who_may_know_of_it_and_was_never_there_for_others():
    megan = client("member_megan")
    created = send(megan, "post", "Patient", new_patient()).json()
    path = f"{FHIR}/Patient/{created['id']}"
    settle()
    Patient.objects.filter(pk=created["id"]).delete()
    answers = {who: client(who).get(path) for who in ("admin", "manager_mark", "ll_patient_peter")}
    assert [answer.status_code for answer in answers.values()] == [410, 404, 404]
    never = client("manager_mark").get(f"{FHIR}/Patient/{int(created['id']) + 1}")
    as_if = answers["manager_mark"].content.replace(created["id"].encode(), str(int(created["id"]) + 1).encode())
    assert as_if == never.content


def test_what_the_databases_own_rules_are_against_is_a_refusal():
    """A study moves only to an organization that all of its patients belong to."""
    mary, study = client("manager_mary"), personas.study_of(personas.BP).pk
    elsewhere = {"reference": f"Organization/{personas.organization_of('Saturn School of Data Science').pk}"}
    resource = mary.get(f"{FHIR}/ResearchStudy/{study}").json()
    moved = {
        **resource,
        "site": [elsewhere],
        "associatedParty": [{**resource["associatedParty"][0], "party": elsewhere}],
    }
    answer = send(mary, "put", f"ResearchStudy/{study}", moved)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (409, "conflict")
    assert mary.get(f"{FHIR}/ResearchStudy/{study}").json() == resource


def test_a_fault_of_ours_leaves_a_row_of_its_own(monkeypatch):
    peter = personas.patient_of("ll_patient_peter").pk
    mary, before = client("manager_mary"), AuditEvent.objects.count()
    monkeypatch.setattr(PatientType, "patient_ids", lambda *_: 1 / 0)
    assert mary.get(f"{FHIR}/Patient/{peter}").status_code == 500
    [row] = AuditEvent.objects.order_by("pk")[before:]
    assert (row.outcome, row.action) == ("failed", "read Patient")
