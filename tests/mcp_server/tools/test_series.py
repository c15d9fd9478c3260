"""What summarize_patient_observations and get_observation_series answer, for whom, and that FHIR's $stats agrees."""

import statistics
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from core.actions.clients import register_stdio_client
from core.actions.narrowings import narrow
from core.models import Observation, StudyPatientScopeConsent
from core.policy.principal import TokenLimits
from tests.bearer import client_of
from tests.factories import CodeFactory, ConsentFactory, PatientFactory, StudyFactory, UserFactory
from tests.mcp_server.tools.world import NOON, glucose, pressure, record

SUMMARY, SERIES = "summarize_patient_observations", "get_observation_series"
FIGURES = ("mean", "sd", "cv", "min", "p05", "p25", "median", "p75", "p95", "max")


def drawn(answer):
    """The points of the only series."""
    [series] = answer["series"]
    return series["points"]


def series_of(person, patient, data_type="blood-glucose", **arguments):
    return person.answer(SERIES, patient_id=patient.pk, data_type=data_type, **arguments)


def every_five_minutes(clinic, patient, many, start=NOON):
    values = [80 + n % 97 / 3 for n in range(many)]
    times = [start + n * timedelta(minutes=5) for n in range(many)]
    record(patient, clinic.glucose, *(glucose(v, t.isoformat()) for v, t in zip(values, times, strict=True)))
    return times, values


def test_each_kind_component_and_unit_is_summed_up_alone(person, clinic, patient):
    mass, molar = [90, 100, 140, 110.5], [5.5, 7]
    record(patient, clinic.glucose, *(glucose(v, f"2026-11-0{n}T08:00:00-08:00") for n, v in enumerate(mass, 1)))
    record(
        patient, clinic.glucose, *(glucose(v, f"2026-11-1{n}T08:00:00Z", unit="mmol/L") for n, v in enumerate(molar))
    )
    record(
        patient, clinic.pressure, pressure(120, 80, "2026-11-01T09:00:00Z"), pressure(131, 85, "2026-11-02T09:00:00Z")
    )
    answer = person.answer(SUMMARY, patient_id=patient.pk)
    found = {(s["data_type"].split(":")[1], s["component"], s["unit"]): s for s in answer["summaries"]}
    expected = {
        ("blood-glucose", None, "mg/dL"): mass,
        ("blood-glucose", None, "mmol/L"): molar,
        ("blood-pressure", "diastolic_blood_pressure", "mmHg"): [80, 85],
        ("blood-pressure", "systolic_blood_pressure", "mmHg"): [120, 131],
    }
    assert list(found) == list(expected)
    assert (answer["total"], answer["returned"], answer["truncated"]) == (4, 4, False)
    for key, values in expected.items():
        quarters = statistics.quantiles(values, n=4, method="inclusive")
        twentieths = statistics.quantiles(values, n=20, method="inclusive")
        mean, sd = statistics.mean(values), statistics.stdev(values)
        figures = [mean, sd, 100 * sd / mean, min(values), twentieths[0], *quarters, twentieths[-1], max(values)]
        assert found[key]["n"] == len(values)
        assert [found[key][name] for name in FIGURES] == pytest.approx(figures), key
    mgdl = found["blood-glucose", None, "mg/dL"]
    assert (mgdl["first"], mgdl["last"]) == ("2026-11-01T08:00:00-08:00", "2026-11-04T08:00:00-08:00")
    one_kind = person.answer(SUMMARY, patient_id=patient.pk, data_type="Blood Pressure")
    assert one_kind["summaries"] == answer["summaries"][2:]
    assert one_kind["data_types"] == ["omh:blood-pressure:4.0"]


def test_a_summary_equals_the_stats_of_fhir(person, clinic, patient):
    numbers = record(patient, clinic.glucose, *(glucose(90 + n, f"2026-11-0{n}T08:00:00Z") for n in range(1, 8)))
    for number, status in zip(numbers, ("entered-in-error", "cancelled", "amended"), strict=False):
        Observation.objects.filter(pk=number).update(status=status)
    Observation.objects.filter(pk=numbers[4]).update(effective_end=NOON + timedelta(days=9))
    register_stdio_client()
    names = "average,std-dev,minimum,maximum,median,4-lower,4-upper,total-count"
    query = f"subject=Patient/{patient.pk}&code=omh:blood-glucose:4.0&statistic={names}"
    said = client_of(clinic.practitioner).get(f"/fhir/r5/Observation/$stats?{query}").json()["parameter"][0]["resource"]
    stats = {c["code"]["coding"][0]["code"]: c["valueQuantity"]["value"] for c in said["component"]}
    [summary] = person.answer(SUMMARY, patient_id=patient.pk)["summaries"]
    assert summary["n"] == stats["total-count"] == 5
    same = ("mean", "sd", "min", "max", "median", "p25", "p75")
    assert [summary[name] for name in same] == [stats[name] for name in names.split(",")[:-1]]
    assert datetime.fromisoformat(summary["first"]) == datetime.fromisoformat(said["effectivePeriod"]["start"])
    assert datetime.fromisoformat(summary["last"]) == datetime.fromisoformat(said["effectivePeriod"]["end"])


def body_of(clinic, patient, body):
    Observation.objects.create(
        patient=patient, code=clinic.sleep, effective_start=NOON, omh_data={"header": {}, "body": body}
    )


STAGES = {"total_sleep_time": {"value": 7, "unit": "h"}, "number_of_awakenings": 2, "descriptive_statistic": "maximum"}
BODIES = [
    ({"sleep_stage_summary": STAGES, "is_main_sleep": True}, {"total_sleep_time": 7, "number_of_awakenings": 2}),
    (
        {"a": 1, "b": {"value": 2}, "c": {"value": "3"}, "d": [4], "e": None, "f": {"g": {"value": 5}}},
        {"a": 1, "b": 2, "g": 5},
    ),
    ({"tiny": 1e-320, "zero": 0, "sleep_stage_summary": [1]}, {"zero": 0}),
    ({"descriptive_statistic_denominator": {"value": 1, "unit": "d"}, "answers": "none"}, {None: None}),
    ([1, 2], {None: None}),
]


@pytest.mark.parametrize(("body", "parts"), BODIES, ids=["stages", "parts", "limits", "text", "list"])
def test_the_numbers_of_a_kind_with_several_are_found_by_their_names(as_user, clinic, body, parts):
    patient = clinic.patient(login=True)
    body_of(clinic, patient, body)
    summaries = as_user(patient.user).answer(SUMMARY, patient_id=patient.pk)["summaries"]
    assert {s["component"]: s["mean"] for s in summaries} == parts
    assert {s["n"] for s in summaries} == {1}


def test_a_number_that_no_float_holds_spoils_no_answer(as_user, clinic):
    patient = clinic.patient(login=True)
    body_of(clinic, patient, {"a": 10**400, "b": 3})
    [summary] = as_user(patient.user).answer(SUMMARY, patient_id=patient.pk)["summaries"]
    assert (summary["component"], summary["mean"], summary["sd"]) == ("b", 3, None)


def test_parts_that_a_device_makes_up_do_not_drown_the_answer(as_user, clinic):
    patient = clinic.patient(login=True)
    for number in range(4):
        body_of(clinic, patient, {f"{number}{n:03} {'x' * 500}": {"value": n, "unit": "u" * 500} for n in range(300)})
    person = as_user(patient.user)
    answer = person.answer(SUMMARY, patient_id=patient.pk)
    assert (answer["total"], answer["returned"], answer["truncated"]) == (200, 40, True)
    refused = person.refusal(SERIES, patient_id=patient.pk, data_type="sleep-stage-summary", resolution="day")
    assert refused == "By day there are 200 points, too many for one answer: narrow with start and end."


def test_raw_numbers_come_as_they_are_with_their_offsets(person, clinic, patient):
    record(
        patient,
        clinic.pressure,
        pressure(120, 80, "2026-11-01T23:00:00-08:00"),
        pressure(125, 85, "2026-11-03T09:00:00+09:00"),
        pressure(130, 90, "2026-11-03T01:00:00"),
    )
    answer = series_of(person, patient, "blood-pressure")
    assert (answer["resolution"], answer["columns"], answer["total"]) == ("raw", ["time", "value"], 6)
    assert {series["component"]: series["points"] for series in answer["series"]} == {
        "diastolic_blood_pressure": [
            ["2026-11-01T23:00:00-08:00", 80],
            ["2026-11-03T09:00:00+09:00", 85],
            ["2026-11-03T01:00:00Z", 90],
        ],
        "systolic_blood_pressure": [
            ["2026-11-01T23:00:00-08:00", 120],
            ["2026-11-03T09:00:00+09:00", 125],
            ["2026-11-03T01:00:00Z", 130],
        ],
    }
    assert [(o["utc_offset"], o["n"], o["first"]) for o in answer["utc_offsets"]] == [
        ("-08:00", 1, "2026-11-01T23:00:00-08:00"),
        ("+09:00", 1, "2026-11-03T09:00:00+09:00"),
        ("Z", 1, "2026-11-03T01:00:00Z"),
    ]


def expected_buckets(times, values, key):
    groups = {}
    for time, value in zip(times, values, strict=True):
        groups.setdefault(key(time), []).append(value)
    return [[k, len(v), statistics.mean(v), min(v), max(v)] for k, v in groups.items()]


def as_numbers(points):
    return [[point[0], *(pytest.approx(number, rel=1e-11) for number in point[1:])] for point in points]


BUCKETS = {
    "hour": lambda t: t.replace(minute=0).isoformat(),
    "day": lambda t: t.date().isoformat(),
    "week": lambda t: (t.date() - timedelta(days=t.weekday())).isoformat(),
    "month": lambda t: t.date().replace(day=1).isoformat(),
}


def test_buckets_are_the_patients_local_hours_days_weeks_and_months(person, clinic, patient):
    start = datetime(2026, 10, 27, 21, tzinfo=timezone(timedelta(hours=-8)))
    times, values = every_five_minutes(clinic, patient, 2_000, start)
    for resolution, key in BUCKETS.items():
        answer = series_of(person, patient, resolution=resolution)
        expected = expected_buckets(times, values, key)
        assert drawn(answer) == as_numbers(expected), resolution
        assert (answer["resolution"], answer["total"], answer["truncated"]) == (resolution, len(expected), False)
        assert answer["series"][0]["unit"] == "mg/dL"
        assert answer["observations"] == answer["series"][0]["n"] == 2_000
    assert series_of(person, patient)["resolution"] == "hour"
    assert series_of(person, patient, end="2026-10-28T12:00:00-08:00")["resolution"] == "raw"


def test_the_mean_times_n_is_the_sum_and_the_least_and_the_most_are_as_recorded(person, clinic, patient):
    steps = [4664, 123456.7, 0.1, 98765432.1, 3e-7, 16777217.25, 12]
    for day, values in enumerate((steps, steps[:3], steps[4:5], [-7.3, 7.3, 0.7]), 1):
        record(patient, clinic.glucose, *(glucose(v, f"2026-11-0{day}T1{n}:00:00Z") for n, v in enumerate(values)))
        _, n, mean, least, most = drawn(series_of(person, patient, resolution="day"))[-1]
        assert (n, mean * n) == (len(values), pytest.approx(sum(values), rel=1e-9))
        assert (least, most) == (min(values), max(values))


def test_an_hour_that_the_clocks_repeat_is_two_and_the_day_is_one(person, clinic, patient):
    record(
        patient,
        clinic.glucose,
        glucose(100, "2026-11-01T01:30:00-07:00"),
        glucose(120, "2026-11-01T01:30:00-08:00"),
        glucose(140, "2026-11-01T01:40:00-08:00"),
    )
    assert drawn(series_of(person, patient, resolution="hour")) == [
        ["2026-11-01T01:00:00-07:00", 1, 100, 100, 100],
        ["2026-11-01T01:00:00-08:00", 2, 130, 120, 140],
    ]
    assert drawn(series_of(person, patient, resolution="day")) == [["2026-11-01", 3, 120, 100, 140]]


def test_the_days_of_a_travelling_patient_are_those_they_lived(person, clinic, patient):
    """Los Angeles to Tokyo; hours stand in the order in which they were."""
    record(
        patient,
        clinic.glucose,
        glucose(100, "2026-11-01T20:10:00-08:00"),
        glucose(140, "2026-11-02T13:30:00+09:00"),
        glucose(150, "2026-11-02T13:40:00+05:30"),
    )
    assert [point[0] for point in drawn(series_of(person, patient, resolution="hour"))] == [
        "2026-11-01T20:00:00-08:00",
        "2026-11-02T13:00:00+09:00",
        "2026-11-02T13:00:00+05:30",
    ]
    assert [point[:2] for point in drawn(series_of(person, patient, resolution="day"))] == [
        ["2026-11-01", 1],
        ["2026-11-02", 2],
    ]


def test_what_lasts_counts_where_it_begins_and_what_was_an_error_nowhere(person, clinic, patient):
    numbers = record(patient, clinic.glucose, *(glucose(n, f"2026-11-01T2{n}:00:00-08:00") for n in range(4)))
    Observation.objects.filter(pk=numbers[0]).update(effective_end=NOON + timedelta(days=3))
    Observation.objects.filter(pk=numbers[1]).update(status="entered-in-error")
    Observation.objects.filter(pk=numbers[2]).update(status="cancelled")
    answer = series_of(person, patient, resolution="day")
    assert (answer["observations"], drawn(answer)) == (2, [["2026-11-01", 2, 1.5, 0, 3]])


def test_what_is_too_fine_is_refused_with_what_fits(person, clinic, patient):
    times, _ = every_five_minutes(clinic, patient, 2_000)
    assert person.refusal(SERIES, patient_id=patient.pk, data_type="blood-glucose", resolution="minute") == (
        "By minute there are 2000 points, too many for one answer: use resolution hour, or narrow with start and end."
    )
    raw = person.call(SERIES, patient_id=patient.pk, data_type="blood-glucose", resolution="raw")
    body = raw.structured_content
    assert (body["total"], body["truncated"], body["returned"]) == (2_000, True, len(drawn(body)))
    assert 250 < body["returned"] <= 500
    last = times[body["returned"] - 1].isoformat()
    assert raw.content[0].text.endswith(f"for those after pass start {last}, or use resolution hour.")
    following = series_of(person, patient, resolution="raw", start=last)
    assert drawn(following)[0] == drawn(body)[-1]


def test_raw_numbers_are_cut_between_observations(person, clinic, patient):
    record(patient, clinic.pressure, *(pressure(120, n, (NOON + timedelta(hours=n)).isoformat()) for n in range(300)))
    answer = series_of(person, patient, "blood-pressure", resolution="raw")
    diastolic, systolic = answer["series"]
    assert [point[0] for point in diastolic["points"]] == [point[0] for point in systolic["points"]]
    assert answer["returned"] == 2 * len(systolic["points"]) <= 500


def test_two_hundred_and_fifty_days_fit_and_an_answer_is_never_too_long(person, clinic, patient):
    at = [NOON - timedelta(days=day, hours=hour) for day in range(500) for hour in range(3)]
    record(patient, clinic.glucose, *(glucose(round(100 + n / 7, 1), time.isoformat()) for n, time in enumerate(at)))
    answer = series_of(person, patient)
    assert (answer["resolution"], answer["returned"]) == ("week", len(drawn(answer)))
    answer = series_of(person, patient, start="2026-02-25")
    assert (answer["resolution"], answer["returned"]) == ("day", 250)


def test_without_numbers_there_is_no_series_and_why_is_said(as_user, clinic, patient):
    answer = series_of(as_user(clinic.practitioner), patient)
    assert (answer["series"], answer["total"], answer["observations"]) == ([], 0, 0)
    sleeper = clinic.patient(login=True)
    body_of(clinic, sleeper, {"answers": "none"})
    themself = as_user(sleeper.user)
    for resolution in ("auto", "raw", "day"):
        said = themself.call(SERIES, patient_id=sleeper.pk, data_type="sleep-stage-summary", resolution=resolution)
        assert "The 1 observations hold no number" in said.content[0].text


def test_who_consented_to_nothing_is_not_told_of(as_user, clinic):
    silent = clinic.patient(consents=False)
    record(silent, clinic.glucose, glucose(140.75, "2026-11-01T12:00:00Z"))
    for user in (clinic.practitioner, UserFactory(is_superuser=True)):
        person = as_user(user)
        for tool, arguments in ((SUMMARY, {}), (SERIES, {"data_type": "blood-glucose"})):
            result = person.call(tool, patient_id=silent.pk, **arguments)
            assert result.structured_content["data_types"] == []
            assert "140.75" not in result.content[1].text
            assert result.content[0].text.endswith("No consent lets you read this patient's data.")


def test_a_withdrawn_consent_a_narrowed_token_and_its_claims_each_end_it(as_user, clinic, patient):
    record(patient, clinic.glucose, glucose(140, "2026-11-01T12:00:00Z"))
    other = StudyFactory(organization=clinic.organization)
    ConsentFactory(study=other, patient=patient, code=CodeFactory(coding_code="omh:heart-rate:2.0"))
    user = clinic.practitioner
    plain, narrowed = as_user(user), as_user(user, narrow(user, studies=[other.pk]))
    assert len(plain.answer(SUMMARY, patient_id=patient.pk)["summaries"]) == 1
    assert len(drawn(series_of(plain, patient))) == 1
    refused = (
        "No data type blood-glucose that you can see. "
        f"Data types of patient {patient.pk}: omh:blood-pressure:4.0, omh:heart-rate:2.0."
    )
    hidden = refused.replace("omh:blood-pressure:4.0, ", "")
    assert narrowed.answer(SUMMARY, patient_id=patient.pk)["summaries"] == []
    assert narrowed.refusal(SERIES, patient_id=patient.pk, data_type="blood-glucose") == hidden
    full = plain.principal
    plain.principal = replace(full, limits=TokenLimits(studies=frozenset([other.pk])))
    assert plain.answer(SUMMARY, patient_id=patient.pk)["summaries"] == []
    assert plain.refusal(SERIES, patient_id=patient.pk, data_type="blood-glucose") == hidden
    plain.principal = full
    StudyPatientScopeConsent.objects.filter(code=clinic.glucose).update(consented=False)
    assert plain.answer(SUMMARY, patient_id=patient.pk)["summaries"] == []
    assert plain.refusal(SERIES, patient_id=patient.pk, data_type="blood-glucose") == refused


def test_foreign_looks_like_missing_and_faults_are_said(person, clinic, patient):
    foreign = PatientFactory()
    ConsentFactory(patient=foreign, code=clinic.glucose)
    record(foreign, clinic.glucose, glucose(140, "2026-11-01T12:00:00Z"))
    for tool, arguments in ((SUMMARY, {}), (SERIES, {"data_type": "blood-glucose"})):
        assert person.refusal(tool, patient_id=foreign.pk, **arguments) == f"No patient {foreign.pk} that you can see."
        wrong = person.refusal(tool, patient_id=patient.pk, start="2026-11-02", end="2026-11-01", **arguments)
        assert wrong == "start must be before end: got 2026-11-02 > 2026-11-01."
    assert person.refusal(SERIES, patient_id=patient.pk).startswith("data_type")
    assert "'auto', 'raw', 'minute'" in person.refusal(
        SERIES, patient_id=patient.pk, data_type="blood-glucose", resolution="year"
    )
    assert person.answer(SUMMARY, patient_id=patient.pk, start="1900-01-01", end="2200-12-31")["summaries"] == []
