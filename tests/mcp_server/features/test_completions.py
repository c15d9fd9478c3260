"""Completion: ids and kinds of data of what the person may see, and of nothing else."""

import pytest
from mcp_types import PromptReference, ResourceTemplateReference

from core.models import AuditEvent
from mcp_server.resources import PATIENT, READINGS, SCHEMA, STUDY
from tests.factories import EnrolmentFactory, PatientFactory, StudyFactory
from tests.mcp_server.features.conftest import MODES


@pytest.mark.parametrize("mode", MODES)
def test_a_practitioner_completes_a_study_by_its_name_or_its_id(host, clinic, mode):
    StudyFactory(name="Sugar of others")
    StudyFactory(name="Blood", organization=clinic.organization)
    mary, own = host(clinic.practitioner, mode), str(clinic.study.pk)
    for typed in ("sug", "SUGAR", own, own[:3]):
        found = mary.completed(STUDY, "study_id", typed).completion
        assert own in found.values
    found = mary.completed(STUDY, "study_id", "sug").completion
    assert (found.values, found.total, found.has_more) == ([own], 1, False)
    assert mary.completed("study_overview", "study_id", "sugar").completion.values == [own]


def test_a_practitioner_completes_patients_of_the_study_that_was_filled_in(host, clinic):
    ada, bob = (clinic.patient(name_given=name, name_family="Byron") for name in ("Ada", "Bob"))
    elsewhere = StudyFactory(organization=clinic.organization)
    EnrolmentFactory(study=elsewhere, patient=bob)
    PatientFactory(name_given="Ada", name_family="Byron")
    mary = host(clinic.practitioner)
    assert mary.completed(PATIENT, "patient_id", "byr ad").completion.values == [str(ada.pk)]
    assert mary.completed(PATIENT, "patient_id", "").completion.total == 2
    found = mary.completed("patient_review", "patient_id", "byron", study_id=str(elsewhere.pk)).completion
    assert found.values == [str(bob.pk)]


def test_a_percent_sign_is_a_percent_sign(host, clinic):
    clinic.patient()
    mary = host(clinic.practitioner)
    assert [mary.completed(PATIENT, "patient_id", typed).completion.total for typed in ("%", "_", "\\", "4%")] == [
        0
    ] * 4


def test_at_most_a_hundred_and_how_many_there_are(host, clinic):
    for _ in range(101):
        StudyFactory(organization=clinic.organization, name="Many")
    found = host(clinic.practitioner).completed(STUDY, "study_id", "many").completion
    assert (len(found.values), found.total, found.has_more) == (100, 101, True)


def test_kinds_are_those_that_the_patient_lets_the_person_read(host, clinic):
    willing, silent, foreign = clinic.patient(), clinic.patient(consents=False), PatientFactory()
    mary = host(clinic.practitioner)
    one = {"patient_id": str(willing.pk)}
    assert mary.completed(READINGS, "data_type", "", **one).completion.values == [
        "omh:blood-glucose:4.0",
        "omh:blood-pressure:4.0",
    ]
    assert mary.completed(READINGS, "data_type", "gluc", **one).completion.values == ["omh:blood-glucose:4.0"]
    for patient in (silent, foreign):
        assert mary.completed(READINGS, "data_type", "", patient_id=str(patient.pk)).completion.values == []
    asked_for = mary.completed("data_quality_check", "data_type", "", study_id=str(clinic.study.pk))
    assert asked_for.completion.total == 2
    assert mary.completed("data_quality_check", "data_type", "", study_id=str(StudyFactory().pk)).completion.total == 0


def test_a_search_is_recorded_without_what_was_typed(host, clinic, audit):
    ada = clinic.patient(name_given="Ada", name_family="Byron")
    host(clinic.practitioner).completed(PATIENT, "patient_id", "Byron", study_id=str(clinic.study.pk))
    assert AuditEvent.objects.count() == 1
    row = audit()
    assert (row.action, row.outcome, row.patient_ids) == ("complete_patient_id", "success", [ada.pk])
    assert row.detail == {"value": True, "study_id": clinic.study.pk}


def test_a_participant_completes_themself(host, clinic):
    clinic.patient()
    patient = clinic.patient(login=True)
    assert host(patient.user).completed(PATIENT, "patient_id", "").completion.values == [str(patient.pk)]


@pytest.mark.parametrize(
    ("ref", "argument"),
    [
        (ResourceTemplateReference(uri="jhe://secrets/{id}"), "id"),
        (ResourceTemplateReference(uri=STUDY), "patient_id"),
        (PromptReference(name="no such prompt"), "study_id"),
        (PromptReference(name="study_overview"), "patient_id"),
    ],
)
def test_what_there_is_not_is_refused(host, clinic, ref, argument):
    code, sentence = host(clinic.practitioner).refused(
        lambda client: client.complete(ref, {"name": argument, "value": ""})
    )
    assert code == -32602
    assert sentence.startswith("Nothing here is called so. There are: ")


@pytest.mark.parametrize(("value", "context"), [("x" * 101, {}), ("a\x00b", {}), ("", {"study_id": "1 OR 1=1"})])
def test_garbage_is_refused(host, clinic, value, context):
    ref = PromptReference(name="patient_review")
    code, _ = host(clinic.practitioner).refused(
        lambda client: client.complete(ref, {"name": "patient_id", "value": value}, context or None)
    )
    assert code == -32602


def test_what_cannot_be_completed_has_no_values(host, clinic):
    assert host(clinic.practitioner).completed("patient_review", "start", "2026").completion.values == []


def test_schemas_are_completed_by_a_part_of_their_name(host, clinic):
    found = host(clinic.practitioner).completed(SCHEMA, "name", "Glucose").completion
    assert "omh:blood-glucose:4.0" in found.values
    assert all("glucose" in name for name in found.values)
    assert (found.total, found.has_more) == (len(found.values), False)
