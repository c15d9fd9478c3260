"""`$export`: what comes out for whom, what is refused, and what is withheld when a right ends meanwhile."""

import gzip
import json
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from core.actions import bulk
from core.actions.consents import record_consents
from core.actions.enrolment import withdraw_from_study
from core.actions.narrowings import narrow
from core.fhir.bulk import contents, tasks
from core.models import AuditEvent, BulkFile, BulkJob, Observation, PractitionerOrganization
from tests.bearer import client_of
from tests.bulk import ASYNC, exported, fetched, kick_off, lines, work
from tests.factories import (
    CodeFactory,
    ConsentFactory,
    MembershipFactory,
    ObservationFactory,
    PatientFactory,
    StudyFactory,
    UserFactory,
)

PATIENT, GROUP = "Patient/$export", "Group/{}/$export"


@pytest.fixture
def world(db):
    """A study with a viewer, two patients who share heart rates with it, one who does not, and three readings each."""
    heart_rate = CodeFactory(coding_code="omh:heart-rate:2.0")
    study = StudyFactory(scopes=[heart_rate])
    sharing = [PatientFactory(organizations=[study.organization], user=UserFactory()) for _ in range(2)]
    silent = PatientFactory(organizations=[study.organization])
    for patient in sharing:
        ConsentFactory(study=study, patient=patient, code=heart_rate)
    for patient in (*sharing, silent):
        ObservationFactory.create_batch(3, patient=patient, code=heart_rate)
    viewer = MembershipFactory(organization=study.organization).practitioner.user
    return SimpleNamespace(
        study=study, code=heart_rate, sharing=sharing, silent=silent, viewer=viewer, client=client_of(viewer)
    )


def ids(resources):
    return {int(resource["id"]) for resource in resources}


def readings_of(*patients):
    return set(Observation.objects.filter(patient__in=patients).values_list("pk", flat=True))


def file_path(client, status):
    """The path of the one file of observations."""
    [path] = [
        urlsplit(file["url"]).path for file in client.get(status).json()["output"] if file["type"] == "Observation"
    ]
    return path


def test_a_viewer_exports_the_patients_they_see_and_what_these_share(world):
    found = exported(world.client, PATIENT)
    assert ids(found["Patient"]) == {patient.pk for patient in (*world.sharing, world.silent)}
    assert ids(found["Observation"]) == readings_of(*world.sharing)
    assert {resource["id"] for resource in found["Consent"]} == {f"{world.study.pk}-{p.pk}" for p in world.sharing}


def test_a_narrowed_tokens_export_holds_what_the_token_leaves_and_its_manifest_counts_no_more(world):
    other = StudyFactory(organization=world.study.organization)
    narrowed = client_of(world.viewer, narrowing=narrow(world.viewer, studies=[other.pk]))
    status = kick_off(narrowed, PATIENT)
    work()
    assert [file["type"] for file in narrowed.get(status).json()["output"]] == []
    assert exported(client_of(world.viewer, narrowing=narrow(world.viewer, studies=[world.study.pk])), PATIENT)


def test_a_narrowed_token_knows_nothing_of_the_persons_other_exports(world):
    status = kick_off(world.client, PATIENT)
    work()
    narrowed = client_of(world.viewer, narrowing=narrow(world.viewer, studies=[world.study.pk]))
    assert narrowed.get(status).status_code == narrowed.delete(status).status_code == 404
    assert world.client.get(status).status_code == 200


def test_a_narrowed_client_finds_its_export_with_its_next_token_and_no_other_narrowing_does(world):
    other = StudyFactory(organization=world.study.organization)

    def narrowed(study):
        return client_of(world.viewer, narrowing=narrow(world.viewer, studies=[study.pk]))

    status = kick_off(narrowed(world.study), PATIENT)
    work()
    assert narrowed(world.study).get(status).status_code == 200
    assert narrowed(other).get(status).status_code == narrowed(other).delete(status).status_code == 404


def test_an_exported_resource_reads_as_it_does_alone(world):
    found = exported(world.client, PATIENT, {"_type": "Patient"})
    [patient] = [resource for resource in found["Patient"] if resource["id"] == str(world.silent.pk)]
    assert patient == world.client.get(f"/FHIR/R5/Patient/{world.silent.pk}").json()


def test_a_patient_exports_what_is_theirs(world):
    patient = world.sharing[0]
    found = exported(client_of(patient.user), PATIENT)
    assert ids(found["Patient"]) == {patient.pk}
    assert ids(found["Observation"]) == readings_of(patient)


def test_a_groups_export_holds_what_was_shared_with_that_study_alone(world):
    other = StudyFactory(organization=world.study.organization)
    weight = CodeFactory()
    ConsentFactory(study=other, patient=world.sharing[0], code=weight)
    ObservationFactory(patient=world.sharing[0], code=weight)
    found = exported(world.client, GROUP.format(world.study.pk))
    assert ids(found["Patient"]) == {patient.pk for patient in world.sharing}
    assert ids(found["Observation"]) == readings_of(*world.sharing) - {Observation.objects.latest("pk").pk}
    assert {type_name: ids(found[type_name]) for type_name in ("Group", "ResearchStudy", "Organization")} == {
        "Group": {world.study.pk},
        "ResearchStudy": {world.study.pk},
        "Organization": {world.study.organization_id},
    }


def test_a_superuser_exports_every_patient_and_only_what_consent_lets_them_read(world):
    found = exported(client_of(UserFactory(is_superuser=True)), "$export")
    assert ids(found["Patient"]) == {patient.pk for patient in (*world.sharing, world.silent)}
    assert ids(found["Observation"]) == readings_of(*world.sharing)
    assert ids(found["Organization"]) == {world.study.organization_id}


def test_a_manager_does_not_export_the_whole_exchange(world):
    manager = MembershipFactory(organization=world.study.organization, role="manager").practitioner.user
    answer = client_of(manager).get("/FHIR/R5/$export", headers=ASYNC)
    assert answer.status_code == 403
    assert "Patient/$export" in answer.json()["issue"][0]["diagnostics"]
    assert not BulkJob.objects.exists()


def test_a_foreign_study_and_a_missing_one_are_refused_alike(world):
    foreign = StudyFactory()
    answers = [world.client.get(f"/FHIR/R5/Group/{id_}/$export", headers=ASYNC) for id_ in (foreign.pk, 39999)]
    assert [answer.status_code for answer in answers] == [404, 404]
    sentences = [answer.json()["issue"][0]["diagnostics"] for answer in answers]
    assert sentences[0].replace(str(foreign.pk), "39999") == sentences[1]


def test_a_kick_off_is_posted_as_parameters_too(world):
    parameters = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "_type", "valueString": "Patient"},
            {"name": "_type", "valueString": "Consent"},
            {"name": "_outputFormat", "valueString": "ndjson"},
        ],
    }
    answer = world.client.post(f"/FHIR/R5/{PATIENT}", parameters, content_type="application/fhir+json", headers=ASYNC)
    assert answer.status_code == 202
    work()
    found = fetched(world.client, world.client.get(urlsplit(answer["Content-Location"]).path))
    assert set(found) == {"Patient", "Consent"}


def test_since_leaves_out_what_has_not_changed(world):
    since = timezone.now()
    newer = ObservationFactory(patient=world.sharing[0], code=world.code)
    found = exported(world.client, PATIENT, {"_since": since.isoformat()})
    assert {type_name: ids(resources) for type_name, resources in found.items()} == {"Observation": {newer.pk}}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"_outputFormat": "application/fhir+xml"}, "_outputFormat"),
        ({"_type": "Medication"}, "Medication"),
        ({"_type": "Organization"}, "Organization"),
        ({"_since": "yesterday"}, "_since"),
        ({"_since": "2026-11-01T00:00:00"}, "_since"),
        ({"_typeFilter": "Observation?code=x"}, "_typeFilter"),
        ({"_elements": "id"}, "_elements"),
        ({"surprise": "1"}, "surprise"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(world, query, named):
    answer = world.client.get(f"/FHIR/R5/{PATIENT}", query, headers=ASYNC)
    assert answer.status_code == 400
    assert named in answer.json()["issue"][0]["diagnostics"]
    assert not BulkJob.objects.exists()


@pytest.mark.parametrize(
    "parameters",
    [
        [],
        {"resourceType": "Bundle"},
        {"resourceType": "Parameters", "parameter": [{"valueString": "x"}]},
        {"resourceType": "Parameters", "parameter": "x"},
    ],
)
def test_malformed_parameters_are_refused(world, parameters):
    answer = world.client.post(f"/FHIR/R5/{PATIENT}", parameters, content_type="application/fhir+json", headers=ASYNC)
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_a_lenient_client_learns_what_was_not_heeded(world):
    answer = world.client.get(
        f"/FHIR/R5/{PATIENT}", {"_elements": "id"}, headers={"Prefer": "respond-async, handling=lenient"}
    )
    assert answer.status_code == 202
    work()
    [error] = world.client.get(urlsplit(answer["Content-Location"]).path).json()["error"]
    [outcome] = lines(world.client.get(urlsplit(error["url"]).path))
    assert (error["type"], outcome["resourceType"]) == ("OperationOutcome", "OperationOutcome")
    assert "_elements" in outcome["issue"][0]["diagnostics"]


def test_an_export_that_is_not_asked_for_asynchronously_is_refused(world):
    answer = world.client.get(f"/FHIR/R5/{PATIENT}")
    assert answer.status_code == 400
    assert "respond-async" in answer.json()["issue"][0]["diagnostics"]


def test_the_status_tells_how_far_it_is_and_then_what_came_of_it(world):
    status = kick_off(world.client, PATIENT, {"_type": "Patient"})
    waiting = world.client.get(status)
    assert (waiting.status_code, waiting["X-Progress"]) == (202, "in the queue")
    assert int(waiting["Retry-After"]) > 0
    work()
    answer = world.client.get(status)
    manifest = answer.json()
    assert answer["Content-Type"] == "application/json"
    assert "Expires" in answer
    assert manifest["request"].endswith("/FHIR/R5/Patient/$export?_type=Patient")
    assert manifest["requiresAccessToken"] is True
    assert (manifest["deleted"], manifest["error"]) == ([], [])
    assert [(file["type"], file["count"]) for file in manifest["output"]] == [("Patient", 3)]
    assert BulkJob.objects.get().created <= timezone.now()
    assert manifest["transactionTime"] <= timezone.now().isoformat()


def test_only_who_asked_for_an_export_knows_of_it(world):
    status = kick_off(world.client, PATIENT)
    work()
    path = file_path(world.client, status)
    colleague = client_of(MembershipFactory(organization=world.study.organization, role="manager").practitioner.user)
    answers = [colleague.get(status), colleague.delete(status), colleague.get(path)]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert world.client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["bulk/1", "bulk/9999999999999999999", "bulk/1/output/Patient-1.ndjson"])
def test_an_unknown_job_is_not_found(world, path):
    answer = world.client.get(f"/FHIR/R5/{path}")
    assert answer.status_code == 404
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert answer["Content-Type"] == "application/fhir+json"


def test_what_a_job_was_sent_is_not_among_its_files(world):
    status = kick_off(world.client, PATIENT)
    BulkFile.objects.create(job=BulkJob.objects.get(), part="input", resource_type="Patient", number=1, count=1)
    assert world.client.get(f"{status}/input/Patient-1.ndjson").status_code == 404


def test_a_deleted_export_is_gone_with_its_files(world):
    status = kick_off(world.client, PATIENT)
    work()
    path = file_path(world.client, status)
    assert world.client.delete(status).status_code == 202
    assert [world.client.get(status).status_code, world.client.get(path).status_code] == [404, 404]
    assert not BulkFile.objects.exists()


def test_an_export_that_is_cancelled_on_the_way_makes_no_more_files(world, monkeypatch):
    monkeypatch.setattr(tasks, "SECONDS_AT_A_TIME", 0)
    status = kick_off(world.client, PATIENT)
    work(tasks=3)
    assert BulkFile.objects.exists()
    assert world.client.delete(status).status_code == 202
    work()
    assert not BulkFile.objects.exists()
    assert not AuditEvent.objects.filter(action="finish_export").exists()


def test_files_are_gone_after_a_day(world):
    status = kick_off(world.client, PATIENT)
    work()
    path = file_path(world.client, status)
    BulkJob.objects.update(expires=timezone.now())
    assert [world.client.get(status).status_code, world.client.get(path).status_code] == [404, 404]
    tasks.expire()
    assert not BulkFile.objects.exists()


def test_nothing_of_a_patient_comes_out_who_withdrew_before_the_worker_came(world):
    status = kick_off(world.client, PATIENT)
    says_no(world, world.sharing[0])
    work()
    found = fetched(world.client, world.client.get(status))
    assert ids(found["Observation"]) == readings_of(world.sharing[1])


def test_nothing_of_a_patient_comes_out_who_withdrew_amid_the_export(world, monkeypatch):
    monkeypatch.setattr(tasks, "SECONDS_AT_A_TIME", 0)
    monkeypatch.setattr(contents.Observations, "LINES", 1)
    status = kick_off(world.client, PATIENT, {"_type": "Observation"})
    work(tasks=2)
    assert BulkFile.objects.count() == 1
    says_no(world, world.sharing[0])
    work()
    assert ids(fetched(world.client, world.client.get(status))["Observation"]) == readings_of(world.sharing[1])


def test_nothing_of_a_patient_comes_out_who_withdrew_before_the_download(world):
    status = kick_off(world.client, PATIENT)
    work()
    path = file_path(world.client, status)
    assert ids(lines(world.client.get(path))) == readings_of(*world.sharing)
    says_no(world, world.sharing[0])
    assert ids(lines(world.client.get(path))) == readings_of(world.sharing[1])
    packed = world.client.get(path, headers={"Accept-Encoding": "gzip"})
    assert ids(lines(packed)) == readings_of(world.sharing[1])


def test_a_study_that_a_patient_left_exports_nothing_of_them(world):
    status = kick_off(world.client, GROUP.format(world.study.pk))
    work()
    withdraw_from_study(actor=None, door="command", patient=world.sharing[0], study=world.study)
    found = fetched(world.client, world.client.get(status))
    assert ids(found["Patient"]) == {world.sharing[1].pk}
    assert ids(found["Observation"]) == readings_of(world.sharing[1])
    [group] = found["Group"]
    assert [member["entity"]["reference"] for member in group["member"]] == [f"Patient/{world.sharing[1].pk}"]


def test_who_is_no_member_any_more_fetches_empty_files(world):
    status = kick_off(world.client, PATIENT)
    work()
    PractitionerOrganization.objects.all().delete()
    found = fetched(world.client, world.client.get(status))
    assert {type_name: resources for type_name, resources in found.items() if resources} == {}


def test_a_token_without_the_scope_of_a_type_neither_exports_nor_fetches_it(world):
    status = kick_off(world.client, PATIENT)
    work()
    path = file_path(world.client, status)
    narrow = client_of(world.viewer, scope="user/Patient.rs user/Observation.r")
    assert narrow.get(path).status_code == 403
    assert narrow.get(f"/FHIR/R5/{PATIENT}", {"_type": "Observation"}, headers=ASYNC).status_code == 403
    assert set(exported(narrow, PATIENT)) == {"Patient"}
    nothing = client_of(world.viewer, scope="user/Device.c")
    assert nothing.get(f"/FHIR/R5/{PATIENT}", headers=ASYNC).status_code == 403


def test_a_file_is_sent_as_it_is_kept_to_who_unpacks_it(world):
    status = kick_off(world.client, PATIENT)
    work()
    path = file_path(world.client, status)
    packed = world.client.get(path, headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == world.client.get(path).content


def test_a_file_has_so_many_lines_and_the_next_goes_on_after_it(world, monkeypatch):
    monkeypatch.setattr(contents.Observations, "LINES", 4)
    status = kick_off(world.client, PATIENT, {"_type": "Observation"})
    work()
    manifest = world.client.get(status)
    assert [file["count"] for file in manifest.json()["output"]] == [4, 2]
    found = fetched(world.client, manifest)["Observation"]
    assert [int(resource["id"]) for resource in found] == sorted(readings_of(*world.sharing))


def test_a_file_has_so_many_bytes(world, monkeypatch):
    monkeypatch.setattr(contents, "MOST_BYTES", 1)
    monkeypatch.setattr("core.models.observation_export.FETCH", 1)
    status = kick_off(world.client, PATIENT, {"_type": "Observation"})
    work()
    assert [file["count"] for file in world.client.get(status).json()["output"]] == [1] * 6


def test_what_comes_after_the_transaction_time_is_left_to_the_next_export(world, monkeypatch):
    monkeypatch.setattr(tasks, "SECONDS_AT_A_TIME", 0)
    status = kick_off(world.client, PATIENT, {"_type": "Observation"})
    work(tasks=1)
    before = readings_of(*world.sharing)
    ObservationFactory(patient=world.sharing[0], code=world.code)
    work()
    assert ids(fetched(world.client, world.client.get(status))["Observation"]) == before


def test_a_person_has_three_exports_under_way_at_most(world):
    started = [kick_off(world.client, PATIENT) for _ in range(bulk.MOST_UNFINISHED[BulkJob.Kind.EXPORT])]
    refused = world.client.get(f"/FHIR/R5/{PATIENT}", headers=ASYNC)
    assert refused.status_code == 429
    assert refused.json()["issue"][0]["code"] == "throttled"
    assert int(refused["Retry-After"]) > 0
    assert client_of(world.sharing[0].user).get(f"/FHIR/R5/{PATIENT}", headers=ASYNC).status_code == 202
    world.client.delete(started[0])
    assert world.client.get(f"/FHIR/R5/{PATIENT}", headers=ASYNC).status_code == 202


def test_each_step_is_in_the_audit_trail_with_whose_data_it_was(world):
    status = kick_off(world.client, PATIENT)
    work()
    path = file_path(world.client, status)
    world.client.get(path)
    foreign = UserFactory()
    client_of(foreign).get(path)
    trail = AuditEvent.objects.filter(action__regex="export|bulk").order_by("pk")
    sharing = sorted(patient.pk for patient in world.sharing)
    assert list(trail.values_list("action", "outcome", "user_id", "patient_ids")) == [
        ("start_export", "success", world.viewer.pk, []),
        ("finish_export", "success", world.viewer.pk, sharing),
        ("$bulk-status", "success", world.viewer.pk, []),
        ("$bulk-file", "success", world.viewer.pk, sharing),
        ("$bulk-file", "refused", foreign.pk, []),
    ]


def test_a_job_that_fails_again_and_again_is_given_up_and_says_so(world, monkeypatch, caplog):
    def fail(*_, **__):
        raise ValueError("Nora Fischer, born 1985-01-28")

    monkeypatch.setattr(contents.Resources, "next_file", fail)
    status = kick_off(world.client, PATIENT)
    for _ in range(tasks.MOST_ATTEMPTS + 2):  # the first one gets as far as the beginning
        work()
        tasks.reconcile()
    answer = world.client.get(status)
    assert answer.status_code == 500
    assert "several times" in answer.json()["issue"][0]["diagnostics"]
    assert "ValueError" in caplog.text
    assert "Nora" not in caplog.text + json.dumps(answer.json())


def says_no(world, patient):
    record_consents(actor=None, door="command", patient=patient, study=world.study, answers={world.code.pk: False})
