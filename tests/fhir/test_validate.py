"""`$validate`: what would become of a resource (FHIR R5 resource-operation-validate.html)."""

import pytest

from core.models import AuditEvent, Organization
from tests import personas
from tests.bearer import client_of

BASE = "/FHIR/R5"


@pytest.fixture(autouse=True)
def demo_world(db):
    personas.seed_demo_world()


def validate(person, path, sent):
    client = client_of(personas.user_of(person))
    return client.post(f"{BASE}/{path}", sent, content_type="application/fhir+json")


def issues(answer):
    assert answer.status_code == 200, answer.content
    return [(issue["severity"], issue.get("expression")) for issue in answer.json()["issue"]]


def branch(**elements):
    lab = personas.organization_of("Lifespan Lab")
    return {
        "resourceType": "Organization",
        "name": "Branch",
        "type": [{"coding": [{"code": "team"}]}],
        "partOf": {"reference": f"Organization/{lab.pk}"},
        **elements,
    }


FINE = [("success", None)]


def test_a_resource_is_looked_at_alone():
    patient = {"resourceType": "Patient", "gender": "male"}
    assert issues(validate("viewer_victor", "Patient/$validate", patient)) == FINE
    faulty = {"resourceType": "Patient", "name": "Ada", "birthDate": "x"}
    found = issues(validate("viewer_victor", "Patient/$validate", faulty))
    assert sorted(found) == [("error", ["Patient.birthDate"]), ("error", ["Patient.name"])]


def test_an_observation_without_a_data_point_is_found_wanting():
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "steps"}}
    [(severity, [expression])] = issues(validate("viewer_victor", "Observation/$validate", observation))
    assert (severity, expression.split(".")[0]) == ("error", "Observation")


def test_what_would_be_created_is_not():
    before = Organization.objects.count()
    assert issues(validate("manager_mary", "Organization/$validate?mode=create", branch())) == FINE
    assert Organization.objects.count() == before
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.outcome) == ("$validate Organization", "success")


def test_what_would_be_refused_says_why():
    [(severity, _)] = issues(validate("viewer_victor", "Organization/$validate?mode=create", branch()))
    assert severity == "error"


def test_what_would_be_changed_or_deleted_stays():
    lab = personas.organization_of("Lifespan Lab")
    changed = branch(id=str(lab.pk), name="Renamed", partOf={"reference": f"Organization/{lab.part_of_id}"})
    assert issues(validate("manager_mary", f"Organization/{lab.pk}/$validate?mode=update", changed)) == FINE
    [(severity, _)] = issues(validate("manager_mary", f"Organization/{lab.pk}/$validate?mode=delete", {}))
    assert severity == "error"  # it has studies
    assert personas.organization_of("Lifespan Lab").version_id == lab.version_id


def test_the_resource_may_come_in_parameters():
    sent = {
        "resourceType": "Parameters",
        "parameter": [{"name": "mode", "valueCode": "create"}, {"name": "resource", "resource": branch()}],
    }
    assert issues(validate("manager_mary", "Organization/$validate", sent)) == FINE


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("Patient/$validate?mode=profile", {"resourceType": "Patient"}),
        ("Patient/$validate?mode=update", {"resourceType": "Patient"}),
        ("Patient/$validate", {"resourceType": "Parameters", "parameter": {}}),
    ],
)
def test_a_question_that_cannot_be_is_refused(path, sent):
    assert validate("manager_mary", path, sent).status_code == 400


def test_a_type_that_is_not_served_is_not_found():
    assert validate("manager_mary", "Shoe/$validate", {}).status_code == 404
