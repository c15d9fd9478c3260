"""/api/v1/organizations: who sees which, and what an answer holds."""

from typing import Any

import orjson
import pytest
from django.test import Client

from core.models import AuditEvent, Organization, PractitionerOrganization, User
from core.models.organization import ROOT_ID
from tests.bearer import client_of
from tests.factories import OrganizationClientFactory, OrganizationFactory, PatientFactory, UserFactory
from tests.personas import organization_of, patient_of, user_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("demo_world")]

URL = "/api/v1/organizations"


def test_mary_lists_the_organizations_she_works_for_and_what_she_is_in_each() -> None:
    answer = client_of(user_of("manager_mary")).get(URL).json()
    assert answer["count"] == 3
    assert (answer["next"], answer["previous"]) == (None, None)
    assert answer["results"][1] == {
        "id": organization_of("Saturn School of Data Science").pk,
        "name": "Saturn School of Data Science",
        "type": "team",
        "partOf": organization_of("Planetary Research Institute").pk,
        "children": [{"id": organization_of("Lifespan Lab").pk, "name": "Lifespan Lab", "type": "laboratory"}],
        "currentUserRole": "manager",
    }


def test_megan_gets_one_organization_and_no_other() -> None:
    megan = client_of(user_of("member_megan"))
    lab, foreign = organization_of("Lifespan Lab"), organization_of("Cosmic Cardio Lab")
    assert megan.get(f"{URL}/{lab.pk}").json()["currentUserRole"] == "member"
    refused = megan.get(f"{URL}/{foreign.pk}")
    assert (refused.status_code, refused.json()) == (
        404,
        {"detail": f"No organization {foreign.pk} that you can see."},
    )


def send(client: Client, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    data = orjson.dumps(body) if body is not None else b""
    return client.generic(method, f"{URL}{path}", data, content_type="application/json")


@pytest.fixture
def mary() -> Client:
    return client_of(user_of("manager_mary"))


@pytest.fixture
def admin() -> Client:
    return client_of(user_of("admin"))


@pytest.fixture
def lab() -> Organization:
    return organization_of("Lifespan Lab")


def names(answer: Any) -> list[str]:
    return [row["name"] for row in answer.json()["results"]]


def test_a_patient_works_for_no_organization() -> None:
    assert client_of(user_of("ll_patient_peter")).get(URL).json()["results"] == []


def test_the_list_can_be_narrowed(admin: Client) -> None:
    assert names(admin.get(URL, {"search": "lab"})) == ["Lifespan Lab", "Neptunian Pulse Lab", "Cosmic Cardio Lab"]
    assert names(admin.get(URL, {"type": "team"})) == ["Saturn School of Data Science"]
    assert names(admin.get(URL, {"part_of": ROOT_ID})) == ["Planetary Research Institute", "Neptune Health System"]
    assert names(admin.get(URL, {"partOf": 99999})) == []


def test_the_types_are_the_eighteen() -> None:
    types = client_of(user_of("viewer_victor")).get(f"{URL}/types").json()
    assert (len(types), types["prov"], types["health-data-aggregator"]) == (
        18,
        "Healthcare Provider",
        "Health Data Aggregator",
    )


def test_mark_sees_the_tree_below_his_health_system_down_to_where_he_works(admin: Client) -> None:
    def drawn(tree: dict[str, Any]) -> dict[str, Any]:
        return {child["name"]: drawn(child) for child in tree["children"]}

    top = organization_of("Neptune Health System").pk
    mark = client_of(user_of("manager_mark")).get(f"{URL}/{top}/tree").json()
    assert (mark["name"], mark["currentUserRole"]) == ("Neptune Health System", "manager")
    assert drawn(mark) == {"Department of Medicine": {"Cardiology Division": {"Neptunian Pulse Lab": {}}}}
    cosmic = admin.get(f"{URL}/{top}/tree").json()["children"][0]["children"][0]["children"][1]
    assert (cosmic["name"], cosmic["currentUserRole"]) == ("Cosmic Cardio Lab", "superuser")


def test_a_tree_that_is_deeper_than_an_answer_ends_at_its_last_level(admin: Client) -> None:
    organization = top = OrganizationFactory()
    for _ in range(40):
        organization = OrganizationFactory(part_of=organization)
    node, levels = admin.get(f"{URL}/{top.pk}/tree").json(), 0
    while node["children"]:
        node, levels = node["children"][0], levels + 1
    assert levels == 31
    assert admin.get(f"{URL}/{node['id']}/tree").json()["children"]


def test_mary_makes_an_organization_below_hers_and_manages_it(mary: Client, lab: Organization) -> None:
    made = send(mary, "POST", "", {"name": "Sleep Room", "type": "team", "partOf": lab.pk})
    assert made.status_code == 201
    assert (made.json()["partOf"], made.json()["currentUserRole"]) == (lab.pk, "manager")
    assert mary.get(f"{URL}/{made.json()['id']}").json() == made.json()


def test_a_superuser_who_is_no_practitioner_makes_an_organization_too(admin: Client) -> None:
    made = send(admin, "POST", "", {"name": "New Institute", "type": "edu", "partOf": ROOT_ID}).json()
    assert made["currentUserRole"] == "superuser"
    assert not PractitionerOrganization.objects.filter(organization=made["id"]).exists()


def test_there_is_one_root(admin: Client, lab: Organization) -> None:
    second = send(admin, "POST", "", {"name": "Root", "type": "root", "partOf": ROOT_ID})
    assert (second.status_code, "one root" in second.json()["detail"]) == (400, True)
    assert send(admin, "PATCH", f"/{lab.pk}", {"type": "root"}).status_code == 400
    assert send(admin, "PATCH", f"/{ROOT_ID}", {"partOf": lab.pk}).status_code == 409
    assert send(admin, "DELETE", f"/{ROOT_ID}").status_code == 409
    assert send(admin, "PATCH", f"/{ROOT_ID}", {"name": "All"}).json()["name"] == "All"


def test_an_organization_moves_only_to_where_one_manages(mary: Client, lab: Organization) -> None:
    planetary, foreign = organization_of("Planetary Research Institute"), organization_of("Cardiology Division")
    assert send(mary, "PATCH", f"/{lab.pk}", {"partOf": planetary.pk}).json()["partOf"] == planetary.pk
    refused = send(mary, "PATCH", f"/{lab.pk}", {"partOf": foreign.pk})
    assert (refused.status_code, refused.json()["detail"]) == (404, f"No organization {foreign.pk} that you can see.")


def test_what_was_read_can_be_sent_back(mary: Client, lab: Organization) -> None:
    read = mary.get(f"{URL}/{lab.pk}").json()
    assert send(mary, "PUT", f"/{lab.pk}", {**read, "name": "Renamed"}).json() == {**read, "name": "Renamed"}


def test_an_organization_is_deleted_when_nothing_depends_on_it(mary: Client, lab: Organization) -> None:
    made = send(mary, "POST", "", {"name": "Short-lived", "type": "team", "partOf": lab.pk}).json()["id"]
    assert send(mary, "DELETE", f"/{made}").status_code == 204
    assert mary.get(f"{URL}/{made}").status_code == 404


@pytest.mark.parametrize(
    ("name", "kind"), [("Saturn School of Data Science", "sub-organizations"), ("Lifespan Lab", "studies")]
)
def test_an_organization_stays_while_something_depends_on_it(admin: Client, name: str, kind: str) -> None:
    organization = organization_of(name)
    refused = send(admin, "DELETE", f"/{organization.pk}")
    sentence = f"Organization {organization.pk} has {kind}: move or delete them first."
    assert (refused.status_code, refused.json()["detail"]) == (409, sentence)


def test_an_organization_with_patients_stays(admin: Client) -> None:
    clinic = OrganizationFactory()
    PatientFactory(organizations=[clinic])
    refused = send(admin, "DELETE", f"/{clinic.pk}")
    assert (refused.status_code, "has patients" in refused.json()["detail"]) == (409, True)


def test_an_organization_with_clients_stays(admin: Client) -> None:
    clinic = OrganizationClientFactory().organization
    refused = send(admin, "DELETE", f"/{clinic.pk}")
    assert (refused.status_code, "has OAuth clients" in refused.json()["detail"]) == (409, True)


def test_victor_sees_who_works_with_him(lab: Organization) -> None:
    colleagues = client_of(user_of("viewer_victor")).get(f"{URL}/{lab.pk}/users").json()["results"]
    assert [(row["email"], row["role"]) for row in colleagues] == [
        ("manager_mary@example.com", "manager"),
        ("member_megan@example.com", "member"),
        ("viewer_victor@example.com", "viewer"),
        ("three_org_tom@example.com", "viewer"),
    ]
    megan = user_of("member_megan")
    assert colleagues[1] == {
        "id": megan.pk,
        "practitionerId": megan.practitioner.pk,
        "email": "member_megan@example.com",
        "firstName": "Megan",
        "lastName": "Mills",
        "role": "member",
    }


def role_in(organization: Organization, user: User) -> str | None:
    held = PractitionerOrganization.objects.filter(organization=organization, practitioner__user=user)
    return held.values_list("role", flat=True).first()


def test_mary_changes_the_role_of_a_colleague_as_older_clients_send_it(mary: Client, lab: Organization) -> None:
    megan = user_of("member_megan")
    body = {"jhe_user_id": megan.pk, "organization_partitioner_role": "viewer"}
    assert send(mary, "POST", f"/{lab.pk}/user", body).json()["role"] == "viewer"
    assert role_in(lab, megan) == "viewer"


def test_mary_adds_somebody_by_the_email_of_their_account(mary: Client, lab: Organization) -> None:
    newcomer = UserFactory(email="nora@example.com")
    assert send(mary, "POST", f"/{lab.pk}/user", {"email": "Nora@Example.com", "role": "member"}).status_code == 200
    assert role_in(lab, newcomer) == "member"


@pytest.mark.parametrize(
    "person",
    [
        {"email": "nobody@example.com"},
        {"email": "admin@example.com"},
        {"email": "ll_patient_peter@example.com"},
        {"userId": "admin"},
        {"userId": "manager_mark"},
        {"userId": "npl_patient_percy"},
        {"userId": 99_999},
    ],
    ids=lambda person: str(*person.values()),
)
def test_who_cannot_be_given_a_role_is_refused_with_one_sentence(
    mary: Client, lab: Organization, person: dict[str, Any]
) -> None:
    if isinstance(person.get("userId"), str):
        person = {"userId": user_of(person["userId"]).pk}
    before = PractitionerOrganization.objects.count()
    refused = send(mary, "POST", f"/{lab.pk}/user", {**person, "role": "viewer"})
    sentence = "No such account that you can give a role: name a colleague by id, anybody else by e-mail."
    assert (refused.status_code, refused.json()["detail"]) == (404, sentence)
    assert PractitionerOrganization.objects.count() == before


@pytest.mark.parametrize("role", ["superuser", "self", "participant", "owner", ""])
def test_an_organization_gives_its_own_three_roles_alone(mary: Client, lab: Organization, role: str) -> None:
    megan = user_of("member_megan")
    refused = send(mary, "POST", f"/{lab.pk}/user", {"jheUserId": megan.pk, "role": role, "isSuperuser": True})
    assert (refused.status_code, role_in(lab, megan)) == (400, "member")


def test_nobody_becomes_more_than_the_role_says(mary: Client, lab: Organization) -> None:
    megan = user_of("member_megan")
    body = {"jheUserId": megan.pk, "role": "viewer", "isSuperuser": True, "is_staff": True, "userType": "admin"}
    assert send(mary, "POST", f"/{lab.pk}/user", body).status_code == 200
    megan.refresh_from_db()
    assert (megan.is_superuser, megan.is_staff) == (False, False)


def test_a_manager_does_not_touch_a_superuser_who_works_there(mary: Client, admin: Client, lab: Organization) -> None:
    boss = user_of("three_org_tom")
    User.objects.filter(pk=boss.pk).update(is_superuser=True)
    for method, path, body in (
        ("POST", "user", {"jheUserId": boss.pk, "role": "manager"}),
        ("POST", "user", {"email": boss.email, "role": "manager"}),
        ("DELETE", "remove_user", {"jheUserId": boss.pk}),
    ):
        assert send(mary, method, f"/{lab.pk}/{path}", body).status_code == 404
    assert role_in(lab, boss) == "viewer"
    assert send(admin, "POST", f"/{lab.pk}/user", {"jheUserId": boss.pk, "role": "member"}).status_code == 200


@pytest.mark.parametrize("way", ["body", "query"])
def test_mary_ends_the_role_of_a_colleague_who_sees_nothing_more(mary: Client, lab: Organization, way: str) -> None:
    megan = user_of("member_megan")
    client = client_of(megan)
    peter = patient_of("ll_patient_peter").pk
    assert client.get(f"/api/v1/patients/{peter}").status_code == 200
    sent = {"body": ("", {"jheUserId": megan.pk}), "query": (f"?jheUserId={megan.pk}", None)}[way]
    assert send(mary, "DELETE", f"/{lab.pk}/remove_user{sent[0]}", sent[1]).status_code == 204
    assert client.get(f"/api/v1/patients/{peter}").status_code == 404
    assert client.get(URL).json()["results"] == []
    assert send(mary, "DELETE", f"/{lab.pk}/remove_user{sent[0]}", sent[1]).status_code == 404


def test_the_studies_of_an_organization(mary: Client, lab: Organization) -> None:
    assert names(mary.get(f"{URL}/{lab.pk}/studies")) == ["Lifespan Study on BP & HR", "Lifespan Study on BP"]


def test_looking_at_organizations_leaves_one_audit_row_without_patients(mary: Client) -> None:
    mary.get(URL)
    event = AuditEvent.objects.filter(door="rest").get()
    assert (event.action, event.outcome, event.patient_ids) == ("GET api/v1/organizations", "success", [])
