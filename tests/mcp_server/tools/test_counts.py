"""What the tools that count answer, for whom, and that FHIR counts the same."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.actions.clients import register_stdio_client
from core.actions.narrowings import narrow
from core.models import Observation, StudyPatientScopeConsent
from core.policy.principal import TokenLimits
from tests.bearer import client_of
from tests.factories import ConsentFactory, EnrolmentFactory, PatientFactory, StudyFactory, UserFactory
from tests.mcp_server.tools.world import NOON, glucose, pressure, record

RANGE, OF_PATIENT, OF_STUDY = "get_patient_date_range", "count_patient_observations", "count_study_observations"


@pytest.fixture
def patient(clinic):
    return clinic.patient(login=True)


def by_kind(answer):
    return {kind["data_type"].split(":")[1]: kind["n"] for kind in answer["data_types"]}


def hourly(clinic, patient, many, start=NOON):
    record(patient, clinic.glucose, *(glucose(n, (start + timedelta(hours=n)).isoformat()) for n in range(many)))


def test_a_date_range_is_first_last_and_the_local_days_between_that_have_data(person, clinic, patient):
    record(
        patient,
        clinic.glucose,
        glucose(1, "2026-11-01T23:30:00-08:00"),
        glucose(2, "2026-11-02T00:30:00-08:00"),
        glucose(3, "2026-11-05T12:00:00+09:00"),
    )
    answer = person.answer(RANGE, patient_id=patient.pk)
    ends = {"first": "2026-11-01T23:30:00-08:00", "last": "2026-11-05T12:00:00+09:00"}
    assert answer["data_types"] == [
        {"data_type": "omh:blood-glucose:4.0", "name": "Blood glucose", "n": 3, **ends, "days_covered": 3},
        {"data_type": "omh:blood-pressure:4.0", "name": "Blood pressure", "n": 0, "first": None, "last": None}
        | {"days_covered": 0},
    ]
    record(patient, clinic.pressure, pressure(120, 80, "2026-11-05T10:00:00+09:00"))
    overall = person.answer(RANGE, patient_id=patient.pk)
    assert {name: overall[name] for name in ("n", "first", "last", "days_covered")} == {
        "n": 4,
        **ends,
        "days_covered": 3,
    }
    one = person.answer(RANGE, patient_id=patient.pk, data_type="Blood pressure")
    assert (one["n"], one["days_covered"], one["first"]) == (1, 1, "2026-11-05T10:00:00+09:00")


def test_what_lasts_is_over_at_its_end(person, clinic, patient):
    [number] = record(patient, clinic.glucose, glucose(1, "2026-11-01T22:00:00-08:00"))
    night = {"effective_end": Observation.objects.get(pk=number).effective_start + timedelta(hours=8)}
    Observation.objects.filter(pk=number).update(**night)
    hourly(clinic, patient, 2)
    answer = person.answer(RANGE, patient_id=patient.pk)
    assert (answer["last"], answer["days_covered"]) == ("2026-11-02T06:00:00-08:00", 1)


def test_without_data_there_is_no_range_and_without_consent_that_is_said(as_user, clinic, patient):
    silent = clinic.patient(consents=False)
    hourly(clinic, silent, 3)
    for user in (clinic.practitioner, UserFactory(is_superuser=True)):
        person = as_user(user)
        empty = person.answer(RANGE, patient_id=patient.pk)
        assert (empty["n"], empty["first"], empty["last"], empty["days_covered"]) == (0, None, None, 0)
        for tool in (RANGE, OF_PATIENT):
            result = person.call(tool, patient_id=silent.pk)
            assert result.structured_content["data_types"] == []
            assert result.content[0].text.endswith("No consent lets you read any data here.")


def test_a_count_is_exact_for_each_kind_and_of_every_status_as_fhir_counts(as_user, clinic, patient):
    hourly(clinic, patient, 30)
    record(patient, clinic.pressure, *(pressure(120, 80, f"2026-11-0{day}T08:00:00-08:00") for day in (1, 2, 3)))
    record(patient, clinic.sleep, glucose(1, "2026-11-01T12:00:00Z"))
    Observation.objects.filter(pk__in=Observation.objects.values("pk")[:2]).update(status="entered-in-error")
    register_stdio_client()
    expected = {clinic.practitioner: 33, patient.user: 34, UserFactory(is_superuser=True): 33, UserFactory(): None}
    for user, total in expected.items():
        person, fhir = as_user(user), client_of(user)
        if total is None:
            assert person.refusal(OF_PATIENT, patient_id=patient.pk) == f"No patient {patient.pk} that you can see."
            continue
        for tool, whose, search in (
            (OF_PATIENT, {"patient_id": patient.pk}, f"patient={patient.pk}"),
            (OF_STUDY, {"study_id": clinic.study.pk}, f"patient._has:Group:member:_id={clinic.study.pk}"),
        ):
            answer = person.answer(tool, **whose)
            counted = fhir.get(f"/fhir/r5/Observation?{search}&_summary=count").json()["total"]
            assert answer["total"] == counted == sum(by_kind(answer).values())
            assert by_kind(answer)["blood-glucose"] == 30
        assert person.answer(OF_PATIENT, patient_id=patient.pk)["total"] == total


WINDOWS = [
    {"start": "2026-11-02"},
    {"end": "2026-11-02"},
    {"start": "2026-11-02", "end": "2026-11-02"},
    {"start": "2026-11-02", "end": "2026-11-20"},
    {"start": "2026-11-01T20:30:00", "end": "2026-11-04T03:10:00Z"},
    {"start": "2026-11-02T00:00:00-08:00", "end": "2026-11-03"},
    {"start": "1900-01-01", "end": "2200-12-31"},
    {"start": "2026-12-01"},
]


def test_a_window_counts_what_it_lists_whatever_the_offsets(person, clinic, patient):
    offsets = ["-12:00", "-08:00", "", "Z", "+05:30", "+14:00", "+23:30"]
    record(
        patient,
        clinic.glucose,
        *(glucose(n, f"2026-11-0{1 + n % 6}T{n % 24:02}:{n % 60:02}:00{offsets[n % 7]}") for n in range(150)),
    )
    for window in WINDOWS:
        listed = sum(
            page["returned"] for page in person.pages("get_patient_observations", patient_id=patient.pk, **window)
        )
        answer = person.answer(OF_PATIENT, patient_id=patient.pk, by_day=True, **window)
        assert answer["total"] == listed == sum(day["n"] for day in answer["by_day"]["days"]), window
        assert person.answer(OF_STUDY, study_id=clinic.study.pk, **window)["total"] == listed


def test_days_are_the_patients_own_the_newest_first(person, clinic, patient):
    record(
        patient,
        clinic.glucose,
        glucose(1, "2026-11-01T23:59:00-08:00"),
        glucose(2, "2026-11-02T00:01:00-08:00"),
        glucose(3, "2026-11-02T23:59:00+09:00"),
        glucose(4, "2026-11-03T00:01:00+09:00"),
    )
    answer = person.answer(OF_PATIENT, patient_id=patient.pk, by_day=True)
    assert answer["by_day"] == {
        "total": 3,
        "returned": 3,
        "truncated": False,
        "days": [{"date": "2026-11-03", "n": 1}, {"date": "2026-11-02", "n": 2}, {"date": "2026-11-01", "n": 1}],
    }
    assert answer["by_patient"] is None


def test_many_days_are_cut_and_what_to_pass_for_the_others_is_said(person, clinic, patient):
    record(patient, clinic.glucose, *(glucose(n, (NOON - timedelta(days=n)).isoformat()) for n in range(230)))
    result = person.call(OF_PATIENT, patient_id=patient.pk, by_day=True)
    days = result.structured_content["by_day"]
    assert (days["total"], days["returned"], days["truncated"]) == (230, 200, True)
    assert days["days"][-1]["date"] == "2026-04-16"
    assert result.content[0].text.endswith("Days: 230, the newest 200 here. For others pass end before 2026-04-16.")


def test_a_studys_patients_come_in_pages_those_with_most_first_and_those_without_too(person, clinic):
    expected = []
    for number in range(60):
        one = clinic.patient()
        hourly(clinic, one, number % 4)
        expected.append((-(number % 4), one.pk))
    silent = clinic.patient(consents=False)
    EnrolmentFactory(study=clinic.study, patient=silent)
    hourly(clinic, silent, 5)
    first = person.answer(OF_STUDY, study_id=clinic.study.pk, by_patient=True)
    rest = person.answer(OF_STUDY, study_id=clinic.study.pk, by_patient=True, cursor=first["by_patient"]["next_cursor"])
    pages = [first["by_patient"], rest["by_patient"]]
    assert [(page["total"], page["returned"]) for page in pages] == [(60, 50), (60, 10)]
    assert [(-row["n"], row["patient_id"]) for page in pages for row in page["patients"]] == sorted(expected)
    assert first["total"] == rest["total"] == -sum(n for n, _ in expected)
    assert rest["by_patient"]["next_cursor"] is None


def test_a_study_counts_what_was_consented_to_there_and_each_observation_once(as_user, clinic, patient):
    second = StudyFactory(organization=clinic.organization, scopes=[clinic.sleep])
    ConsentFactory(study=second, patient=patient, code=clinic.glucose)
    hourly(clinic, patient, 2)
    record(patient, clinic.pressure, pressure(120, 80, "2026-11-01T12:00:00Z"))
    person = as_user(clinic.practitioner)
    assert by_kind(person.answer(OF_STUDY, study_id=second.pk)) == {"blood-glucose": 2}
    assert person.answer(OF_PATIENT, patient_id=patient.pk)["total"] == 3
    asked_for = person.answer(OF_STUDY, study_id=second.pk, data_type="Sleep stage summary")
    assert (asked_for["total"], asked_for["data_types"]) == (0, [])
    assert person.refusal(OF_STUDY, study_id=second.pk, data_type="blood-pressure") == (
        f"No data type blood-pressure that you can see. Data types of study {second.pk}: "
        "omh:blood-glucose:4.0, ieee:sleep-stage-summary:1.0."
    )
    themself = as_user(patient.user)
    assert by_kind(themself.answer(OF_STUDY, study_id=second.pk)) == {"blood-glucose": 2}


def test_a_withdrawn_consent_ends_the_counting_with_the_same_token(person, clinic, patient):
    hourly(clinic, patient, 3)
    calls = [(RANGE, {"patient_id": patient.pk}), (OF_PATIENT, {"patient_id": patient.pk})]
    calls.append((OF_STUDY, {"study_id": clinic.study.pk, "by_patient": True}))
    for expected in ({"blood-glucose": 3, "blood-pressure": 0}, {"blood-pressure": 0}):
        assert [by_kind(person.answer(tool, **whose)) for tool, whose in calls] == [expected] * 3
        StudyPatientScopeConsent.objects.filter(code=clinic.glucose).update(consented=False)


def test_a_narrowed_token_counts_what_it_is_narrowed_to(as_user, clinic, patient):
    second = StudyFactory(organization=clinic.organization)
    ConsentFactory(study=second, patient=patient, code=clinic.sleep)
    hourly(clinic, patient, 3)
    record(patient, clinic.sleep, glucose(1, "2026-11-01T12:00:00Z"))
    narrowed = as_user(clinic.practitioner, narrow(clinic.practitioner, studies=[second.pk]))
    assert by_kind(narrowed.answer(OF_PATIENT, patient_id=patient.pk)) == {"sleep-stage-summary": 1}
    assert by_kind(narrowed.answer(RANGE, patient_id=patient.pk)) == {"sleep-stage-summary": 1}
    assert narrowed.refusal(OF_STUDY, study_id=clinic.study.pk).startswith(f"No study {clinic.study.pk} ")


def test_what_the_tokens_claims_leave_out_is_not_counted(as_user, clinic, patient):
    second = StudyFactory(organization=clinic.organization)
    ConsentFactory(study=second, patient=patient, code=clinic.sleep)
    hourly(clinic, patient, 3)
    person = as_user(clinic.practitioner)
    person.principal = replace(person.principal, limits=TokenLimits(studies=frozenset([second.pk])))
    assert by_kind(person.answer(OF_PATIENT, patient_id=patient.pk)) == {"sleep-stage-summary": 0}
    assert person.refusal(OF_STUDY, study_id=clinic.study.pk).startswith(f"No study {clinic.study.pk} ")


def test_foreign_looks_like_missing(person, clinic):
    foreign, elsewhere = PatientFactory(), StudyFactory()
    ConsentFactory(study=elsewhere, patient=foreign, code=clinic.glucose)
    hourly(clinic, foreign, 2)
    for tool, name, pk in (
        (RANGE, "patient_id", foreign.pk),
        (OF_PATIENT, "patient_id", foreign.pk),
        (OF_STUDY, "study_id", elsewhere.pk),
    ):
        for narrower in ({}, {"data_type": "blood-glucose"}):
            refused = person.refusal(tool, **{name: pk}, **narrower)
            assert refused == person.refusal(tool, **{name: 999}, **narrower).replace("999", str(pk))


FAULTS = [
    ({"start": "2026-11-02", "end": "2026-11-01"}, "start must be before end: got 2026-11-02 > 2026-11-01."),
    ({"cursor": "x"}, "This cursor is not a next_cursor of this tool: call it without one to begin."),
    ({"cursor": "WyJhIiwxXQ"}, "This cursor is not a next_cursor of this tool: call it without one to begin."),
    ({"by_day": "yes"}, "by_day"),
    ({"data_type": "sugar"}, "No data type sugar that you can see."),
    ({"data_type": "'; --"}, "data_type"),
    ({"of": "all"}, "cursor, {whose}; it does not know of."),
]


def test_what_is_wrong_with_an_argument_is_said(person, clinic, patient):
    for arguments, sentence in FAULTS:
        for tool, whose in ((OF_PATIENT, {"patient_id": patient.pk}), (OF_STUDY, {"study_id": clinic.study.pk})):
            assert sentence.format(whose=next(iter(whose))) in person.refusal(tool, **whose, **arguments)


@pytest.mark.parametrize("tool", [OF_STUDY, "get_glucose_metrics"])
def test_a_patients_token_for_one_study_tells_nothing_of_another_that_they_share_the_same_data_with(
    as_user, clinic, patient, tool
):
    other = StudyFactory(organization=clinic.organization)
    EnrolmentFactory(study=other, patient=patient)
    ConsentFactory(study=other, patient=patient, code=clinic.glucose)
    hourly(clinic, patient, 2)
    narrowed = as_user(patient.user, narrow(patient.user, studies=[clinic.study.pk]))
    assert narrowed.answer(tool, study_id=clinic.study.pk)["total"] >= 1
    assert f"No study {other.pk} that you can see." in narrowed.refusal(tool, study_id=other.pk)
