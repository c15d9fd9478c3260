"""`$import`: NDJSON that is sent along becomes patients and observations; what is refused is told by its line."""

import base64
import json
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from core.actions import bulk
from core.fhir.bulk import importing, tasks
from core.models import AuditEvent, BulkFile, BulkJob, Observation, Patient, StudyPatientScopeConsent
from tests.bearer import client_of
from tests.bulk import ASYNC, lines, work
from tests.factories import CodeFactory, ConsentFactory, MembershipFactory, PatientFactory, StudyFactory

SYSTEM = "https://test.invalid/import"


@pytest.fixture
def world(db):
    """A study with a member who may send, and a patient who shares glucose with it."""
    glucose = CodeFactory(coding_code="omh:blood-glucose:4.0")
    study = StudyFactory(scopes=[glucose])
    patient = PatientFactory(organizations=[study.organization])
    ConsentFactory(study=study, patient=patient, code=glucose)
    member = MembershipFactory(organization=study.organization, role="member").practitioner.user
    return SimpleNamespace(study=study, patient=patient, member=member, client=client_of(member))


def reading(patient, number, value=120):
    point = {
        "header": {
            "uuid": f"aaaa1234-1a2b-3c4d-8e6f-{number:012}",
            "schema_id": {"namespace": "omh", "name": "blood-glucose", "version": "4.0"},
            "source_creation_date_time": "2026-03-01T08:30:00-08:00",
        },
        "body": {
            "blood_glucose": {"value": value, "unit": "mg/dL"},
            "effective_time_frame": {"date_time": "2026-03-01T08:30:00-08:00"},
        },
    }
    return {
        "resourceType": "Observation",
        "status": "final",
        "identifier": [{"system": SYSTEM, "value": f"reading-{number}"}],
        "code": {"coding": [{"system": "https://w3id.org/openmhealth", "code": "omh:blood-glucose:4.0"}]},
        "subject": {"reference": f"Patient/{patient.pk}"},
        "valueAttachment": {
            "contentType": "application/json",
            "data": base64.b64encode(json.dumps(point).encode()).decode(),
        },
    }


def person(world, number):
    return {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": f"a|b,c${number}"}],
        "name": [{"family": f"Family{number}", "given": ["Given"]}],
        "birthDate": "1990-01-31",
        "managingOrganization": {"reference": f"Organization/{world.study.organization_id}"},
    }


def ndjson(*resources):
    return b"".join(
        resource if isinstance(resource, bytes) else json.dumps(resource).encode() + b"\n" for resource in resources
    )


def send(client, *resources, content_type="application/fhir+ndjson", headers=ASYNC):
    return client.post("/FHIR/R5/$import", ndjson(*resources), content_type=content_type, headers=headers)


def imported(client, *resources):
    """(the manifest's outcome, the refusals) of a whole import."""
    answer = send(client, *resources)
    assert answer.status_code == 202, answer.content
    work()
    manifest = client.get(urlsplit(answer["Content-Location"]).path).json()
    refusals = [line for file in manifest["error"] for line in lines(client.get(urlsplit(file["url"]).path))]
    return manifest["outcome"], refusals


def test_a_member_imports_patients_and_observations(world):
    outcome, refusals = imported(
        world.client, person(world, 1), *(reading(world.patient, number) for number in range(3)), person(world, 2)
    )
    assert outcome == {"recorded": 5, "known": 0, "refused": 0}
    assert refusals == []
    assert Observation.objects.filter(patient=world.patient).count() == 3
    assert set(
        Patient.objects.filter(organizations=world.study.organization).values_list("name_family", flat=True)
    ) == {
        "Family1",
        "Family2",
        world.patient.name_family,
    }


def test_what_is_sent_again_is_known_and_not_recorded_again(world):
    resources = [person(world, 1), reading(world.patient, 1)]
    imported(world.client, *resources)
    outcome, _ = imported(world.client, *resources, *resources)
    assert outcome == {"recorded": 0, "known": 4, "refused": 0}
    assert (Patient.objects.count(), Observation.objects.count()) == (2, 1)


def test_each_refused_line_is_told_by_its_number_and_its_place_and_the_others_are_recorded(world):
    stranger = PatientFactory()
    unsure = reading(world.patient, 3) | {"status": "surely"}
    outcome, refusals = imported(
        world.client,
        reading(world.patient, 1),
        b"{not json\n",
        b"\n",
        {"resourceType": "Medication"},
        b"[1]\n",
        reading(stranger, 2),
        unsure,
        person(world, 1) | {"birthDate": "31.01.1990"},
        reading(world.patient, 4, value="high"),
        b'{"resourceType": "Patient", "id": "\\u0000"}\n',
    )
    assert outcome == {"recorded": 1, "known": 0, "refused": 8}
    told = {
        issue["diagnostics"].partition(":")[0]: issue.get("expression", [""])[0]
        for refusal in refusals
        for issue in refusal["issue"]
    }
    assert told == {
        "Line 2": "",
        "Line 4": "",
        "Line 5": "",
        "Line 6": "Observation.subject",
        "Line 7": "Observation.status",
        "Line 8": "Patient.birthDate",
        "Line 9": "Observation.valueAttachment",
        "Line 10": "",
    }
    assert "Bundle" not in json.dumps(refusals)


def test_lines_are_counted_through_all_batches(world, monkeypatch):
    monkeypatch.setattr(importing, "LINES", 2)
    resources = [reading(world.patient, number) for number in range(4)]
    outcome, refusals = imported(world.client, *resources, b"nothing\n", *resources)
    assert outcome == {"recorded": 4, "known": 4, "refused": 1}
    assert refusals[0]["issue"][0]["diagnostics"].startswith("Line 5:")


def test_what_was_consented_to_when_it_was_sent_and_is_not_any_more_is_refused(world):
    answer = send(world.client, reading(world.patient, 1))
    StudyPatientScopeConsent.objects.update(consented=False)
    work()
    outcome = world.client.get(urlsplit(answer["Content-Location"]).path).json()["outcome"]
    assert outcome == {"recorded": 0, "known": 0, "refused": 1}


def test_a_viewer_imports_nothing(world):
    viewer = client_of(MembershipFactory(organization=world.study.organization).practitioner.user)
    outcome, _ = imported(viewer, reading(world.patient, 1), person(world, 1))
    assert outcome == {"recorded": 0, "known": 0, "refused": 2}
    assert not Observation.objects.exists()


def test_a_token_imports_the_types_it_was_given_for_alone(world):
    narrow = client_of(world.member, scope="user/Patient.crus")
    outcome, refusals = imported(narrow, person(world, 1), reading(world.patient, 1))
    assert outcome == {"recorded": 1, "known": 0, "refused": 1}
    assert refusals[0]["issue"][0]["diagnostics"].startswith("Line 2:")
    assert send(client_of(world.member, scope="user/*.rs"), person(world, 2)).status_code == 403


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (400, {"headers": {}}),
        (415, {"content_type": "application/fhir+json"}),
        (415, {"content_type": "text/csv"}),
    ],
)
def test_an_import_that_is_not_asked_for_as_it_must_be_is_refused(world, status, changes):
    answer = send(world.client, person(world, 1), **changes)
    assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")
    assert not BulkJob.objects.exists()


@pytest.mark.parametrize("body", [b"", b"\n \n"])
def test_an_empty_body_is_refused(world, body):
    answer = send(world.client, body)
    assert answer.status_code == 400
    assert "empty" in answer.json()["issue"][0]["diagnostics"]


def test_an_import_that_stops_on_the_way_goes_on_after_its_last_batch(world, monkeypatch):
    monkeypatch.setattr(importing, "LINES", 2)
    monkeypatch.setattr(tasks, "SECONDS_AT_A_TIME", 0)
    answer = send(world.client, *(reading(world.patient, number) for number in range(5)))
    status = urlsplit(answer["Content-Location"]).path
    work(tasks=1)
    assert Observation.objects.count() == 2
    assert world.client.get(status)["X-Progress"] == "2 of 5 lines"
    work()
    assert world.client.get(status).json()["outcome"] == {"recorded": 5, "known": 0, "refused": 0}
    assert Observation.objects.count() == 5


def test_a_batch_that_fails_leaves_nothing_half_recorded(world, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError

    answer = send(world.client, person(world, 1), reading(world.patient, 1))
    with monkeypatch.context() as broken:
        broken.setattr(importing, "moved", fail)
        work()
    assert (Patient.objects.count(), Observation.objects.count()) == (1, 0)
    tasks.reconcile()
    work()
    assert world.client.get(urlsplit(answer["Content-Location"]).path).json()["outcome"]["recorded"] == 2


def test_an_import_that_is_given_up_imports_no_more_and_keeps_nothing_of_what_was_sent(world):
    answer = send(world.client, reading(world.patient, 1))
    assert world.client.delete(urlsplit(answer["Content-Location"]).path).status_code == 202
    work()
    assert not Observation.objects.exists()
    assert not BulkFile.objects.exists()


def test_what_was_sent_is_not_kept_once_it_is_imported(world):
    imported(world.client, reading(world.patient, 1))
    assert not BulkFile.objects.exists()


def test_a_person_has_so_many_imports_under_way_at_most(world, monkeypatch):
    monkeypatch.setitem(bulk.MOST_UNFINISHED, BulkJob.Kind.IMPORT, 1)
    assert send(world.client, person(world, 1)).status_code == 202
    assert send(world.client, person(world, 2)).status_code == 429


def test_an_import_is_in_the_audit_trail_with_whose_data_it_brought(world):
    imported(world.client, reading(world.patient, 1))
    trail = AuditEvent.objects.filter(user_id=world.member.pk, patient_ids=[world.patient.pk])
    assert trail.filter(action="create Observation", outcome="success").count() == 1
    assert AuditEvent.objects.filter(action__in=["start_import", "finish_import"], outcome="success").count() == 2
