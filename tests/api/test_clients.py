"""/clients: OAuth clients of organizations, looked after by their managers; secrets are shown once."""

import pytest
from django.test import Client as Browser
from oauth2_provider.models import AccessToken, Application

from core.actions.clients import STDIO_CLIENT_ID
from core.models import AuditEvent, Client, StudyClient
from tests import personas
from tests.bearer import client_of, token_of
from tests.factories import OrganizationClientFactory
from tests.oauth import flow

CLIENTS = "/api/v1/clients"
CALLBACK = "https://app.example.org/callback"


pytestmark = [pytest.mark.usefixtures("demo_world"), pytest.mark.django_db]


def as_(name: str) -> Browser:
    return client_of(personas.user_of(name))


def body(**changes):
    lab = personas.organization_of("Lifespan Lab").pk
    return {"name": "Cohort app", "organization": lab, "redirectUris": [CALLBACK], **changes}


def create(name: str = "manager_mary", /, **changes):
    return as_(name).post(CLIENTS, body(**changes), content_type="application/json")


def change(pk: int, name: str = "manager_mary", /, **changes):
    return as_(name).patch(f"{CLIENTS}/{pk}", changes, content_type="application/json")


def test_a_manager_registers_a_client_that_people_then_log_in_with():
    response = create(invitationUrl="https://app.example.org/start?code=CODE")
    assert response.status_code == 201
    assert response["Cache-Control"] == "no-store"
    said = response.json()
    lab = personas.organization_of("Lifespan Lab")
    assert {name: said[name] for name in said if name not in ("id", "clientId")} == {
        "name": "Cohort app",
        "clientType": "public",
        "redirectUris": [CALLBACK],
        "invitationUrl": "https://app.example.org/start?code=CODE",
        "organization": {"id": lab.pk, "name": "Lifespan Lab", "type": "laboratory"},
        "studies": [],
        "clientSecret": None,
    }
    mary = personas.user_of("manager_mary")
    row = Application.objects.get(client_id=said["clientId"])
    code = flow.code_for_web(mary, row, CALLBACK)
    assert flow.redeem(code, client_id=row.client_id, redirect_uri=CALLBACK).status_code == 200
    event = AuditEvent.objects.get(action="create_client")
    assert (event.user_id, event.patient_ids) == (mary.pk, [])


def test_the_secret_of_a_confidential_client_is_shown_once_and_kept_hashed():
    said = create(clientType="confidential").json()
    secret = said["clientSecret"]
    assert len(secret) > 40
    row = Application.objects.get(pk=said["id"])
    assert secret not in row.client_secret
    for path in (CLIENTS, f"{CLIENTS}/{said['id']}"):
        shown = as_("manager_mary").get(path).content.decode()
        assert secret not in shown
        assert row.client_secret not in shown
        assert "ecret" not in shown
    code = flow.code_for_web(personas.user_of("manager_mary"), row, CALLBACK)
    redeemed = {"client_id": row.client_id, "redirect_uri": CALLBACK}
    assert flow.refused(flow.redeem(code, **redeemed, client_secret="a guess")) == "invalid_client"
    assert flow.redeem(code, **redeemed, client_secret=secret).status_code == 200


@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example.org/callback",
        "http://localhost/callback",
        "https://app.example.org/callback#x",
        "https://user@app.example.org/callback",
        "https:///callback",
        "https://app.example.org/a b",
        "https://app.example.org:port/",
        "javascript:alert(1)",
        "data:text/html,x",
        "app.example.org",
        "https://évil.example.org/",
        "https://app.example.org\\@evil.example.org/",
        "myapp://callback",
    ],
)
def test_a_redirect_that_nobody_may_be_sent_to_is_refused(uri):
    response = create(redirectUris=[CALLBACK, uri])
    assert (response.status_code, response.json()["detail"][:13]) == (400, "redirectUris:")
    pk = OrganizationClientFactory(organization=personas.organization_of("Lifespan Lab")).pk
    assert change(pk, redirectUris=[uri]).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"redirectUris": []},
        {"redirectUris": None},
        {"redirectUris": CALLBACK},
        {"redirectUris": [CALLBACK] * 21},
        {"name": ""},
        {"name": None},
        {"name": "x" * 256},
        {"organization": None},
        {"clientType": "trusted"},
        {"invitationUrl": "https://app.example.org/start"},
        {"invitationUrl": "http://app.example.org/CODE"},
        {"invitationUrl": "javascript:CODE"},
    ],
)
def test_a_body_with_a_fault_is_refused(changes):
    response = create(**changes)
    assert response.status_code == 400
    assert response.json().keys() == {"detail"}
    assert Client.objects.count() == 1


def test_a_program_on_somebodys_own_computer_may_be_registered():
    assert create(redirectUris=["http://127.0.0.1/callback", "http://[::1]:9/x"]).status_code == 201


@pytest.mark.parametrize(("name", "status"), [("member_megan", 403), ("viewer_victor", 403), ("manager_mark", 404)])
def test_only_who_manages_the_organization_registers(name, status):
    assert create(name).status_code == status
    assert Client.objects.count() == 1


def test_nobody_asks_for_more_than_a_login_by_code():
    said = create(
        authorizationGrantType="password", skipAuthorization=True, algorithm="HS256", clientId="mine", user=1
    ).json()
    row = Application.objects.get(pk=said["id"])
    assert (row.authorization_grant_type, row.skip_authorization, row.algorithm, row.user_id) == (
        "authorization-code",
        False,
        "RS256",
        None,
    )
    assert row.client_id != "mine"


def test_a_list_holds_what_one_looks_after_and_what_ones_studies_use():
    lab = personas.organization_of("Lifespan Lab")
    ours = OrganizationClientFactory(organization=lab)
    shared = OrganizationClientFactory(organization=personas.organization_of("Cosmic Cardio Lab"))
    foreign = OrganizationClientFactory(organization=personas.organization_of("Cosmic Cardio Lab"))
    StudyClient.objects.create(study=personas.study_of(personas.BP), client=shared.application)

    def listed(name: str, **query) -> list[int]:
        return [row["id"] for row in as_(name).get(CLIENTS, query).json()["results"]]

    assert listed("viewer_victor") == [ours.pk, shared.pk]
    assert listed("three_org_tom") == [ours.pk, shared.pk, foreign.pk]
    assert listed("ll_patient_peter") == [shared.pk]
    assert listed("npl_patient_percy") == []
    assert len(listed("admin")) == 4
    assert listed("viewer_victor", organization_id=lab.pk) == [ours.pk]
    study = personas.study_of(personas.BP).pk
    assert listed("viewer_victor", studyId=study) == [shared.pk]
    assert listed("npl_patient_percy", studyId=study) == []


def test_each_reader_sees_of_its_studies_only_their_own():
    client = OrganizationClientFactory(organization=personas.organization_of("Lifespan Lab"))
    for name in (personas.BP, personas.O2):
        StudyClient.objects.create(study=personas.study_of(name), client=client.application)

    def studies(name: str) -> list[str]:
        return [study["name"] for study in as_(name).get(f"{CLIENTS}/{client.pk}").json()["studies"]]

    assert studies("viewer_victor") == [personas.BP]
    assert studies("three_org_tom") == [personas.BP, personas.O2]
    assert studies("ccl_patient_paul") == [personas.O2]


def test_a_study_of_ones_own_gives_no_say_over_the_client_of_another_organization():
    client = OrganizationClientFactory(organization=personas.organization_of("Cosmic Cardio Lab"))
    StudyClient.objects.create(study=personas.study_of(personas.BP), client=client.application)
    assert change(client.pk, redirectUris=["https://evil.example.org/"]).status_code == 403
    assert as_("manager_mary").delete(f"{CLIENTS}/{client.pk}").status_code == 403
    assert Client.objects.get(pk=client.pk).redirect_uris == "https://app.test.invalid/callback"


def test_a_manager_changes_what_may_change_and_nothing_else():
    client = OrganizationClientFactory(organization=personas.organization_of("Lifespan Lab"))
    before = Application.objects.filter(pk=client.pk).values("client_id", "client_type", "client_secret").get()
    said = change(
        client.pk, name="New name", redirectUris=[CALLBACK], clientType="confidential", clientSecret="x", clientId="x"
    ).json()
    assert (said["name"], said["redirectUris"], said["clientType"]) == ("New name", [CALLBACK], "public")
    assert Application.objects.filter(pk=client.pk).values("client_id", "client_type", "client_secret").get() == before


def test_a_client_moves_only_between_organizations_that_one_manages():
    client = OrganizationClientFactory(organization=personas.organization_of("Lifespan Lab"))
    assert change(client.pk, organization=personas.organization_of("Cosmic Cardio Lab").pk).status_code == 404
    moved = change(client.pk, organization=personas.organization_of("Saturn School of Data Science").pk)
    assert moved.json()["organization"]["name"] == "Saturn School of Data Science"


def test_deleting_a_client_ends_its_tokens_at_once():
    client = OrganizationClientFactory(organization=personas.organization_of("Lifespan Lab"))
    token = token_of(personas.user_of("viewer_victor"), application=client.application)
    app = Browser(headers={"Authorization": f"Bearer {token}"})
    assert app.get(CLIENTS).status_code == 200
    assert as_("manager_mary").delete(f"{CLIENTS}/{client.pk}").status_code == 204
    assert app.get(CLIENTS).status_code == 401
    assert not AccessToken.objects.filter(application_id=client.pk).exists()


def test_the_exchanges_own_client_stays_and_one_of_no_organization_is_given_one_by_a_superuser():
    own = Client.objects.get(client_id=STDIO_CLIENT_ID)
    assert as_("admin").delete(f"{CLIENTS}/{own.pk}").status_code == 409
    assert change(own.pk, "admin", name="x").status_code == 409
    made_in_the_admin = Application.objects.create(
        name="Old", client_type="public", authorization_grant_type="authorization-code", redirect_uris=CALLBACK
    )
    refused = change(made_in_the_admin.pk, "admin", invitationUrl="https://app.example.org/CODE")
    assert (refused.status_code, refused.json()["detail"][:13]) == (400, "organization:")
    lab = personas.organization_of("Lifespan Lab").pk
    assert change(made_in_the_admin.pk, "admin", organization=lab).json()["organization"]["id"] == lab


def test_a_longer_list_costs_no_more_queries(django_assert_num_queries):
    lab, client = personas.organization_of("Lifespan Lab"), as_("manager_mary")
    for _ in range(3):
        link = OrganizationClientFactory(organization=lab)
        StudyClient.objects.create(study=personas.study_of(personas.BP), client=link.application)
    with django_assert_num_queries(5) as few:
        client.get(CLIENTS, {"page_size": 1})
    with django_assert_num_queries(len(few)):
        assert len(client.get(CLIENTS).json()["results"]) == 3
