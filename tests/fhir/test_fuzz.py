"""Whatever is sent to FHIR's writes, the answer is a resource or an OperationOutcome, and never a fault of ours.

Valid resources are mutated, and sent in each way that changes something. What must be refused is in the tests of each
rule; what is looked for here is a 5xx.
"""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.models import CodeableConcept
from core.models.code import OPEN_MHEALTH
from core.seed import scopes
from tests import personas
from tests.bearer import client_of

FHIR = "/FHIR/R5"
JSON = "application/fhir+json"
PATCH = "application/json-patch+json"
FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Raw(str):
    """JSON text that stands where a value does, as no encoder would write it."""


LITERALS = [
    Raw("NaN"),
    Raw("Infinity"),
    Raw("1e400"),
    Raw("-0"),
    Raw("9" * 400),
    Raw('"\\ud800"'),
    Raw('"\\u0000"'),
    Raw('{"a": 1, "a": 2}'),
    Raw("[" * 2_000 + "]" * 2_000),
    Raw('{"extension": [' * 1_000 + "{}" + "]}" * 1_000),
    Raw("[" * 300 + "]" * 300),
]
TIMES = [
    "0000-00-00",
    "0001-01-01",
    "9999-12-31",
    "9999",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:60Z",
    "2016-12-31T23:59:60Z",
    "2026-02-30",
    "2026-03-01T24:00:00Z",
    "2026-03-01T08:30:00+14:00",
    "2026-03-01T08:30:00-23:59",
    "2026-03-01T08:30:00+99:99",
    "2026-03-01T08:30:00.123456789012345678901234567890Z",
]
TEXTS = [
    "",
    " ",
    "\t",
    "x" * 5_000,
    "\U0001f600" * 300,
    "\u202e",
    "é\u0301",
    "%00",
    "Patient/99999999999999999999",
    "Patient/-1",
    "Patient/1/_history/99999999999999999999",
    "Organization/9223372036854775808",
    "Organization/9223372036854775807",
    "#a",
    "urn:uuid:",
    "http://[",
    "{0}%s",
    "'; --",
]
VALUES: list[Any] = [
    *LITERALS,
    *TIMES,
    *TEXTS,
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    2**64,
    1e308,
    [],
    {},
    [None],
    [[]],
    [{}],
]


def text_of(value: Any) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{text_of(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text_of, value)) + "]"
    return json.dumps(value)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for step, part in inner for found in places(part, (*path, step)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


@st.composite
def mutated(draw: st.DrawFn, valid: Any) -> Any:
    """Up to three places of a valid resource hold something else, or an element is added to it."""
    resource = valid
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(resource)))
        resource = replaced(resource, path, draw(st.sampled_from(VALUES)))
        if isinstance(resource, Raw) or not isinstance(resource, dict):
            return resource
    if draw(st.booleans()):
        name = draw(
            st.sampled_from(["extension", "contained", "text", "meta", "id", "_birthDate", "x\\u0000", "", "a.b"])
        )
        resource = {**resource, name: draw(st.sampled_from(VALUES))}
    return resource


@pytest.fixture
def admin(db):
    personas.seed_demo_world()
    return client_of(personas.user_of("admin"))


@pytest.fixture
def valid(admin):
    """A resource of each type that is written, as somebody could send it."""
    lab = personas.organization_of("Lifespan Lab").pk
    peter, study = personas.patient_of("ll_patient_peter").pk, personas.study_of(personas.BP_AND_HR).pk
    read = {
        path.partition("/")[0]: admin.get(f"{FHIR}/{path}").json()
        for path in (
            f"Patient/{peter}",
            f"Organization/{lab}",
            f"ResearchStudy/{study}",
            f"Group/{study}",
            f"Consent/{study}-{peter}",
            f"Practitioner/{personas.user_of('member_megan').practitioner.pk}",
        )
    }
    for type_name in ("Device", "PractitionerRole"):
        read[type_name] = admin.get(f"{FHIR}/{type_name}?_count=1").json()["entry"][0]["resource"]
    read["Patient"]["text"] = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
    read["Observation"] = observation(peter)
    return read


def observation(patient: int, point: Any = None) -> dict[str, Any]:
    data = text_of(POINT if point is None else point).encode("utf-8", "replace")
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": OPEN_MHEALTH, "code": scopes.HEART_RATE}]},
        "subject": {"reference": f"Patient/{patient}"},
        "identifier": [{"system": "https://test.invalid/ids", "value": "o-1"}],
        "effectiveDateTime": "2026-03-01T08:30:00-08:00",
        "valueAttachment": {"contentType": "application/json", "data": base64.b64encode(data).decode()},
    }


POINT = {
    "header": {
        "uuid": "aaaa1234-1a2b-3c4d-8e6f-000000000001",
        "schema_id": {"namespace": "omh", "name": "heart-rate", "version": "2.0"},
        "source_creation_date_time": "2026-03-01T08:30:00-08:00",
    },
    "body": {
        "heart_rate": {"value": 61, "unit": "beats/min"},
        "effective_time_frame": {"date_time": "2026-03-01T08:30:00-08:00"},
    },
}
CREATED = ("Consent", "Device", "Observation", "Organization", "Patient", "PractitionerRole", "ResearchStudy")
CHANGED = ("Consent", "Device", "Group", "Organization", "Patient", "Practitioner", "PractitionerRole", "ResearchStudy")


def send(client: Any, method: str, path: str, body: str, kind: str = JSON, **headers: str) -> Any:
    """The answer, which is no fault and is FHIR."""
    answer = getattr(client, method)(f"{FHIR}/{path}", body, content_type=kind, headers=headers)
    assert answer.status_code < 500, (method, path, body[:2_000], answer.content[:500])
    if answer.content:
        assert "resourceType" in answer.json()
    return answer


@pytest.mark.parametrize("type_name", CREATED)
def test_no_mutated_resource_that_is_created_is_a_fault(admin, valid, type_name):
    @FEW
    @given(mutated({name: value for name, value in valid[type_name].items() if name not in ("id", "meta")}))
    def check(resource):
        send(admin, "post", type_name, text_of(resource))

    check()


@pytest.mark.parametrize("type_name", CHANGED)
def test_no_mutated_resource_that_is_updated_is_a_fault(admin, valid, type_name):
    @FEW
    @given(
        mutated(valid[type_name]), st.sampled_from(["", "*", 'W/"1"', '"1"', "1", "W/", '"99999999999999999999"', "é"])
    )
    def check(resource, if_match):
        headers = {"If-Match": if_match} if if_match else {}
        send(admin, "put", f"{type_name}/{valid[type_name]['id']}", text_of(resource), **headers)

    check()


OPERATIONS = [
    {"op": "add", "path": "/extension", "value": []},
    {"op": "replace", "path": "/name/0/family", "value": "x"},
    {"op": "remove", "path": "/birthDate"},
    {"op": "move", "from": "/name", "path": "/name/0"},
    {"op": "copy", "from": "", "path": "/contained"},
    {"op": "test", "path": "/id", "value": "1"},
]


def test_no_mutated_patch_is_a_fault(admin, valid):
    @FEW
    @given(st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=4).flatmap(_mutated_list))
    def check(operations):
        send(admin, "patch", f"Patient/{valid['Patient']['id']}", text_of(operations), PATCH)

    check()


def _mutated_list(operations: list[Any]) -> st.SearchStrategy[Any]:
    return mutated({"all": operations}).map(lambda whole: whole.get("all") if isinstance(whole, dict) else whole)


def test_no_mutated_data_point_is_a_fault(admin, valid):
    peter = personas.patient_of("ll_patient_peter").pk
    assert CodeableConcept.objects.filter(coding_code=scopes.HEART_RATE).exists()

    @FEW
    @given(mutated(POINT))
    def check(point):
        send(admin, "post", "Observation", text_of(observation(peter, point)))

    check()


QUERIES = [
    "",
    "identifier=a|b",
    "identifier=%00",
    "identifier=%FF",
    "_id=99999999999999999999",
    "family=" + "x" * 3_000,
    "birthdate=0001-01-01",
    "birthdate=le9999-12-31",
    "_lastUpdated=gt0001-01-01T00:00:00%2B14:00",
    "organization=Organization/99999999999999999999",
    "_has:Group:member:_id=1",
    "a[]=1",
    "=",
    "identifier=|",
    "phone=%ED%A0%80",
]


def test_no_condition_is_a_fault(admin, valid):
    patient = {name: value for name, value in valid["Patient"].items() if name not in ("id", "meta")}

    @FEW
    @given(st.sampled_from(QUERIES), st.sampled_from(["post", "put", "delete", "header"]), mutated(patient))
    def check(query, method, resource):
        if method == "header":
            send(admin, "post", "Patient", text_of(resource), **{"If-None-Exist": query})
        else:
            send(admin, method, f"Patient?{query}", text_of(resource))

    check()


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_no_mutated_bundle_is_a_fault(admin, valid, kind):
    entries = [
        {"resource": valid["Observation"], "request": {"method": "POST", "url": "Observation"}},
        {
            "resource": valid["Patient"],
            "request": {"method": "PUT", "url": f"Patient/{valid['Patient']['id']}", "ifMatch": 'W/"1"'},
        },
        {
            "fullUrl": "urn:uuid:1",
            "resource": {k: v for k, v in valid["Organization"].items() if k != "id"},
            "request": {"method": "POST", "url": "Organization", "ifNoneExist": "name=x"},
        },
        {"request": {"method": "DELETE", "url": "Device?device-name=x"}},
        {"request": {"method": "GET", "url": "Patient?family=x"}},
    ]

    @FEW
    @given(mutated({"resourceType": "Bundle", "type": kind, "entry": entries}))
    def check(bundle):
        send(admin, "post", "", text_of(bundle))

    check()


NO_RESOURCES = ["", " ", "null", "0", '"x"', "[]", "true", "{", "\ufeff{}", *LITERALS]


@pytest.mark.parametrize("path", ["", "Patient", "Observation", "Patient?identifier=a|b"])
def test_a_body_that_is_no_resource_is_refused(admin, path):
    answers = [send(admin, method, path, str(body)) for body in NO_RESOURCES for method in ("post", "put")]
    assert {answer.status_code for answer in answers} <= {400, 405, 415}


@pytest.mark.parametrize("path", ["Patient?identifier=%00", "Patient/%00", "%00", "Patient/1/_history?_since=%00"])
def test_a_nul_in_a_url_is_refused(admin, path):
    for method in ("get", "delete"):
        assert send(admin, method, path, "" if method == "delete" else {}).status_code in (400, 404, 405)
