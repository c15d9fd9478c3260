"""Whatever comes in, a refusal is a status and one sentence, never a fault of the server."""

import re
from typing import Any

import orjson
import pytest
from django.test import Client

from core.models import AuditEvent, Organization
from tests.bearer import client_of
from tests.factories import MembershipFactory, StudyFactory

pytestmark = pytest.mark.django_db

JSON = "application/json"


@pytest.fixture
def organization() -> Organization:
    return MembershipFactory(role="manager").organization


@pytest.fixture
def mary(organization: Organization) -> Client:
    """The organization's manager."""
    return client_of(organization.memberships.get().practitioner.user)


def detail(answer: Any) -> str:
    assert answer["Content-Type"] == JSON
    [(name, sentence)] = answer.json().items()
    assert name == "detail"
    return str(sentence)


def test_nobody_gets_in_without_a_token_and_is_told_what_kind() -> None:
    answer = Client().get("/api/v1/organizations")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer ")
    assert detail(answer)


def test_a_token_that_does_not_stand_is_no_token() -> None:
    answer = Client(headers={"Authorization": "Bearer x"}).get("/api/v1/organizations")
    assert (answer.status_code, "invalid_token" in answer["WWW-Authenticate"]) == (401, True)


@pytest.mark.parametrize("path", ["organisations", "organizations/", "organizations/x", "studies/" + "9" * 30, ""])
def test_a_url_that_is_no_route_says_so_in_json(mary: Client, path: str) -> None:
    answer = mary.get(f"/api/v1/{path}")
    assert (answer.status_code, detail(answer)) == (404, "No such route. URLs of this API end without a slash.")


def test_missing_and_forbidden_get_the_same_sentence(mary: Client) -> None:
    foreign = StudyFactory().pk
    answers = [mary.get(f"/api/v1/studies/{pk}") for pk in (foreign, foreign + 1)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert len({re.sub(r"\d+", "N", detail(answer)) for answer in answers}) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"1",
        b"{]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"name":' * 5_000,
        b'{"name": NaN}',
        b'{"name": 1e999}',
        b'{"name": "\\ud800"}',
        b'{"name": "\\u0000"}',
        b'{"\\u0000": 1}',
        b'{"name": {"a": 1}, "type": []}',
        b'{"name": "x", "type": "nothing", "partOf": 1}',
        b'{"name": "x", "type": "team", "partOf": "many"}',
        b'{"name": "x", "type": "team", "partOf": true}',
        b'{"name": "x", "type": "team", "partOf": ' + b"9" * 5_000 + b"}",
        b'{"name": "x", "type": "team", "partOf": 9223372036854775808}',
        b'{"name": "' + b"x" * 256 + b'", "type": "team", "partOf": 1}',
        b'{"name": "x", "type": "team", "partOf": 1, "part_of": 2}',
    ],
)
def test_a_body_that_cannot_be_is_refused_with_a_sentence(mary: Client, body: bytes) -> None:
    before = Organization.objects.count()
    answer = mary.post("/api/v1/organizations", body, content_type=JSON)
    assert answer.status_code == 400
    assert detail(answer).endswith(".")
    assert Organization.objects.count() == before


@pytest.mark.parametrize("key", [b"\\u0000", b"name\\\\\\u0000"])
def test_a_nul_is_found_after_a_backslash_too(mary: Client, key: bytes) -> None:
    answer = mary.post("/api/v1/organizations", b'{"' + key + b'": 1}', content_type=JSON)
    assert "NUL" in detail(answer)


def test_a_text_that_spells_an_escape_is_no_nul(mary: Client, organization: Organization) -> None:
    body = b'{"name": "\\\\u0000", "type": "team", "partOf": %d}' % organization.pk
    assert mary.post("/api/v1/organizations", body, content_type=JSON).json()["name"] == "\\u0000"


def test_of_a_name_that_comes_twice_the_last_one_counts(mary: Client, organization: Organization) -> None:
    body = b'{"name": "first", "name": "last", "type": "team", "partOf": %d}' % organization.pk
    assert mary.post("/api/v1/organizations", body, content_type=JSON).json()["name"] == "last"


@pytest.mark.parametrize("query", ["a=%00", "search=%00", "search=%2500%00"])
def test_a_nul_in_a_query_is_refused_in_json(mary: Client, query: str) -> None:
    answer = mary.get(f"/api/v1/organizations?{query}")
    assert (answer.status_code, "NUL" in detail(answer) or "Null" in detail(answer)) == (400, True)


def test_a_number_past_64_bits_comes_back_as_it_is_kept(mary: Client) -> None:
    body = b'{"settings": {"n": %d}}' % 10**40
    answer = mary.patch("/api/v1/users/profile", body, content_type=JSON)
    assert (answer.status_code, answer.json()["settings"]) == (200, {"n": 10**40})


def test_a_fault_deep_in_a_body_is_named_with_its_place(mary: Client, organization: Organization) -> None:
    body = {
        "nameFamily": "A",
        "nameGiven": "B",
        "organizations": [organization.pk],
        "identifiers": [{"system": "s", "value": "v"}, {"system": "s"}],
    }
    answer = mary.post("/api/v1/patients", orjson.dumps(body), content_type=JSON)
    assert (answer.status_code, detail(answer)) == (400, "identifiers[1].value: This field is required.")


def test_a_patch_leaves_out_members_of_the_body_and_no_part_of_what_is_in_one(mary: Client) -> None:
    new = {"nameFamily": "A", "nameGiven": "B", "organizations": [Organization.objects.get().pk]}
    patient = mary.post("/api/v1/patients", orjson.dumps(new), content_type=JSON).json()["id"]
    body = orjson.dumps({"identifiers": [{"system": "s"}]})
    answer = mary.patch(f"/api/v1/patients/{patient}", body, content_type=JSON)
    assert (answer.status_code, detail(answer)) == (400, "identifiers[0].value: This field is required.")
    assert mary.patch(f"/api/v1/patients/{patient}", b"{}", content_type=JSON).status_code == 200


@pytest.mark.parametrize("content_type", ["text/xml", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_that_is_no_json_is_415(mary: Client, content_type: str) -> None:
    answer = mary.generic("POST", "/api/v1/organizations", b"<a/>", content_type=content_type)
    assert answer.status_code == 415
    assert content_type.split(";")[0] in detail(answer)


def test_who_wants_no_json_gets_406(mary: Client) -> None:
    answer = mary.get("/api/v1/organizations", headers={"Accept": "text/html"})
    assert answer.status_code == 406
    assert detail(answer)


@pytest.mark.parametrize("accept", ["*/*", "application/*", "text/html, */*;q=0.1", "application/json; charset=utf-8"])
def test_who_can_read_json_gets_it(mary: Client, accept: str) -> None:
    assert mary.get("/api/v1/organizations", headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize("name", ["partOf", "part_of"])
def test_a_name_is_understood_in_camel_case_and_in_snake_case(
    mary: Client, organization: Organization, name: str
) -> None:
    body = orjson.dumps({"name": "Room", "type": "team", name: organization.pk})
    answer = mary.post("/api/v1/organizations", body, content_type=JSON)
    assert (answer.status_code, answer.json()["partOf"]) == (201, organization.pk)


def test_a_head_is_a_get_without_its_body(mary: Client) -> None:
    answer = mary.head("/api/v1/organizations")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_refusal_leaves_its_row_in_the_audit_trail_and_names_the_route_alone(mary: Client) -> None:
    mary.get("/api/v1/studies/1")
    event = AuditEvent.objects.get()
    assert (event.door, event.action, event.outcome) == ("rest", "GET api/v1/studies/<id:pk>", "refused")


def test_a_rule_of_the_database_is_a_conflict_with_its_sentence(mary: Client, organization: Organization) -> None:
    below = mary.post(
        "/api/v1/organizations",
        orjson.dumps({"name": "Below", "type": "team", "partOf": organization.pk}),
        content_type=JSON,
    ).json()["id"]
    answer = mary.patch(f"/api/v1/organizations/{organization.pk}", orjson.dumps({"partOf": below}), content_type=JSON)
    assert (answer.status_code, detail(answer)) == (
        409,
        "An organization cannot be part of one of its own sub-organizations.",
    )
