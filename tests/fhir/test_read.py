"""FHIR R5 read: `GET [base]/[type]/[id]`."""

import pytest
from django.test import Client

from tests import personas
from tests.bearer import client_of


@pytest.fixture(autouse=True)
def demo_world(db):
    personas.seed_demo_world()


def test_a_manager_reads_an_organization_of_theirs():
    lab = personas.organization_of("Lifespan Lab")
    answer = client_of(personas.user_of("manager_mary")).get(f"/FHIR/R5/Organization/{lab.pk}")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/fhir+json"
    assert answer["ETag"] == 'W/"1"'
    assert (answer.json()["id"], answer.json()["name"]) == (str(lab.pk), "Lifespan Lab")


@pytest.mark.parametrize("path", ["/fhir/r5/Organization/{}", "/FHIR/R5/Organization/{}/"])
def test_other_spellings_of_the_url_are_the_same(path):
    lab = personas.organization_of("Lifespan Lab")
    assert client_of(personas.user_of("manager_mary")).get(path.format(lab.pk)).status_code == 200


def test_a_foreign_organization_and_a_missing_one_are_refused_alike():
    client = client_of(personas.user_of("viewer_victor"))
    foreign = personas.organization_of("Cosmic Cardio Lab").pk
    answers = [client.get(f"/FHIR/R5/Organization/{id_}") for id_ in (foreign, 29999)]
    assert [answer.status_code for answer in answers] == [404, 404]
    sentences = [answer.json()["issue"][0]["diagnostics"] for answer in answers]
    assert sentences[0].replace(str(foreign), "29999") == sentences[1]


@pytest.mark.parametrize("id_", ["x", "0x1", "007", "9" * 64, "-1", "1.0", "%C2%B2"])
def test_what_cannot_be_an_id_is_not_found(id_):
    answer = client_of(personas.user_of("manager_mary")).get(f"/FHIR/R5/Organization/{id_}")
    assert answer.status_code == 404
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_nobody_reads_without_a_token():
    answer = Client().get("/FHIR/R5/Organization/20001")
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (401, "login")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_xml_is_refused():
    answer = client_of(personas.user_of("manager_mary")).get("/FHIR/R5/Organization/20001", {"_format": "xml"})
    assert answer.status_code == 406
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.fixture
def organization():
    return f"/FHIR/R5/Organization/{personas.organization_of('Lifespan Lab').pk}"


def test_what_is_known_already_is_not_sent_again(organization):
    client = client_of(personas.user_of("manager_mary"))
    first = client.get(organization)
    for headers in (
        {"If-None-Match": first["ETag"]},
        {"If-None-Match": '"0", W/"1"'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": first["Last-Modified"]},
        {"If-Modified-Since": "Fri, 31 Dec 9999 23:59:59 -1200"},
    ):
        again = client.get(organization, headers=headers)
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", 'W/"1"'), headers


@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": 'W/"2"'},
        {"If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
        {"If-None-Match": 'W/"2"', "If-Modified-Since": "Thu, 01 Jan 2099 00:00:00 GMT"},
    ],
)
def test_what_has_changed_is_sent(organization, headers):
    assert client_of(personas.user_of("manager_mary")).get(organization, headers=headers).status_code == 200


def test_what_others_see_otherwise_is_always_sent():
    """Members may come and go while the study stays as it is."""
    group = f"/FHIR/R5/Group/{personas.study_of(personas.BP).pk}"
    client = client_of(personas.user_of("manager_mary"))
    assert client.get(group, headers={"If-None-Match": client.get(group)["ETag"]}).status_code == 200


def test_a_head_has_the_headers_alone(organization):
    answer = client_of(personas.user_of("manager_mary")).head(organization)
    assert (answer.status_code, answer.content, answer["ETag"]) == (200, b"", 'W/"1"')


def test_a_part_can_be_read(organization):
    client = client_of(personas.user_of("manager_mary"))
    part = client.get(organization, {"_elements": "name"}).json()
    assert set(part) == {"resourceType", "id", "meta", "name"}
    assert part["meta"]["tag"] == [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
    ]
    assert "tag" not in client.get(organization, {"_summary": "false"}).json()["meta"]
    assert client.get(organization, {"_summary": "x"}).status_code == 400


def test_a_token_for_something_else_reads_nothing(organization):
    answer = client_of(personas.user_of("manager_mary"), scope="user/Organization.s").get(organization)
    assert answer.status_code == 403
    assert 'scope="user/Organization.r"' in answer["WWW-Authenticate"]
