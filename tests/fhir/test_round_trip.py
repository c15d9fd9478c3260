"""The standard's own examples: each is created and reads back element for element, or is refused with a reason.

They are prepared no more than a sender here has to: a patient and an organization belong to one of ours, and so does
the study.
"""

import json
from pathlib import Path

import pytest
from django.db import transaction

from tests import personas
from tests.bearer import client_of

FHIR = "/FHIR/R5"
JSON = "application/fhir+json"
OFFICIAL = Path(__file__).parents[3] / "shared" / "data" / "fhir_r5"
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not OFFICIAL.exists(), reason="the official examples are not beside the checkout"),
]

KEPT = "201"
"""Created, and read back."""
NO_DATA_POINT = "422 Observation.valueAttachment"
NO_STUDY = "422 Consent.extension"
NOT_HERE = "405 "
NO_REQUESTS = "400 Bundle.type"

EXCEPTIONS = {
    "Consent": NO_STUDY,
    "Group": NOT_HERE,  # comes with a ResearchStudy
    "Observation": NO_DATA_POINT,
    "Practitioner": NOT_HERE,  # comes with an account, over REST
    "Observation-decimal.json": "422 Observation.code",
}
"""By type or by file; all else is kept."""

BUNDLES = {
    "Bundle-bundle-request-medsallergies.json": "200 404 404 404 404 404",
    "Bundle-bundle-transaction.json": "400 Bundle.entry[7].request.url",
    "Bundle-ussg-fht.json": "400 Bundle.entry[0].request.url",
}


@pytest.fixture(autouse=True)
def demo_world(db):
    personas.seed_demo_world()


@pytest.fixture
def admin():
    return client_of(personas.user_of("admin"))


def examples(type_name):
    return {path.name: json.loads(path.read_text()) for path in sorted(OFFICIAL.glob(f"{type_name}-*.json"))}


def prepared(resource):
    lab = {"reference": f"Organization/{personas.organization_of('Lifespan Lab').pk}"}
    match resource["resourceType"]:
        case "Patient":
            return {**resource, "managingOrganization": lab}
        case "Organization":
            return {**resource, "partOf": lab}
        case "ResearchStudy":
            return {
                **resource,
                "associatedParty": [*resource["associatedParty"], {"role": {"text": "lab"}, "party": lab}],
            }
    return resource


def send(who, method, path, body):
    return getattr(who, method)(f"{FHIR}/{path}", json.dumps(body), content_type=JSON)


def elements(resource):
    """All that a sender says: ids and versions are the exchange's to give."""
    meta = {name: value for name, value in resource.get("meta", {}).items() if name in ("profile", "security", "tag")}
    return {**{name: value for name, value in resource.items() if name != "id"}, "meta": meta}


def verdict(who, resource):
    """What became of it; nothing stays."""
    with transaction.atomic():
        answer = send(who, "post", resource["resourceType"], resource)
        if answer.status_code == 201:
            path = answer["Location"].split(FHIR + "/")[1].split("/_history")[0]
            read = elements(who.get(f"{FHIR}/{path}").json())
            said = elements(resource)
            assert {name: read.get(name) for name in said} == said
        transaction.set_rollback(True)
    return in_short(answer)


def in_short(answer):
    if answer.status_code < 400:
        return str(answer.status_code)
    issue = answer.json()["issue"][0]
    assert issue["diagnostics"].endswith(".")
    return f"{answer.status_code} {issue.get('expression', [''])[0]}"


@pytest.mark.parametrize(
    "type_name",
    ["Consent", "Device", "Group", "Observation", "Organization", "Patient", "Practitioner", "ResearchStudy"],
)
def test_each_official_example_is_kept_or_refused_with_a_reason(admin, type_name):
    found = {name: verdict(admin, prepared(resource)) for name, resource in examples(type_name).items()}
    assert found
    assert found == {name: EXCEPTIONS.get(name, EXCEPTIONS.get(type_name, KEPT)) for name in found}


def test_each_official_practitioner_reads_back_when_a_manager_writes_it(admin):
    megan = personas.user_of("member_megan").practitioner
    path = f"Practitioner/{megan.pk}"
    for name, sent in examples("Practitioner").items():
        resource = {**sent, "id": str(megan.pk)}
        mails = [point for point in resource.get("telecom", []) if point.get("system") == "email"]
        answer = send(admin, "put", path, resource)
        if mails:
            assert in_short(answer) == "422 Practitioner.telecom", name
            resource["telecom"] = [point for point in resource["telecom"] if point not in mails]
            resource = {element: value for element, value in resource.items() if value != []}
            answer = send(admin, "put", path, resource)
        assert answer.status_code == 200, (name, answer.json())
        read, said = elements(admin.get(f"{FHIR}/{path}").json()), elements(resource)
        assert {element: read.get(element) for element in said} == said, name


def test_a_study_that_names_no_organization_here_is_told_where_to_name_it(admin):
    [study] = examples("ResearchStudy").values()
    assert in_short(send(admin, "post", "ResearchStudy", study)) == "422 ResearchStudy.associatedParty"


def test_bundles_that_ask_for_nothing_are_refused_and_those_that_do_are_answered(admin):
    found = {name: _bundle_verdict(admin, bundle) for name, bundle in examples("Bundle").items()}
    assert found == {name: BUNDLES.get(name, NO_REQUESTS) for name in found}


def _bundle_verdict(who, bundle):
    answer = send(who, "post", "", bundle)
    if answer.status_code != 200:
        return in_short(answer)
    return " ".join(["200", *(entry["response"]["status"][:3] for entry in answer.json()["entry"])])
