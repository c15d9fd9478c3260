"""The schemas of data points, whole: with what get_omh_schema answers, a data point can be validated."""

import jsonschema
import pytest
from referencing import Registry
from referencing.jsonschema import DRAFT7

from core.models import AuditEvent
from mcp_server import results, schemas
from mcp_server.tools import schemas as tool
from tests.mcp_server.tools.world import Clinic

TOOL = "get_omh_schema"


@pytest.fixture
def person(transactional_db, as_user):
    return as_user(Clinic().practitioner)


def is_valid(answer, data):
    contents = [(uri, DRAFT7.create_resource(part)) for uri, part in answer["references"].items()]
    schema = {"$id": schemas.OPEN_MHEALTH, **answer["json_schema"]}
    return jsonschema.Draft7Validator(schema, registry=Registry().with_resources(contents)).is_valid(data)


@pytest.mark.parametrize("name", schemas.names())
def test_every_schema_comes_with_all_that_it_refers_to(name):
    found, schema = schemas.find(name)
    assert found == name
    answer = tool._fitting({"name": found, "json_schema": schema, "references": schemas.references(schema)})
    assert answer["truncated"] == (None in answer["references"].values())
    asked = {uri: part or schemas.find(uri)[1] for uri, part in answer["references"].items()}
    assert not is_valid({**answer, "references": asked}, {})  # every reference is found, or this raises


def test_a_data_point_is_validated_with_the_answer_alone(person):
    answer = person.answer(TOOL, name="body-weight")
    assert answer["name"] == "omh:body-weight:3.0"
    at = {"effective_time_frame": {"date_time": "2026-11-01T12:00:00Z"}}
    good, bad = ({**at, "body_weight": {"value": 70, "unit": unit}} for unit in ("kg", "bushels"))
    assert is_valid(answer, good)
    assert not is_valid(answer, bad)


@pytest.mark.parametrize(
    "name", ["omh:heart-rate:2.0", "heart-rate", "Heart rate", "heart_rate", "heart-rate:2.0", "omh:heart-rate"]
)
def test_a_name_may_be_spelled_as_people_do(name):
    assert schemas.find(name)[0] == "omh:heart-rate:2.0"


def test_an_unknown_name_is_answered_with_near_ones_and_an_ambiguous_one_with_both(person):
    near = person.refusal(TOOL, name="omh:blood-glucose:3.0")
    assert near == "There is no schema of this name. Near it: omh:blood-glucose:4.0."
    assert "omh:step-count:3.0" in person.refusal(TOOL, name="sugar")
    both = person.refusal(TOOL, name="sleep-episode")
    assert both == "name could be each of ieee:sleep-episode:1.0, omh:sleep-episode:1.1: give one of them."
    assert AuditEvent.objects.filter(action=TOOL, outcome="refused").count() == 3


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "file:///etc/passwd", "x" * 201, "a\nb", "<b>"])
def test_what_is_no_name_is_refused(person, name):
    assert "passwd" not in person.refusal(TOOL, name=name)


def test_of_a_schema_that_is_too_long_the_longest_parts_are_left_out_and_asked_for_by_uri(monkeypatch, person):
    monkeypatch.setattr(results, "MAX_CHARACTERS", 6_200)
    answer = person.answer(TOOL, name="heart-rate")
    left_out = [uri for uri, part in answer["references"].items() if part is None]
    assert answer["truncated"]
    assert left_out
    part = person.answer(TOOL, name=left_out[0])
    assert part["json_schema"]
    assert part["name"] == left_out[0]
