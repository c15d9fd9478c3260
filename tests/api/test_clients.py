"""/clients: OAuth clients of organizations, looked after by their managers; secrets are shown once."""

import pytest
from django.test import Client as Browser
from oauth2_provider.models import AccessToken, Application

from core.actions.clients import STDIO_CLIENT_ID
from core.actions.narrowings import narrow
from core.models import AuditEvent, Client, Narrowing, StudyClient
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
        "grantType": "authorization_code",
        "scopes": None,
        "limitedTo": None,
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


# Practitioners' own


def own(name: str = "viewer_victor", /, *, scope: str = "user/*.cruds mcp own_clients", narrowing=None, **changes):
    client = client_of(personas.user_of(name), scope=scope, narrowing=narrowing)
    given = {"name": "Nightly report", "scopes": ["system/Observation.rs"], **changes}
    return client.post(f"{CLIENTS}/own", given, content_type="application/json")


def renew(pk: int, name: str, **fields):
    return client_of(personas.user_of(name), **fields).post(f"{CLIENTS}/{pk}/secret")


def is_right(client_id: str, secret: str) -> bool:
    shown = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return Browser().post("/o/token/", shown).status_code == 200


def test_a_practitioner_makes_a_client_of_their_own_whose_secret_is_shown_once():
    response = own()
    assert (response.status_code, response["Cache-Control"]) == (201, "no-store")
    said = response.json()
    shown = ("clientType", "grantType", "scopes", "redirectUris", "organization")
    assert [said[name] for name in shown] == ["confidential", "client_credentials", ["system/Observation.rs"], [], None]
    victor = personas.user_of("viewer_victor")
    row = Client.objects.get(pk=said["id"])
    assert (row.user, said["clientSecret"] in row.client_secret) == (victor, False)
    assert "ecret" not in as_("viewer_victor").get(f"{CLIENTS}/{row.pk}").content.decode()
    assert AuditEvent.objects.get(action="create_client").user_id == victor.pk


def test_ones_own_clients_are_in_ones_list_and_in_nobody_elses():
    made = own().json()["id"]

    def listed(name: str, **query) -> list[int]:
        return [row["id"] for row in as_(name).get(CLIENTS, query).json()["results"]]

    assert listed("viewer_victor", own=True) == [made]
    assert made not in listed("viewer_victor", own=False)
    for name in ("manager_mary", "member_megan", "ll_patient_peter"):
        assert made not in listed(name)
        assert as_(name).get(f"{CLIENTS}/{made}").status_code == 404
    assert made in listed("admin")


@pytest.mark.parametrize("name", ["manager_mary", "three_org_tom", "ll_patient_peter"])
def test_nobody_but_the_owner_changes_ends_or_renews_it(name):
    made = own().json()
    assert change(made["id"], name, name="Mine").status_code == 404
    assert renew(made["id"], name).status_code == 404
    assert as_(name).delete(f"{CLIENTS}/{made['id']}").status_code == 404
    assert is_right(made["clientId"], made["clientSecret"])


def test_a_renewed_secret_ends_the_one_before_at_once():
    made = own().json()
    response = renew(made["id"], "viewer_victor")
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    said = response.json()
    assert said.keys() == {"clientId", "clientSecret"}
    assert not is_right(made["clientId"], made["clientSecret"])
    assert is_right(made["clientId"], said["clientSecret"])
    assert AuditEvent.objects.filter(action="renew_client_secret").count() == 1


def test_the_secret_of_an_organizations_client_is_renewed_by_who_manages_it():
    made = create(clientType="confidential").json()
    assert renew(made["id"], "member_megan").status_code == 403
    assert renew(made["id"], "manager_mark").status_code == 404
    said = renew(made["id"], "manager_mary").json()
    row = Application.objects.get(pk=made["id"])
    redeemed = {"client_id": row.client_id, "redirect_uri": CALLBACK}
    code = flow.code_for_web(personas.user_of("manager_mary"), row, CALLBACK)
    assert flow.refused(flow.redeem(code, **redeemed, client_secret=made["clientSecret"])) == "invalid_client"
    assert flow.redeem(code, **redeemed, client_secret=said["clientSecret"]).status_code == 200


def test_of_ones_own_client_the_name_changes_and_nothing_else():
    made = own().json()["id"]
    assert change(made, "viewer_victor", name="Weekly report").json()["name"] == "Weekly report"
    lab = personas.organization_of("Lifespan Lab").pk
    for changes in ({"redirectUris": [CALLBACK]}, {"invitationUrl": "https://a.example.org/CODE"}):
        assert change(made, "viewer_victor", **changes).status_code == 400
    assert change(made, "viewer_victor", organization=lab).status_code in (400, 403)
    row = Client.objects.get(pk=made)
    assert (row.redirect_uris, row.grant_type) == ("", "client_credentials")


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": []},
        {"scopes": None},
        {"scopes": "system/*.rs"},
        {"scopes": ["user/*.rs"]},
        {"scopes": ["patient/*.rs"]},
        {"scopes": ["openid"]},
        {"scopes": ["offline_access"]},
        {"scopes": ["mcp_tokens"]},
        {"scopes": ["system/Observation.sr"]},
        {"scopes": ["system/Observation.rs mcp"]},
        {"scopes": ["system/Observation.rs?code=omh:no-such-kind:1.0"]},
        pytest.param({"scopes": ["system/*.rs"] * 201}, id="too many scopes"),
        {"studies": []},
        {"studies": ["x"]},
        {"name": ""},
    ],
    ids=str,
)
def test_an_own_client_with_a_fault_is_refused(changes):
    response = own(**changes)
    assert (response.status_code, response.json().keys()) == (400, {"detail"})


def test_a_client_is_limited_only_to_what_its_owner_sees():
    assert own(studies=[personas.study_of(personas.O2).pk]).status_code == 404
    assert own(organizations=[personas.organization_of("Cosmic Cardio Lab").pk]).status_code == 404
    assert own(studies=[personas.study_of(personas.BP).pk]).status_code == 201


def test_a_token_makes_and_renews_no_client_that_can_do_more_than_itself():
    assert own(scope="own_clients user/Observation.r").status_code == 403
    assert own(scope="own_clients user/Observation.rs").status_code == 201
    assert own(scope="own_clients user/*.cruds", scopes=["mcp"]).status_code == 403
    victor = personas.user_of("viewer_victor")
    narrowing = narrow(victor, studies=[personas.study_of(personas.BP).pk])
    assert own(narrowing=narrowing).status_code == 403
    made = own(scopes=["system/*.cruds"]).json()["id"]
    assert renew(made, "viewer_victor", scope="user/Device.cruds").status_code == 403
    assert renew(made, "viewer_victor", narrowing=narrowing).status_code in (403, 404)


def test_what_an_own_client_is_limited_to_is_told_and_a_misspelt_limit_refused():
    study = personas.study_of(personas.BP).pk
    made = own(studies=[study]).json()
    assert made["limitedTo"] == {"studies": [study], "organizations": []}
    assert own().json()["limitedTo"] is None
    refused = own(study=[study])
    assert refused.status_code == 400
    assert "study: There is no such field." in refused.json()["detail"]


def test_deleting_an_own_client_leaves_nothing_of_it():
    made = own(studies=[personas.study_of(personas.BP).pk]).json()["id"]
    before = Narrowing.objects.count()
    assert as_("viewer_victor").delete(f"{CLIENTS}/{made}").status_code == 204
    assert not Client.objects.filter(pk=made).exists()
    assert Narrowing.objects.count() == before - 1
