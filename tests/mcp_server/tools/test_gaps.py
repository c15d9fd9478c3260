"""What find_data_gaps answers, for whom. What is silent is so at the time of the call, so readings lie before now."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from core.actions.narrowings import narrow
from core.models import Observation, StudyPatientScopeConsent
from core.policy.principal import TokenLimits
from tests.factories import CodeFactory, ConsentFactory, EnrolmentFactory, PatientFactory, StudyFactory, UserFactory
from tests.mcp_server.tools.world import NOON, glucose, pressure, record

TOOL = "find_data_gaps"
GLUCOSE = {"data_type": "blood-glucose"}


def sent(clinic, patient, *times):
    return record(patient, clinic.glucose, *(glucose(100, time) for time in times))


def sent_hours_ago(clinic, patient, *hours):
    return sent(clinic, patient, *((timezone.now() - timedelta(hours=each)).isoformat() for each in hours))


def gaps_of(person, patient, longer_than="PT6H", **arguments):
    [found] = person.answer(TOOL, patient_id=patient.pk, longer_than=longer_than, **{**GLUCOSE, **arguments})[
        "patients"
    ]
    return found


def test_gaps_are_between_observations_the_longest_first_each_end_with_its_offset(person, clinic, patient):
    sent(
        clinic,
        patient,
        "2026-11-01T08:00:00-08:00",
        "2026-11-01T20:00:00-08:00",  # 12 h
        "2026-11-02T02:00:00-08:00",  # 6 h: not longer
        "2026-11-03T12:00:00+09:00",  # 17 h, by way of the ocean
        "2026-11-03T18:00:01+09:00",
    )
    found = gaps_of(person, patient)
    assert (found["gaps_total"], found["gaps"]) == (
        3,
        [
            {"start": "2026-11-02T02:00:00-08:00", "end": "2026-11-03T12:00:00+09:00", "hours": 17},
            {"start": "2026-11-01T08:00:00-08:00", "end": "2026-11-01T20:00:00-08:00", "hours": 12},
            {"start": "2026-11-03T12:00:00+09:00", "end": "2026-11-03T18:00:01+09:00", "hours": 6},
        ],
    )
    assert found["last"] == "2026-11-03T18:00:01+09:00"
    assert gaps_of(person, patient, "16 hours")["gaps_total"] == 1


def lasting(number, hours):
    observation = Observation.objects.get(pk=number)
    observation.effective_end = observation.effective_start + timedelta(hours=hours)
    observation.save()


def test_what_lasts_leaves_a_gap_from_its_end_alone(person, clinic, patient):
    first, second, third, _ = sent(clinic, patient, *(f"2026-11-01T{hour:02}:00:00-08:00" for hour in (0, 1, 10, 23)))
    lasting(first, 8)  # over the second
    lasting(second, 1)
    lasting(third, 2)
    assert gaps_of(person, patient, "2h")["gaps"] == [
        {"start": "2026-11-01T12:00:00-08:00", "end": "2026-11-01T23:00:00-08:00", "hours": 11}
    ]
    lasting(first, 30)
    found = gaps_of(person, patient, "2h")
    assert (found["gaps"], found["last"]) == ([], "2026-11-02T06:00:00-08:00")


def test_what_was_an_error_was_sent(person, clinic, patient):
    _, middle, _ = sent(clinic, patient, *(f"2026-11-01T{hour:02}:00:00Z" for hour in (0, 5, 10)))
    Observation.objects.filter(pk=middle).update(status="entered-in-error")
    assert gaps_of(person, patient)["gaps"] == []


def test_versions_of_a_kind_are_one_record(person, clinic, patient):
    earlier = CodeFactory(coding_code="omh:blood-glucose:3.0", text="Blood glucose, earlier")
    ConsentFactory(study=clinic.study, patient=patient, code=earlier)
    sent(clinic, patient, "2026-11-01T00:00:00Z", "2026-11-01T10:00:00Z")
    record(patient, earlier, glucose(100, "2026-11-01T05:00:00Z"))
    assert gaps_of(person, patient)["gaps"] == []
    assert gaps_of(person, patient, data_type="omh:blood-glucose:4.0")["gaps_total"] == 1


def test_silence_lasts_until_the_call_and_who_never_sent_comes_first(person, clinic):
    recent, stopped, longest, never = (clinic.patient() for _ in range(4))
    sent_hours_ago(clinic, recent, 1)
    sent_hours_ago(clinic, stopped, 30, 29)
    sent_hours_ago(clinic, longest, 90)
    record(never, clinic.pressure, pressure(120, 80, timezone.now().isoformat()))
    before = datetime.now(UTC)
    result = person.call(TOOL, study_id=clinic.study.pk, longer_than="P1D", **GLUCOSE)
    answer = result.structured_content
    assert [row["patient_id"] for row in answer["patients"]] == [never.pk, longest.pk, stopped.pk, recent.pk]
    assert [row["silent"] for row in answer["patients"]] == [None, True, True, False]
    assert [row["silent_hours"] for row in answer["patients"]] == [
        None,
        *(pytest.approx(h, abs=0.1) for h in (90, 29, 1)),
    ]
    assert (answer["total"], answer["never_sent"], answer["silent"], answer["longer_than_hours"]) == (4, 1, 2, 24)
    assert abs(datetime.fromisoformat(answer["now"]) - before) < timedelta(minutes=1)
    assert answer["patients"][0]["last"] is None
    said = result.content[0].text
    assert said.endswith(f"Silent for longer than P1D at {answer['now']}: 2. Never sent: 1.")


def test_a_clock_that_is_ahead_is_not_silent(person, clinic, patient):
    sent_hours_ago(clinic, patient, -5)
    found = gaps_of(person, patient)
    assert (found["silent_hours"], found["silent"]) == (0, False)


def test_a_studys_patients_come_in_pages_each_with_their_longest_gaps(person, clinic):
    everybody = [clinic.patient() for _ in range(43)]
    for number, one in enumerate(everybody[3:]):
        sent(clinic, one, *((NOON + timedelta(hours=7 * n + number // 2)).isoformat() for n in range(9)))
    silent = clinic.patient(consents=False)
    EnrolmentFactory(study=clinic.study, patient=silent)
    sent(clinic, silent, NOON.isoformat())
    pages = list(person.pages(TOOL, study_id=clinic.study.pk, longer_than="6h", **GLUCOSE))
    assert [page["returned"] for page in pages] == [20, 20, 3]
    assert {(page["total"], page["never_sent"], page["silent"]) for page in pages} == {(43, 3, 40)}
    assert [row["patient_id"] for page in pages for row in page["patients"]] == [one.pk for one in everybody]
    assert {(row["gaps_total"], len(row["gaps"])) for row in pages[1]["patients"]} == {(8, 5)}


def test_of_one_patient_no_more_gaps_are_told_than_fit(person, clinic, patient):
    sent(clinic, patient, *((NOON + timedelta(hours=n)).isoformat() for n in range(151)))
    found = gaps_of(person, patient, "30 min")
    assert (found["gaps_total"], len(found["gaps"])) == (150, 100)


def test_who_did_not_consent_is_not_told_of(as_user, clinic, patient):
    silent = clinic.patient(consents=False)
    sent(clinic, silent, NOON.isoformat())
    for user in (clinic.practitioner, UserFactory(is_superuser=True)):
        answer = as_user(user).answer(TOOL, patient_id=silent.pk, longer_than="6h", **GLUCOSE)
        assert (answer["total"], answer["patients"], answer["data_types"]) == (0, [], [])


def test_a_participant_learns_of_themselves_alone(as_user, clinic):
    peter, pamela = clinic.patient(login=True), clinic.patient()
    for one in (peter, pamela):
        sent(clinic, one, NOON.isoformat())
    person = as_user(peter.user)
    answer = person.answer(TOOL, study_id=clinic.study.pk, longer_than="6h", **GLUCOSE)
    assert [row["patient_id"] for row in answer["patients"]] == [peter.pk]
    refused = person.refusal(TOOL, patient_id=pamela.pk, longer_than="6h", **GLUCOSE)
    assert refused == f"No patient {pamela.pk} that you can see."


def test_a_withdrawn_consent_a_narrowed_token_and_its_claims_each_end_it(as_user, clinic, patient):
    sent(clinic, patient, NOON.isoformat())
    other = StudyFactory(organization=clinic.organization)
    ConsentFactory(study=other, patient=patient, code=clinic.sleep)
    user, asked = clinic.practitioner, {"longer_than": "6h", **GLUCOSE}
    plain, narrowed = as_user(user), as_user(user, narrow(user, studies=[other.pk]))
    assert plain.answer(TOOL, study_id=clinic.study.pk, **asked)["total"] == 1
    assert narrowed.refusal(TOOL, study_id=clinic.study.pk, **asked).startswith(f"No study {clinic.study.pk} ")
    kinds = f"Data types of patient {patient.pk}: ieee:sleep-stage-summary:1.0."
    assert narrowed.refusal(TOOL, patient_id=patient.pk, **asked).endswith(kinds)
    full = plain.principal
    plain.principal = replace(full, limits=TokenLimits(studies=frozenset([other.pk])))
    assert plain.refusal(TOOL, study_id=clinic.study.pk, **asked).startswith(f"No study {clinic.study.pk} ")
    assert plain.refusal(TOOL, patient_id=patient.pk, **asked).endswith(kinds)
    plain.principal = full
    StudyPatientScopeConsent.objects.filter(code=clinic.glucose).update(consented=False)
    assert plain.answer(TOOL, study_id=clinic.study.pk, **asked)["total"] == 0


def test_foreign_looks_like_missing_and_faults_are_said(person, clinic, patient):
    foreign = PatientFactory()
    ConsentFactory(patient=foreign, code=clinic.glucose)
    for missing in (foreign.pk, 999):
        refused = person.refusal(TOOL, patient_id=missing, longer_than="6h", **GLUCOSE)
        assert refused == f"No patient {missing} that you can see."
    one = {"patient_id": patient.pk, "longer_than": "6h", **GLUCOSE}
    assert person.refusal(TOOL, **one, study_id=clinic.study.pk) == "give either patient_id or study_id."
    assert person.refusal(TOOL, **{**one, "longer_than": "soon"}).startswith(
        "longer_than must be a duration from one minute to ten years, such as PT6H or P2D (ISO 8601), or 6h or 2 days"
    )
    cursor = "This cursor is not a next_cursor of this tool: call it without one to begin."
    for position in ("x", "WzFd", "WyIyMDI2LTExLTAxIiwxXQ"):
        assert person.refusal(TOOL, **one, cursor=position) == cursor
    unknown = person.refusal(TOOL, study_id=clinic.study.pk, longer_than="6h", data_type="sugar")
    assert unknown == (
        f"No data type sugar that you can see. Data types of study {clinic.study.pk}: "
        "omh:blood-glucose:4.0, omh:blood-pressure:4.0."
    )
