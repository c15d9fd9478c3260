"""Whatever is sent as an Observation is an upload or a refusal with its place, and what a data point holds likewise."""

import base64
import copy
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actions.observations import json_text
from core.fhir.observation_parse import parse
from core.open_mhealth import check_data_point
from core.policy.errors import InvalidInput
from core.seed import scopes

NOW = datetime(2026, 11, 1, tzinfo=UTC)
POINT = {
    "header": {
        "uuid": "aaaa1234-1a2b-3c4d-8e6f-000000000001",
        "schema_id": {"namespace": "omh", "name": "blood-glucose", "version": "4.0"},
        "source_creation_date_time": "2026-03-01T08:30:00-08:00",
    },
    "body": {
        "blood_glucose": {"value": 120, "unit": "mg/dL"},
        "effective_time_frame": {
            "time_interval": {
                "start_date_time": "2026-03-01T08:30:00-08:00",
                "duration": {"value": 5, "unit": "min"},
            }
        },
    },
}
RESOURCE = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "https://w3id.org/openmhealth", "code": scopes.BLOOD_GLUCOSE}]},
    "subject": {"reference": "Patient/40001"},
    "device": {"reference": "Device/70001"},
    "identifier": [{"system": "urn:app", "value": "a"}],
    "effectiveDateTime": "2026-03-01T08:30:00-08:00",
    "valueAttachment": {
        "contentType": "application/json",
        "data": base64.b64encode(json.dumps(POINT).encode()).decode(),
    },
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("2026-03-01T08:30:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)


def places(value, path=()):
    """The path to everything in a JSON value."""
    yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from places(inner, (*path, step))


def changed(whole, path, value):
    if not path:
        return value
    whole = copy.deepcopy(whole)
    inside = whole
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    return whole


def refusal(read, sent):
    """Why it is refused, or None; any other error ends the test."""
    try:
        read(sent)
    except InvalidInput as error:
        return error


def kept(point):
    check_data_point(scopes.BLOOD_GLUCOSE, point, now=NOW)
    json_text(point)


def test_the_usual_upload_is_read():
    upload = parse(RESOURCE)
    assert (upload.patient_id, upload.data_source_id, upload.coding_code) == (40001, 70001, scopes.BLOOD_GLUCOSE)
    assert (upload.data_point, upload.identifiers, upload.fhir_extra) == (POINT, (("urn:app", "a"),), None)


@pytest.mark.parametrize("data", ["{}\n\n{}", " {} {} "])
def test_base64_may_come_in_lines(data):
    text = RESOURCE["valueAttachment"]["data"]
    half = len(text) // 2
    sent = changed(RESOURCE, ("valueAttachment", "data"), data.format(text[:half], text[half:]))
    assert parse(sent).data_point == POINT


@given(path=st.sampled_from(list(places(RESOURCE))), value=ANYTHING)
def test_a_resource_with_anything_anywhere_is_read_or_refused_with_its_place(path, value):
    refused = refusal(parse, changed(RESOURCE, path, value))
    assert refused is None or all(issue.expression.startswith("Observation") for issue in refused.issues)


@given(path=st.sampled_from(list(places(POINT))), value=ANYTHING)
def test_a_data_point_with_anything_anywhere_is_valid_or_refused_with_a_sentence(path, value):
    refused = refusal(kept, changed(POINT, path, value))
    assert refused is None or str(refused).endswith(".")


@given(data=st.text(max_size=30) | st.binary(max_size=30).map(lambda sent: base64.b64encode(sent).decode()))
def test_any_attachment_is_read_or_refused(data):
    refused = refusal(parse, changed(RESOURCE, ("valueAttachment", "data"), data))
    assert refused is None or refused.issues
