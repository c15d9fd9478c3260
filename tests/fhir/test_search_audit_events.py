"""Who finds which AuditEvents, and that a search finds no more of one than reading it shows."""

import pytest

from core.actions.audit import record_access
from core.seed import demo_world
from tests import personas
from tests.bearer import client_of

BASE = "/FHIR/R5"


@pytest.fixture(autouse=True)
def world(db):
    personas.seed_demo_world()


@pytest.fixture
def event():
    """The admin looked at Paul, of Cosmic, and at Peter, of Lifespan, at once."""
    return record_access(
        door="fhir",
        action="read Group",
        outcome="success",
        user_id=personas.user_of("admin").pk,
        patient_ids=[personas.patient_of(name).pk for name in ("ccl_patient_paul", "ll_patient_peter")],
        study_id=personas.study_of(personas.O2).pk,
    )


def found(person, query, mode="match"):
    answer = client_of(personas.user_of(person)).get(f"{BASE}/AuditEvent?code=read&{query}")
    assert answer.status_code == 200, answer.content
    return [entry["resource"] for entry in answer.json()["entry"] if entry["search"]["mode"] == mode]


def patient(name):
    return f"Patient/{personas.patient_of(name).pk}"


@pytest.mark.parametrize(
    ("person", "sees", "shown"),
    [
        ("admin", True, {"ccl_patient_paul", "ll_patient_peter"}),
        ("three_org_tom", True, {"ccl_patient_paul"}),  # a manager of Cosmic, and but a viewer of Lifespan
        ("manager_mary", True, {"ll_patient_peter"}),
        ("ccl_patient_paul", True, {"ccl_patient_paul"}),
        ("ll_patient_peter", True, {"ll_patient_peter"}),
        ("ll_patient_pamela", False, set()),
        ("viewer_victor", False, set()),
        ("member_megan", False, set()),
    ],
)
def test_each_finds_the_events_of_those_they_watch_over_and_no_other_patient_in_them(event, person, sees, shown):
    everybody = ("ccl_patient_paul", "ll_patient_peter", "ll_patient_pamela")
    events = {resource["id"]: resource for resource in found(person, "")}
    assert (str(event) in events) is sees
    if sees:
        entities = {entity["what"]["reference"] for entity in events[str(event)]["entity"]}
        assert {name for name in everybody if patient(name) in entities} == shown
    for name in everybody:
        for query in (f"patient={patient(name)}", f"entity={patient(name)}", f"patient._id={patient(name)[8:]}"):
            assert (str(event) in [resource["id"] for resource in found(person, query)]) is (name in shown), query


def test_the_patients_that_come_along_are_those_that_the_event_shows(event):
    included = found("three_org_tom", "_include=AuditEvent:patient", mode="include")
    assert [resource["id"] for resource in included] == [patient("ccl_patient_paul")[8:]]


def test_patients_are_found_by_events_only_as_the_events_show_them(event):
    query = f"_has:AuditEvent:patient:_id={event}"
    client = client_of(personas.user_of("three_org_tom"))
    ids = [entry["resource"]["id"] for entry in client.get(f"{BASE}/Patient?{query}").json()["entry"]]
    assert ids == [patient("ccl_patient_paul")[8:]]


def test_a_patient_learns_who_looked_and_not_from_where(event):
    client_of(personas.user_of("viewer_victor")).get(f"{BASE}/{patient('ll_patient_peter')}")
    [latest] = found("ll_patient_peter", f"patient={patient('ll_patient_peter')}&_count=1")
    assert latest["agent"][0]["who"]["display"] == "Victor Vance"
    assert "networkString" not in latest["agent"][0]
    assert demo_world.LIFESPAN not in str(latest)


def test_what_was_refused_is_found_by_its_outcome():
    client_of(personas.user_of("viewer_victor")).get(f"{BASE}/Patient/1")
    [event] = found("viewer_victor", "outcome=4")
    assert event["outcome"]["code"]["display"] == "Minor failure"
