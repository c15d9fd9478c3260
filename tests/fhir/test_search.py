"""FHIR R5 search: `GET [base]/[type]?…` and `POST [base]/[type]/_search`."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.fhir.registry import TYPES
from core.models import AuditEvent
from tests import factories, personas
from tests.bearer import client_of

BASE = "/FHIR/R5"


@pytest.fixture(autouse=True)
def demo_world(db):
    personas.seed_demo_world()


def search(person, path, query=None, **headers):
    return client_of(personas.user_of(person)).get(f"{BASE}/{path}", query or {}, headers=headers)


def ids(answer, mode="match"):
    assert answer.status_code == 200, answer.content
    return [entry["resource"]["id"] for entry in answer.json()["entry"] if entry["search"]["mode"] == mode]


def links(answer):
    return {link["relation"]: link["url"] for link in answer.json()["link"]}


def test_a_searchset_has_links_a_total_that_costs_nothing_and_entries_with_urls():
    peter = personas.patient_of("ll_patient_peter")
    bundle = search("viewer_victor", "Patient", {"family": "larsen"}).json()
    assert (bundle["resourceType"], bundle["type"], bundle["total"]) == ("Bundle", "searchset", 1)
    assert bundle["link"][0] == {"relation": "self", "url": "http://localhost:8000/FHIR/R5/Patient?family=larsen"}
    [entry] = bundle["entry"]
    assert entry["fullUrl"] == f"http://localhost:8000/FHIR/R5/Patient/{peter.pk}"
    assert entry["search"] == {"mode": "match"}


def test_an_empty_searchset_has_no_empty_array_for_who_asks_for_fhir():
    query = {"family": "nobody"}
    assert search("viewer_victor", "Patient", query).json()["entry"] == []
    strict = search("viewer_victor", "Patient", query, Accept="application/fhir+json").json()
    assert "entry" not in strict
    assert strict["total"] == 0


@pytest.mark.parametrize("type_name", TYPES)
def test_everybody_finds_what_is_visible_to_them_and_nothing_else(type_name):
    for person in ("manager_mary", "three_org_tom", "ll_patient_peter"):
        principal = personas.principal_of(personas.user_of(person))
        type_ = TYPES[type_name]
        expected = {type_.id_of(row) for row in type_.visible_to(principal)}
        assert set(ids(search(person, type_name, {"_count": 1000}))) == expected


@pytest.mark.parametrize("type_name", TYPES)
def test_a_form_finds_what_the_query_finds(type_name):
    client = client_of(personas.user_of("manager_mary"))
    form = "application/x-www-form-urlencoded"
    by_form = client.post(f"{BASE}/{type_name}/_search?_count=7", "_sort=_id", content_type=form)
    assert ids(by_form) == ids(client.get(f"{BASE}/{type_name}?_count=7&_sort=_id"))


def test_a_search_form_that_is_json_is_refused():
    client = client_of(personas.user_of("manager_mary"))
    answer = client.post(f"{BASE}/Patient/_search", {"name": "x"}, content_type="application/json")
    assert (answer.status_code, answer.json()["resourceType"]) == (415, "OperationOutcome")


@pytest.mark.parametrize("type_name", TYPES)
def test_a_page_takes_as_many_queries_for_twenty_rows_as_for_two(type_name):
    lab = personas.organization_of("Lifespan Lab")
    study = personas.study_of(personas.BP_AND_HR)
    for _ in range(20):
        patient = factories.PatientFactory(organizations=[lab])
        factories.PatientIdentifierFactory(patient=patient)
        code = study.scopes.first()
        factories.ConsentFactory(study=study, patient=patient, code=code)
        factories.MembershipFactory(organization=lab)
        factories.StudyFactory(organization=lab, scopes=[code])
        factories.DataSourceFactory()
        child = factories.OrganizationFactory(part_of=lab)
        factories.MembershipFactory(organization=child, practitioner=personas.user_of("manager_mary").practitioner)
    client = client_of(personas.user_of("manager_mary"))
    for id_ in personas.study_of(personas.BP).patients.values_list("pk", flat=True):
        for _ in range(20):
            client.get(f"{BASE}/Patient/{id_}")
    counts = []
    for count in (2, 20):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(f"{BASE}/{type_name}?_count={count}")
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_audit_row_of_a_search_names_the_patients_of_its_page():
    study = personas.study_of(personas.BP_AND_HR)
    members = ids(search("viewer_victor", "Patient", {"_has:Group:member:_id": str(study.pk)}))
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.outcome) == ("search-type Patient", "success")
    assert event.patient_ids == [int(id_) for id_ in members]
    assert (event.study_id, event.detail) == (study.pk, {"parameters": ["_has:Group:member:_id"]})


def test_a_search_of_a_type_that_is_not_served_is_not_found():
    assert search("admin", "Medication").status_code == 404


def test_a_token_without_the_scope_finds_nothing():
    client = client_of(personas.user_of("viewer_victor"), scope="user/Patient.r")
    assert client.get(f"{BASE}/Patient").status_code == 403


# Unknown and malformed


def test_an_unknown_parameter_is_ignored_and_named():
    answer = search("viewer_victor", "Patient", {"family": "larsen", "shoe-size": "43"})
    assert len(ids(answer)) == 1
    [outcome] = [e["resource"] for e in answer.json()["entry"] if e["search"]["mode"] == "outcome"]
    assert "shoe-size" in outcome["issue"][0]["diagnostics"]
    assert outcome["id"]
    assert links(answer)["self"].endswith("Patient?family=larsen")


@pytest.mark.parametrize("name", ["shoe-size", "name.family", "organization.shoe", "_has:Group:x:_id", "_has:X:y:z"])
def test_an_unknown_parameter_is_refused_under_strict_handling(name):
    answer = search("viewer_victor", "Patient", {name: "43"}, Prefer="handling=strict")
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, [name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("birthdate", "yesterday"),
        ("birthdate", "xx2026"),
        ("birthdate", "2026-02-30"),
        ("birthdate", "2026-13"),
        ("_lastUpdated", "ge2026-09-01T25:00"),
        ("_count", "many"),
        ("_count", "-1"),
        ("_total", "yes"),
        ("_summary", "short"),
        ("_page", "2"),
        ("_page", "gAAAAAB"),
        ("gender:missing", "maybe"),
        ("gender:above", "male"),
        ("gender:in", "http://test.invalid/ValueSet/x"),
        ("identifier", "|"),
        ("_include", "Patient:shoes"),
        ("_include", "Shoe:patient"),
        ("_include:once", "Patient:organization"),
    ],
)
def test_a_malformed_value_is_refused_with_the_name_of_its_parameter(name, value):
    answer = search("viewer_victor", "Patient", {name: value})
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == [name.split(":")[0] if name.startswith("_p") else name]


def test_a_parameter_without_a_value_is_ignored():
    assert len(ids(search("viewer_victor", "Patient", {"family": ""}))) == 2


def test_too_many_values_are_refused():
    answer = search("viewer_victor", "Patient", {"name": ",".join("ab" * 501)})
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (400, "too-costly")


def test_too_many_parameters_are_refused():
    assert client_of(personas.user_of("viewer_victor")).get(f"{BASE}/Patient?{'name=a&' * 101}").status_code == 400


# What comes back


@pytest.mark.parametrize(("pretty", "lines"), [("true", True), ("false", False)])
def test_an_answer_can_be_laid_out_for_people(pretty, lines):
    assert (b"\n" in search("viewer_victor", "Patient", {"_pretty": pretty}).content) is lines


def test_a_count_alone_has_no_entries():
    for query in ({"_summary": "count"}, {"_count": "0"}):
        bundle = search("viewer_victor", "Patient", query).json()
        assert (bundle["total"], bundle["entry"]) == (2, [])


@pytest.mark.parametrize(("total", "said"), [("none", False), ("accurate", True), ("estimate", True)])
def test_a_total_is_counted_where_it_was_asked_for(total, said):
    bundle = search("viewer_victor", "Patient", {"_count": 1, "_total": total}).json()
    assert bundle.get("total") == (2 if said else None)


def test_elements_leave_the_mandatory_ones_and_say_that_they_are_a_part():
    [entry] = search("viewer_victor", "Group", {"_elements": "name", "_count": 1}).json()["entry"]
    assert set(entry["resource"]) == {"resourceType", "id", "meta", "name", "type", "membership"}
    assert entry["resource"]["meta"]["tag"][0]["code"] == "SUBSETTED"


@pytest.mark.parametrize("spelling", ["Group.name", "name.part", " name , quantity.x"])
def test_elements_can_be_spelled_with_their_type_or_their_parts(spelling):
    [entry] = search("viewer_victor", "Group", {"_elements": spelling, "_count": 1}).json()["entry"]
    assert "name" in entry["resource"]
    assert "description" not in entry["resource"]


def test_a_summary_leaves_out_the_members_of_a_group():
    [entry] = search("viewer_victor", "Group", {"_summary": "true", "_count": 1}).json()["entry"]
    assert "member" not in entry["resource"]
    assert "quantity" in entry["resource"]


@pytest.mark.parametrize(("summary", "has_name"), [("false", True), ("data", True), ("text", False)])
def test_other_summaries(summary, has_name):
    [entry] = search("viewer_victor", "Group", {"_summary": summary, "_count": 1}).json()["entry"]
    assert ("name" in entry["resource"]) is has_name
