"""The CapabilityStatement, and that what it claims is so."""

import pytest
from django.test import Client
from fhir.resources import get_fhir_model_class

from core.fhir.capability import capability_statement
from core.fhir.registry import TYPES
from core.fhir.structure import check_structure
from core.seed import demo_world, world
from tests import personas
from tests.bearer import client_of

BASE = "/FHIR/R5"
RESOURCES = {resource["type"]: resource for resource in capability_statement()["rest"][0]["resource"]}
VALUES = {"date": "2026-09-01", "quantity": "5||mg/dL", "reference": "40001", "string": "a", "token": "a", "uri": "a"}
SENT = {
    "read": ("GET", "{type}/{id}"),
    "vread": ("GET", "{type}/{id}/_history/1"),
    "history-instance": ("GET", "{type}/{id}/_history"),
    "history-type": ("GET", "{type}/_history"),
    "search-type": ("GET", "{type}"),
    "create": ("POST", "{type}"),
    "update": ("PUT", "{type}/{id}"),
    "patch": ("PATCH", "{type}/{id}"),
    "delete": ("DELETE", "{type}/{id}"),
}


@pytest.fixture
def admin(db):
    personas.seed_demo_world()
    world.write_readings(demo_world.PATIENTS[0])
    return client_of(personas.user_of("admin"))


def test_anybody_reads_it_and_it_is_valid_r5():
    for query in ({}, {"mode": "full"}, {"mode": "normative"}):
        statement = Client().get(f"{BASE}/metadata", query).json()
        get_fhir_model_class("CapabilityStatement").model_validate(statement)
        assert statement["fhirVersion"] == "5.0.0"
        assert [resource["type"] for resource in statement["rest"][0]["resource"]] == list(TYPES)


def test_there_is_no_terminology_service():
    terminology = Client().get(f"{BASE}/metadata", {"mode": "terminology"}).json()
    check_structure(terminology, "TerminologyCapabilities")


def test_another_mode_is_refused():
    answer = Client().get(f"{BASE}/metadata", {"mode": "x"})
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


def test_nothing_is_posted_to_it():
    assert Client().post(f"{BASE}/metadata").status_code == 405


@pytest.mark.parametrize("type_name", RESOURCES)
def test_each_search_parameter_is_known_under_strict_handling(admin, type_name):
    for parameter in RESOURCES[type_name]["searchParam"]:
        for query in ({parameter["name"]: VALUES[parameter["type"]]}, {f"{parameter['name']}:missing": "true"}):
            answer = admin.get(f"{BASE}/{type_name}", query, headers={"Prefer": "handling=strict"})
            assert answer.status_code == 200, answer.content


@pytest.mark.parametrize("type_name", RESOURCES)
def test_each_include_is_carried_out(admin, type_name):
    resource = RESOURCES[type_name]
    includes = [("_include", value) for value in resource.get("searchInclude", [])]
    includes += [("_revinclude", value) for value in resource.get("searchRevInclude", [])]
    for name, value in includes:
        assert admin.get(f"{BASE}/{type_name}", {name: value, "_count": 3}).status_code == 200, value


@pytest.mark.parametrize("type_name", RESOURCES)
def test_each_interaction_is_there_or_is_not_as_it_says(admin, type_name):
    offered = {interaction["code"] for interaction in RESOURCES[type_name]["interaction"]}
    type_ = TYPES[type_name]
    id_ = type_.id_of(type_.visible_to(personas.principal_of(personas.user_of("admin"))).first())
    for code, (method, path) in SENT.items():
        media = "application/json-patch+json" if code == "patch" else "application/fhir+json"
        answer = admin.generic(method, f"{BASE}/{path.format(type=type_name, id=id_)}", "[]", content_type=media)
        assert (answer.status_code not in (405, 501)) == (code in offered), (code, answer.content)
        assert answer.status_code < 500


def test_each_operation_answers(admin):
    rest = capability_statement()["rest"][0]
    named = [("", operation["name"]) for operation in rest.get("operation", [])]
    named += [(name, op["name"]) for name, resource in RESOURCES.items() for op in resource.get("operation", [])]
    assert ("Patient", "everything") in named
    for type_name, name in named:
        paths = [f"${name}", f"{type_name}/${name}", f"{type_name}/30001/${name}"]
        statuses = {getattr(admin, verb)(f"{BASE}/{path}").status_code for path in paths for verb in ("get", "post")}
        assert statuses - {404, 405}, (type_name, name)


def test_the_login_is_where_it_says(admin):
    security = capability_statement()["rest"][0]["security"]
    uris = {extension["url"]: extension["valueUri"] for extension in security["extension"][0]["extension"]}
    configuration = Client().get("/.well-known/smart-configuration").json()
    assert uris["authorize"] == configuration["authorization_endpoint"]
    assert uris["token"] == configuration["token_endpoint"]
    assert uris["revoke"] == configuration["revocation_endpoint"]
