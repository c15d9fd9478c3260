"""What get_glucose_metrics answers, for whom. That its figures equal iglu's is tested in tests/glucose."""

import statistics
from datetime import timedelta

import pytest

from core.models import Observation, StudyPatientScopeConsent
from tests.factories import EnrolmentFactory, PatientFactory, UserFactory
from tests.mcp_server.tools.world import NOON, glucose, pressure, record

TOOL = "get_glucose_metrics"
WAVE = [100 + 60 * ((n % 40) - 20) / 20 for n in range(288)]
"""A day of readings that rise and fall."""


def wear(clinic, patient, values=WAVE, start=NOON):
    record(
        patient,
        clinic.glucose,
        *(glucose(v, (start + n * timedelta(minutes=5)).isoformat()) for n, v in enumerate(values)),
    )


def test_one_patients_day_in_figures(as_user, clinic):
    patient = clinic.patient(name_given="Wa", name_family="Ve")
    wear(clinic, patient)
    person = as_user(clinic.practitioner)
    answer = person.answer(TOOL, patient_id=patient.pk)
    [metrics] = answer["patients"]
    assert (answer["total"], answer["unit"], metrics["name"], metrics["n"]) == (1, "mg/dL", "Wa Ve", 288)
    assert metrics["mean"] == pytest.approx(statistics.mean(WAVE))
    assert metrics["sd"] == pytest.approx(statistics.stdev(WAVE))
    assert metrics["gmi"] == pytest.approx(3.31 + 0.02392 * statistics.mean(WAVE))
    assert (metrics["min"], metrics["max"]) == (min(WAVE), max(WAVE))
    assert metrics["mage"] > 100
    assert sum(metrics["time_in_range"].values()) == pytest.approx(100)
    assert sum(hour["n"] for hour in metrics["hours"]) == 288
    assert metrics["sufficiency"]["sufficient"] is False
    assert text(person.call(TOOL, patient_id=patient.pk)) == (
        f"Glucose of patient {patient.pk}: mean {metrics['mean']:.0f} mg/dL, "
        f"{metrics['time_in_range']['target']:.0f} % in range (70 to 180 mg/dL), GMI {metrics['gmi']:.1f} %, "
        "of 288 readings. "
        "Too few to judge by: 1.0 days with 100 % of the readings to expect; 14 days with 70 % are enough."
    )


def text(result):
    return result.content[0].text


def test_a_studys_patients_each_without_hours_and_without_those_who_did_not_consent(as_user, clinic):
    wearers = [clinic.patient() for _ in range(2)]
    silent = clinic.patient(consents=False)
    EnrolmentFactory(study=clinic.study, patient=silent)
    for patient in (*wearers, silent):
        wear(clinic, patient, WAVE[:12])
    answer = as_user(clinic.practitioner).answer(TOOL, study_id=clinic.study.pk)
    assert [(row["patient_id"], row["n"], row["hours"]) for row in answer["patients"]] == [
        (patient.pk, 12, []) for patient in wearers
    ]
    assert answer["study_id"] == clinic.study.pk


def test_many_patients_come_in_pages(as_user, clinic):
    everybody = [clinic.patient().pk for _ in range(23)]
    pages = list(as_user(clinic.practitioner).pages(TOOL, study_id=clinic.study.pk))
    assert [page["returned"] for page in pages] == [20, 3]
    assert [row["patient_id"] for page in pages for row in page["patients"]] == everybody


def test_the_window_is_made_of_the_patients_local_days(as_user, clinic):
    patient = clinic.patient()
    record(
        patient, clinic.glucose, glucose(100, "2026-11-01T23:00:00-08:00"), glucose(200, "2026-11-02T01:00:00-08:00")
    )
    person = as_user(clinic.practitioner)
    [metrics] = person.answer(TOOL, patient_id=patient.pk, start="2026-11-01", end="2026-11-01")["patients"]
    assert (metrics["n"], metrics["mean"], metrics["first_reading"]) == (1, 100, "2026-11-01T23:00:00-08:00")
    [metrics] = person.answer(TOOL, patient_id=patient.pk, start="2026-11-02T08:00:00Z")["patients"]
    assert (metrics["n"], metrics["mean"], metrics["sd"]) == (1, 200, None)
    refused = person.refusal(TOOL, patient_id=patient.pk, start="2026-11-02", end="2026-11-01")
    assert refused == "start must be before end: got 2026-11-02 > 2026-11-01."


def test_what_was_entered_in_error_or_cancelled_does_not_count(as_user, clinic):
    patient = clinic.patient()
    wrong, dropped, _ = record(patient, clinic.glucose, *(glucose(v, f"2026-11-01T0{v}:00:00Z") for v in (7, 8, 9)))
    Observation.objects.filter(pk=wrong).update(status="entered-in-error")
    Observation.objects.filter(pk=dropped).update(status="cancelled")
    [metrics] = as_user(clinic.practitioner).answer(TOOL, patient_id=patient.pk)["patients"]
    assert (metrics["n"], metrics["mean"]) == (1, 9)


def test_a_patient_without_readings_has_none_and_one_who_did_not_consent_is_not_told_of(as_user, clinic):
    willing, silent = clinic.patient(), clinic.patient(consents=False)
    wear(clinic, silent, WAVE[:3])
    record(willing, clinic.pressure, pressure(120, 80, "2026-11-01T12:00:00Z"))
    for user in (clinic.practitioner, UserFactory(is_superuser=True)):
        person = as_user(user)
        [metrics] = person.answer(TOOL, patient_id=willing.pk)["patients"]
        assert (metrics["n"], metrics["mean"], metrics["time_in_range"]) == (0, None, None)
        assert text(person.call(TOOL, patient_id=willing.pk)) == f"Glucose of patient {willing.pk}: no readings."
        assert person.answer(TOOL, patient_id=silent.pk)["patients"] == []
        said = text(person.call(TOOL, patient_id=silent.pk, start="2026-11-01"))
        assert said.endswith("no readings. No consent lets you read this patient's blood glucose.")


def test_a_withdrawn_consent_ends_it_with_the_same_token(as_user, clinic):
    patient = clinic.patient()
    wear(clinic, patient, WAVE[:3])
    person = as_user(clinic.practitioner)
    assert person.answer(TOOL, patient_id=patient.pk)["patients"][0]["n"] == 3
    StudyPatientScopeConsent.objects.filter(code=clinic.glucose).update(consented=False)
    assert person.answer(TOOL, patient_id=patient.pk)["patients"] == []
    assert person.answer(TOOL, study_id=clinic.study.pk)["total"] == 0


def test_a_participant_learns_of_themselves_alone(as_user, clinic):
    peter, pamela = clinic.patient(login=True), clinic.patient()
    for patient in (peter, pamela):
        wear(clinic, patient, WAVE[:3])
    person = as_user(peter.user)
    for arguments in ({"patient_id": peter.pk}, {"study_id": clinic.study.pk}):
        assert [row["patient_id"] for row in person.answer(TOOL, **arguments)["patients"]] == [peter.pk]
    assert person.refusal(TOOL, patient_id=pamela.pk) == f"No patient {pamela.pk} that you can see."


def test_foreign_looks_like_missing(as_user, clinic):
    foreign = PatientFactory()
    person = as_user(clinic.practitioner)
    refused = person.refusal(TOOL, patient_id=foreign.pk)
    assert refused == person.refusal(TOOL, patient_id=999).replace("999", str(foreign.pk))
    assert person.refusal(TOOL, study_id=999) == (
        f'No study 999 that you can see. Your studies: {clinic.study.pk} "Sugar".'
    )
    assert person.refusal(TOOL) == "give either patient_id or study_id."
