"""What get_patient_observations answers, for whom."""

from datetime import UTC, datetime, timedelta

import pytest

from core.models import Observation, StudyPatientScopeConsent
from mcp_server.results import cursor
from tests.factories import ConsentFactory, DataSourceFactory, PatientFactory, StudyFactory, UserFactory
from tests.mcp_server.tools.world import NOON, Clinic, glucose, pressure, record

TOOL = "get_patient_observations"


def ids(*pages):
    return [row["observation_id"] for page in pages for row in page["observations"]]


def values(page):
    return [row["value"] for row in page["observations"]]


def test_a_scalar_is_its_time_kind_value_and_unit(person, clinic, patient):
    [first] = record(patient, clinic.glucose, glucose(140, "2026-11-01T07:30:00-08:00"))
    page = person.answer(TOOL, patient_id=patient.pk)
    assert page["observations"] == [
        {
            "observation_id": first,
            "time": "2026-11-01T07:30:00-08:00",
            "data_type": "omh:blood-glucose:4.0",
            "value": 140,
            "unit": "mg/dL",
        }
    ]
    assert (page["total"], page["returned"], page["truncated"], page["next_cursor"]) == (1, 1, False, None)


def test_blood_pressure_carries_both_of_its_values(person, clinic, patient):
    record(patient, clinic.pressure, pressure(120, 80, "2026-11-01T07:30:00-08:00"))
    [row] = person.answer(TOOL, patient_id=patient.pk)["observations"]
    assert row["values"] == {
        "systolic_blood_pressure": {"value": 120, "unit": "mmHg"},
        "diastolic_blood_pressure": {"value": 80, "unit": "mmHg"},
    }
    assert "value" not in row


def test_a_period_has_its_end_and_a_status_that_is_not_final_is_said(person, clinic, patient):
    Observation.objects.create(
        patient=patient,
        code=clinic.glucose,
        status="entered-in-error",
        effective_start=NOON,
        effective_end=NOON + timedelta(hours=8),
        utc_offset_minutes=330,
        omh_data={"header": {}, "body": {"total_sleep_time": {"value": 7, "unit": "h"}}},
    )
    [row] = person.answer(TOOL, patient_id=patient.pk)["observations"]
    assert (row["time"], row["end"]) == ("2026-11-01T17:30:00+05:30", "2026-11-02T01:30:00+05:30")
    assert row["status"] == "entered-in-error"


def test_the_full_answer_adds_the_data_source_and_the_data_point_as_sent(person, clinic, patient):
    sent = glucose(140, "2026-11-01T07:30:00-08:00", temporal_relationship_to_meal="fasting")
    [number] = record(patient, clinic.glucose, sent)
    sensor = DataSourceFactory(name="Sensor")
    Observation.objects.filter(pk=number).update(data_source=sensor)
    [row] = person.answer(TOOL, patient_id=patient.pk, verbosity="full")["observations"]
    assert row["omh_data"] == sent
    assert row["data_source"] == {"data_source_id": sensor.pk, "name": "Sensor", "type": sensor.type}


def test_a_data_point_that_is_too_long_is_left_out_and_that_is_said(person, clinic, patient):
    record(patient, clinic.pressure, pressure(120, 80, "2026-11-01T12:00:00Z") | {"header": {"note": "x" * 7_000}})
    record(patient, clinic.glucose, glucose(140, "2026-11-01T13:00:00Z") | {"header": {"note": "x" * 7_000}})
    scalar, parts = person.answer(TOOL, patient_id=patient.pk)["observations"]
    assert (scalar["value"], "too_long" in scalar) == (140, False)
    assert (parts["too_long"], "values" in parts) == (True, False)
    scalar, _ = person.answer(TOOL, patient_id=patient.pk, verbosity="full")["observations"]
    assert (scalar["value"], scalar["too_long"], "omh_data" in scalar) == (140, True, False)


def test_pages_of_several_kinds_run_along_time_and_repeat_nothing(person, clinic, patient):
    for number in range(40):
        at = (NOON + timedelta(minutes=number // 2)).isoformat()  # two at a time, of each kind
        record(patient, clinic.glucose, glucose(number, at))
        record(patient, clinic.pressure, pressure(120, 80, at))
    oldest = list(Observation.objects.order_by("effective_start", "id").values_list("pk", flat=True))
    for order, expected in (("oldest", oldest), ("newest", oldest[::-1])):
        pages = list(person.pages(TOOL, patient_id=patient.pk, order=order, limit=7))
        assert ids(*pages) == expected
        assert {page["total"] for page in pages} == {80}
        assert [page["returned"] for page in pages] == [7] * 11 + [3]


def test_times_that_differ_by_less_than_a_second_are_paged_apart(person, clinic, patient):
    record(patient, clinic.glucose, *(glucose(n, f"2026-11-01T12:00:00.{n:03}Z") for n in range(5)))
    pages = list(person.pages(TOOL, patient_id=patient.pk, limit=2))
    assert [value for page in pages for value in values(page)] == [4, 3, 2, 1, 0]


def test_what_arrives_between_two_pages_moves_nothing(person, clinic, patient):
    record(patient, clinic.glucose, *(glucose(n, (NOON + timedelta(hours=n)).isoformat()) for n in range(6)))
    first = person.answer(TOOL, patient_id=patient.pk, limit=3)
    record(patient, clinic.glucose, glucose(99, (NOON + timedelta(hours=9)).isoformat()))
    second = person.answer(TOOL, patient_id=patient.pk, limit=3, cursor=first["next_cursor"])
    assert values(first) + values(second) == [5, 4, 3, 2, 1, 0]


def test_an_answer_stays_short_however_much_is_asked_for(person, clinic, patient):
    record(patient, clinic.glucose, *(glucose(n, (NOON + timedelta(minutes=n)).isoformat()) for n in range(600)))
    for verbosity in ("slim", "full"):
        pages = list(person.pages(TOOL, patient_id=patient.pk, limit=500, verbosity=verbosity))
        assert pages[0]["truncated"] is True
        assert pages[0]["returned"] < 500
        assert [value for page in pages for value in values(page)] == list(range(599, -1, -1))


SPELLINGS = ("omh:blood-pressure:4.0", "OMH:Blood-Pressure:4.0", "blood-pressure", "blood_pressure", "Blood pressure")


def test_a_kind_of_data_can_be_spelled_in_several_ways(person, clinic, patient):
    record(patient, clinic.glucose, glucose(140, "2026-11-01T12:00:00Z"))
    [wanted] = record(patient, clinic.pressure, pressure(120, 80, "2026-11-01T12:00:00Z"))
    for spelling in SPELLINGS:
        page = person.answer(TOOL, patient_id=patient.pk, data_type=spelling)
        assert (ids(page), page["total"], page["data_types"]) == ([wanted], 1, ["omh:blood-pressure:4.0"]), spelling


def test_a_kind_that_is_unknown_or_not_consented_to_is_refused_with_those_that_can_be_read(person, clinic, patient):
    record(patient, clinic.sleep, glucose(1, "2026-11-01T12:00:00Z"))
    refused = person.refusal(TOOL, patient_id=patient.pk, data_type="sleep-stage-summary")
    assert refused == (
        "No data type sleep-stage-summary that you can see. "
        f"Data types of patient {patient.pk}: omh:blood-glucose:4.0, omh:blood-pressure:4.0."
    )
    unknown = person.refusal(TOOL, patient_id=patient.pk, data_type="sugar")
    assert unknown == refused.replace("sleep-stage-summary", "sugar")


def test_a_foreign_patient_looks_like_a_missing_one(person, clinic):
    foreign = PatientFactory()
    ConsentFactory(patient=foreign, code=clinic.glucose)
    record(foreign, clinic.glucose, glucose(140, "2026-11-01T12:00:00Z"))
    for narrowing in ({}, {"data_type": "blood-glucose"}):
        refused = person.refusal(TOOL, patient_id=foreign.pk, **narrowing)
        assert refused == f"No patient {foreign.pk} that you can see."
        assert person.refusal(TOOL, patient_id=999, **narrowing) == refused.replace(str(foreign.pk), "999")


def test_a_patient_who_consented_to_nothing_has_nothing_to_read_and_that_is_said(as_user, clinic):
    silent = clinic.patient(consents=False)
    record(silent, clinic.glucose, glucose(140, "2026-11-01T12:00:00Z"))
    for user in (clinic.practitioner, UserFactory(is_superuser=True)):
        person = as_user(user)
        for narrowing in ({}, {"data_type": "blood-glucose"}):
            result = person.call(TOOL, patient_id=silent.pk, **narrowing)
            assert result.structured_content["total"] == 0
            assert result.structured_content["observations"] == []
            assert result.content[0].text.endswith("No consent lets you read this patient's data.")


def test_a_consent_withdrawn_between_two_calls_ends_the_reading_with_the_same_token(person, clinic, patient):
    record(patient, clinic.glucose, *(glucose(n, (NOON + timedelta(hours=n)).isoformat()) for n in range(4)))
    record(patient, clinic.pressure, pressure(120, 80, "2026-11-01T12:00:00Z"))
    first = person.answer(TOOL, patient_id=patient.pk, limit=2)
    StudyPatientScopeConsent.objects.filter(code=clinic.glucose).update(consented=False)
    second = person.answer(TOOL, patient_id=patient.pk, limit=2, cursor=first["next_cursor"])
    assert [row["data_type"] for row in second["observations"]] == ["omh:blood-pressure:4.0"]
    assert second["total"] == 1
    StudyPatientScopeConsent.objects.all().delete()
    assert person.answer(TOOL, patient_id=patient.pk)["total"] == 0


def test_a_patient_reads_all_of_their_own_data_without_any_consent(as_user, clinic):
    peter = clinic.patient(login=True, consents=False)
    [number] = record(peter, clinic.sleep, glucose(1, "2026-11-01T12:00:00Z"))
    assert ids(as_user(peter.user).answer(TOOL, patient_id=peter.pk)) == [number]


def test_two_studies_that_share_a_kind_show_each_observation_once(person, clinic, patient):
    second = StudyFactory(organization=clinic.organization)
    ConsentFactory(study=second, patient=patient, code=clinic.glucose)
    record(patient, clinic.glucose, glucose(140, "2026-11-01T12:00:00Z"))
    page = person.answer(TOOL, patient_id=patient.pk)
    assert (len(page["observations"]), page["total"]) == (1, 1)


def test_a_date_is_the_local_day_on_which_each_reading_was_taken(person, clinic, patient):
    """Somebody who flies from Los Angeles to Tokyo; the last has no offset and counts as UTC."""
    record(
        patient,
        clinic.glucose,
        glucose(1, "2026-11-01T23:59:00-08:00"),
        glucose(2, "2026-11-02T00:01:00-08:00"),
        glucose(3, "2026-11-02T23:59:00+09:00"),
        glucose(4, "2026-11-03T00:01:00+09:00"),
        glucose(5, "2026-11-02T12:00:00"),
    )
    page = person.answer(TOOL, patient_id=patient.pk, start="2026-11-02", end="2026-11-02", order="oldest")
    assert values(page) == [2, 5, 3]
    assert page["total"] == 3
    assert [row["time"][19:] for row in page["observations"]] == ["-08:00", "Z", "+09:00"]
    assert page["time_zone"].startswith("local to the patient")


WINDOWS = [
    ("2026-11-01T12:00:00Z", None, [2, 3]),
    (None, "2026-11-01T12:00:00Z", [1]),
    ("2026-11-01T13:00:00+01:00", "2026-11-01T05:00:00-08:00", [2]),
    ("2026-11-01T04:30:00", None, [3]),
    ("2026-11-01T04:00:00", "2026-11-01T13:00:00Z", [2]),
    ("2026-11-02", None, []),
    (None, "2026-10-31", []),
]


def test_a_date_time_with_offset_is_an_instant_and_one_without_is_local(person, clinic, patient):
    record(patient, clinic.glucose, *(glucose(n, f"2026-11-01T0{n + 2}:00:00-08:00") for n in (1, 2, 3)))
    for start, end, found in WINDOWS:
        window = {name: value for name, value in (("start", start), ("end", end)) if value}
        page = person.answer(TOOL, patient_id=patient.pk, order="oldest", **window)
        assert (values(page), page["total"]) == (found, len(found)), window


FAULTS = [
    ({"start": "2026-11-02", "end": "2026-11-01"}, "start must be before end: got 2026-11-02 > 2026-11-01."),
    (
        {"start": "2026-11-01T12:00:00Z", "end": "2026-11-01T12:00:00Z"},
        "start must be before end: got 2026-11-01T12:00:00Z = 2026-11-01T12:00:00Z.",
    ),
    (
        {"start": "yesterday"},
        "start must be an ISO 8601 date such as 2026-11-01, or a date-time such as 2026-11-01T07:30:00-08:00: "
        'got "yesterday".',
    ),
    ({"end": "9999-12-31"}, 'end must be between the years 1900 and 2200: got "9999-12-31".'),
    ({"limit": 0}, "limit must be at least 1: got 0."),
    ({"limit": 501}, "limit must be at most 500: got 501."),
    ({"limit": "many"}, "limit must be an integer: got text of 4 characters."),
    ({"order": "random"}, "order must be 'newest' or 'oldest': got the text \"random\"."),
    ({"cursor": "x"}, "This cursor is not a next_cursor of this tool: call it without one to begin."),
    ({"cursor": "WzFd"}, "This cursor is not a next_cursor of this tool: call it without one to begin."),
]


def test_what_is_wrong_with_an_argument_is_said(person, patient):
    for arguments, sentence in FAULTS:
        assert person.refusal(TOOL, patient_id=patient.pk, **arguments) == sentence


@pytest.mark.parametrize(
    "position",
    [
        ["0001-01-01T00:00:00+14:00", 1],
        ["9999-12-31T23:59:59-12:00", 1],
        ["2026-11-01T00:00:00", 1],
        ["10000-01-01T00:00:00Z", 1],
        ["-0001-01-01T00:00:00Z", 1],
        [1e300, 1],
        [10**40, 1],
        ["infinity", 1],
        ["2026-11-01T00:00:00Z", 2**63],
        ["2026-11-01T00:00:00Z", -1],
        ["2026-11-01T00:00:00Z", 1, 1],
    ],
    ids=str,
)
def test_a_cursor_with_a_position_that_cannot_be_is_refused(person, patient, position):
    said = person.refusal(TOOL, patient_id=patient.pk, cursor=cursor(position))
    assert said == "This cursor is not a next_cursor of this tool: call it without one to begin."


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_a_cursor_at_either_end_of_time_is_asked_about(person, clinic, patient, time):
    record(patient, clinic.glucose, glucose(100, NOON.isoformat()))
    for order in ("newest", "oldest"):
        body = person.answer(TOOL, patient_id=patient.pk, order=order, cursor=cursor([time, 2**63 - 1]))
        assert len(body["observations"]) == ((order == "newest") is (time > "5"))


@pytest.mark.parametrize("name", ["start", "end"])
@pytest.mark.parametrize("text", ["0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31", "9999-12-31T23:59:59-12:00"])
def test_a_date_beyond_reason_is_refused(person, patient, name, text):
    said = person.refusal(TOOL, patient_id=patient.pk, **{name: text})
    assert said == f'{name} must be between the years 1900 and 2200: got "{text}".'


@pytest.mark.parametrize("text", ["1900-01-01", "1900-01-01T00:00:00+23:59", "2200-12-31", "2200-12-31T23:59:59-23:59"])
def test_the_first_and_the_last_date_are_asked_about(person, patient, text):
    for name in ("start", "end"):
        assert person.answer(TOOL, patient_id=patient.pk, **{name: text})["observations"] == []


def test_a_cursor_carries_no_right(as_user, person, clinic, patient):
    record(patient, clinic.glucose, *(glucose(n, (NOON + timedelta(hours=n)).isoformat()) for n in range(4)))
    cursor = person.answer(TOOL, patient_id=patient.pk, limit=2)["next_cursor"]
    stranger = as_user(Clinic(glucose=clinic.glucose, pressure=clinic.pressure, sleep=clinic.sleep).practitioner)
    assert stranger.refusal(TOOL, patient_id=patient.pk, cursor=cursor) == f"No patient {patient.pk} that you can see."


def test_a_cursor_of_one_order_only_moves_the_start_of_the_other(person, clinic, patient):
    record(patient, clinic.glucose, *(glucose(n, datetime(2026, 11, n, tzinfo=UTC).isoformat()) for n in range(1, 6)))
    cursor = person.answer(TOOL, patient_id=patient.pk, limit=3)["next_cursor"]
    assert values(person.answer(TOOL, patient_id=patient.pk, order="oldest", cursor=cursor)) == [4, 5]
