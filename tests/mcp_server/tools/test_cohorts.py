"""What summarize_study_cohort answers, for whom; its figures are held against pandas."""

import json
from datetime import date, timedelta

import pandas
import pytest

from core.models import Observation, StudyPatientScopeConsent
from tests.factories import DataSourceFactory, EnrolmentFactory, StudyFactory, UserFactory
from tests.mcp_server.tools.world import NOON, glucose, pressure, record

TOOL = "summarize_study_cohort"
QUANTILES = {"min": 0, "p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1}


@pytest.fixture
def cohort(clinic):
    """Nine people with a day or two of readings, one of them far above, and one without any: (patient, values)."""
    people = []
    for number in range(9):
        values = [100 + number + n * (1 + number) for n in range(3 + number)] if number < 8 else [390, 395.5, 400]
        patient = clinic.patient(gender="female" if number % 2 else "male", birth_date=date(1950 + 5 * number, 1, 1))
        times = [(NOON + n * timedelta(hours=5)).isoformat() for n in range(len(values))]
        record(patient, clinic.glucose, *(glucose(*each) for each in zip(values, times, strict=True)))
        people.append((patient, values))
    people.append((clinic.patient(gender="female"), []))
    return people


def statistics_of(values):
    numbers = pandas.Series(values, dtype=float)
    quantiles = {name: numbers.quantile(q) for name, q in QUANTILES.items()}
    sd = numbers.std()
    return {"n": len(numbers), "mean": numbers.mean(), "sd": sd, "cv": 100 * sd / numbers.mean(), **quantiles}


def test_the_figures_are_those_of_pandas_over_readings_and_over_patients(as_user, clinic, cohort):
    answer = as_user(clinic.practitioner).answer(TOOL, study_id=clinic.study.pk, data_type="blood-glucose")
    [measure] = answer["measures"]
    means = [sum(values) / len(values) for _, values in cohort if values]
    assert (measure["component"], measure["unit"]) == (None, "mg/dL")
    assert measure["readings"] == pytest.approx(statistics_of([v for _, values in cohort for v in values]))
    assert measure["patient_means"] == pytest.approx(statistics_of(means))
    assert (answer["total"], answer["enrolled"], answer["with_data"]) == (10, 10, 9)
    assert answer["data_types"] == ["omh:blood-glucose:4.0"]
    assert answer["groups"] == []
    assert not answer["truncated"]


def test_adherence_counts_days_of_the_window_and_those_who_sent_nothing(as_user, clinic, cohort):
    person = as_user(clinic.practitioner)
    days = [len({(NOON + n * timedelta(hours=5)).date() for n in range(len(values))}) for _, values in cohort]
    answer = person.answer(TOOL, study_id=clinic.study.pk, data_type="Blood glucose")
    assert answer["window"] == {"first_day": "2026-11-01", "last_day": "2026-11-03", "days": 3}
    assert answer["adherence"]["days_with_data"] == pytest.approx(statistics_of(days))
    assert answer["adherence"]["percent"] == pytest.approx(statistics_of([100 * n / 3 for n in days]))
    assert answer["adherence"]["observations"] == pytest.approx(statistics_of([len(values) for _, values in cohort]))
    month = person.answer(
        TOOL, study_id=clinic.study.pk, data_type="blood-glucose", start="2026-11-01", end="2026-11-30"
    )
    assert month["window"] == {"first_day": "2026-11-01", "last_day": "2026-11-30", "days": 30}
    assert month["adherence"]["percent"]["max"] == pytest.approx(10)


def test_who_lies_far_out_is_named_farthest_first_by_a_stated_rule(as_user, clinic, cohort):
    far, values = cohort[8]
    answer = as_user(clinic.practitioner).answer(TOOL, study_id=clinic.study.pk, data_type="blood-glucose")
    [measure] = answer["measures"]
    outliers, means = measure["outliers"], measure["patient_means"]
    spread = means["p75"] - means["p25"]
    assert outliers["low_fence"] == pytest.approx(means["p25"] - 1.5 * spread)
    assert outliers["high_fence"] == pytest.approx(means["p75"] + 1.5 * spread)
    assert (outliers["low_total"], outliers["low"], outliers["high_total"]) == (0, [], 1)
    name = f"{far.name_given} {far.name_family}"
    assert outliers["high"] == [{"patient_id": far.pk, "name": name, "n": 3, "mean": pytest.approx(sum(values) / 3)}]


def test_more_outliers_than_can_be_named_are_counted(as_user, clinic):
    for value in (*[100] * 40, *range(200, 212), *range(1, 4)):
        record(clinic.patient(), clinic.glucose, glucose(value, NOON.isoformat()))
    answer = as_user(clinic.practitioner).answer(TOOL, study_id=clinic.study.pk, data_type="blood-glucose")
    outliers = answer["measures"][0]["outliers"]
    assert (outliers["high_total"], outliers["low_total"]) == (12, 3)
    assert [row["mean"] for row in outliers["high"]] == list(range(211, 201, -1))
    assert [row["mean"] for row in outliers["low"]] == [1, 2, 3]
    assert answer["truncated"]


@pytest.mark.parametrize("by", ["gender", "age_group"])
def test_groups_of_patients_compare(as_user, clinic, cohort, by):
    answer = as_user(clinic.practitioner).answer(TOOL, study_id=clinic.study.pk, data_type="blood-glucose", group_by=by)
    groups = {}
    for patient, values in cohort:
        group = patient.gender if by == "gender" else age_group(patient.birth_date)
        groups.setdefault(group, []).append(values)
    for group in answer["groups"]:
        members = [values for values in groups[group["group"]] if values]
        assert group["n"] == sum(map(len, members))
        assert group["mean"] == pytest.approx(sum(map(sum, members)) / group["n"])
        expected = statistics_of([sum(values) / len(values) for values in members])
        assert group["patient_means"]["n"] == len(members)
        assert group["patient_means"]["median"] == pytest.approx(expected["median"])
    assert {group["group"] for group in answer["groups"]} == {g for g, members in groups.items() if any(members)}
    assert answer["groups_total"] == len(answer["groups"])


def age_group(born):
    today = date.today()
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    if years >= 80:
        return "80+"
    return f"{years // 10 * 10}-{years // 10 * 10 + 9}" if years >= 30 else "18-29"


def test_who_sent_from_two_data_sources_is_in_both_groups(as_user, clinic):
    patient, sources = clinic.patient(), [DataSourceFactory(name="Sensor"), DataSourceFactory(name="Meter")]
    ids = record(patient, clinic.glucose, *(glucose(v, f"2026-11-01T0{v % 5}:00:00Z") for v in (100, 101, 202)))
    for number, source in zip(ids, (sources[0], sources[0], sources[1]), strict=True):
        Observation.objects.filter(pk=number).update(data_source=source)
    person = as_user(clinic.practitioner)
    answer = person.answer(TOOL, study_id=clinic.study.pk, data_type="blood-glucose", group_by="data_source")
    assert [(g["data_source"]["name"], g["n"], g["mean"], g["patient_means"]["n"]) for g in answer["groups"]] == [
        ("Sensor", 2, 100.5, 1),
        ("Meter", 1, 202, 1),
    ]
    assert answer["measures"][0]["patient_means"]["n"] == 1


def test_both_blood_pressures_are_measures_and_an_observation_of_two_counts_once(as_user, clinic):
    for systolic in (120, 130):
        record(clinic.patient(), clinic.pressure, pressure(systolic, 80, "2026-11-01T12:00:00Z"))
    answer = as_user(clinic.practitioner).answer(TOOL, study_id=clinic.study.pk, data_type="blood-pressure")
    assert {m["component"]: (m["unit"], m["readings"]["mean"]) for m in answer["measures"]} == {
        "diastolic_blood_pressure": ("mmHg", 80),
        "systolic_blood_pressure": ("mmHg", 125),
    }
    assert answer["adherence"]["observations"]["max"] == 1


def test_units_are_never_mixed(as_user, clinic):
    patient = clinic.patient()
    record(patient, clinic.glucose, glucose(90, "2026-11-01T12:00:00Z"))
    record(patient, clinic.glucose, glucose(5, "2026-11-01T13:00:00Z", unit="mmol/L"))
    answer = as_user(clinic.practitioner).answer(TOOL, study_id=clinic.study.pk, data_type="blood-glucose")
    assert {m["unit"]: m["readings"]["mean"] for m in answer["measures"]} == {"mg/dL": 90, "mmol/L": 5}


def test_what_was_entered_in_error_or_cancelled_does_not_count(as_user, clinic):
    times = [f"2026-11-01T1{hour}:00:00Z" for hour in range(3)]
    numbers = record(clinic.patient(), clinic.glucose, *(glucose(100 + n, at) for n, at in enumerate(times)))
    Observation.objects.filter(pk=numbers[0]).update(status="entered-in-error")
    Observation.objects.filter(pk=numbers[1]).update(status="cancelled")
    answer = as_user(clinic.practitioner).answer(TOOL, study_id=clinic.study.pk, data_type="blood-glucose")
    assert (answer["measures"][0]["readings"]["n"], answer["measures"][0]["readings"]["mean"]) == (1, 102)
    assert answer["adherence"]["observations"]["max"] == 1


def test_the_window_is_made_of_the_patients_local_days(as_user, clinic):
    times = ("2026-11-01T23:00:00-08:00", "2026-11-02T01:00:00-08:00")
    record(clinic.patient(), clinic.glucose, glucose(100, times[0]), glucose(200, times[1]))
    person = as_user(clinic.practitioner)
    about = {"study_id": clinic.study.pk, "data_type": "blood-glucose"}
    answer = person.answer(TOOL, start="2026-11-01", end="2026-11-01", **about)
    assert answer["measures"][0]["readings"]["mean"] == 100
    assert person.answer(TOOL, start="2026-11-02T08:00:00Z", **about)["measures"][0]["readings"]["mean"] == 200
    nothing = person.answer(TOOL, start="2027-01-01", **about)
    assert (nothing["with_data"], nothing["measures"], nothing["window"]["days"]) == (0, [], None)
    assert nothing["adherence"]["percent"]["mean"] is None
    refused = person.refusal(TOOL, start="2026-11-02", end="2026-11-01", **about)
    assert refused == "start must be before end: got 2026-11-02 > 2026-11-01."


def test_consent_decides_who_counts_and_withdrawn_ends_it_with_the_same_token(as_user, clinic, cohort):
    silent = clinic.patient(consents=False)
    EnrolmentFactory(study=clinic.study, patient=silent)
    record(silent, clinic.glucose, glucose(1, NOON.isoformat()))
    person = as_user(clinic.practitioner)
    about = {"study_id": clinic.study.pk, "data_type": "blood-glucose"}
    answer = person.answer(TOOL, **about)
    assert (answer["total"], answer["enrolled"], answer["with_data"]) == (10, 11, 9)
    assert answer["measures"][0]["readings"]["min"] == 100
    StudyPatientScopeConsent.objects.filter(patient=cohort[0][0]).update(consented=False)
    assert person.answer(TOOL, **about)["with_data"] == 8
    StudyPatientScopeConsent.objects.update(consented=False)
    for asking in (person, as_user(UserFactory(is_superuser=True))):
        answer = asking.answer(TOOL, **about)
        assert (answer["total"], answer["with_data"], answer["measures"], answer["adherence"]) == (0, 0, [], None)


def test_a_participant_is_their_own_cohort(as_user, clinic):
    peter, pamela = clinic.patient(login=True), clinic.patient()
    record(peter, clinic.glucose, glucose(100, NOON.isoformat()))
    record(pamela, clinic.glucose, glucose(200, NOON.isoformat()))
    answer = as_user(peter.user).answer(TOOL, study_id=clinic.study.pk, data_type="blood-glucose", group_by="gender")
    assert (answer["total"], answer["enrolled"], answer["measures"][0]["readings"]["max"]) == (1, 1, 100)
    assert [group["n"] for group in answer["groups"]] == [1]


def test_foreign_looks_like_missing_and_an_unknown_kind_is_told_the_studys(as_user, clinic):
    foreign, person = StudyFactory(scopes=[clinic.glucose]), as_user(clinic.practitioner)
    for study_id in (foreign.pk, 999):
        refused = person.refusal(TOOL, study_id=study_id, data_type="blood-glucose")
        assert refused == f'No study {study_id} that you can see. Your studies: {clinic.study.pk} "Sugar".'
    assert person.refusal(TOOL, study_id=clinic.study.pk, data_type="blood-sugar") == (
        f"No data type blood-sugar that you can see. Data types of study {clinic.study.pk}: "
        "omh:blood-glucose:4.0, omh:blood-pressure:4.0."
    )


def test_the_answer_is_as_small_for_many_as_for_few(as_user, clinic):
    sizes, person = [], as_user(clinic.practitioner)
    for patients in (5, 60):
        for number in range(patients):
            record(clinic.patient(), clinic.glucose, glucose(100 + number % 7, NOON.isoformat()))
        answer = person.answer(TOOL, study_id=clinic.study.pk, data_type="blood-glucose")
        sizes.append(len(json.dumps(answer)))
    assert sizes[1] < 1.2 * sizes[0]


def test_an_answer_that_grows_too_long_loses_groups_and_names_and_says_so(as_user, clinic, cohort):
    patient, _ = cohort[0]
    for number in range(60):
        source = DataSourceFactory(name="N" * 200)
        [row] = record(patient, clinic.glucose, glucose(100, (NOON + timedelta(days=number)).isoformat()))
        Observation.objects.filter(pk=row).update(data_source=source)
    answer = as_user(clinic.practitioner).answer(
        TOOL, study_id=clinic.study.pk, data_type="blood-glucose", group_by="data_source"
    )
    assert answer["groups_total"] == 61
    assert len(answer["groups"]) <= 20
    assert answer["truncated"]
