"""Client credentials: practitioners' own clients act for them by a secret, as far as they were made for."""

import base64
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client as Browser
from oauth2_provider.models import AccessToken, Application, RefreshToken

from core.actions.emails import end_everything
from core.models import Client, Practitioner, PractitionerOrganization, User
from tests import personas
from tests.bearer import client_of
from tests.oauth import flow

pytestmark = [pytest.mark.usefixtures("demo_world"), pytest.mark.django_db]


def made_by(name: str = "manager_mary", /, **changes: Any) -> dict[str, Any]:
    """A client of this practitioner's own, as REST answers."""
    body = {"name": "Nightly report", "scopes": ["system/*.rs", "mcp"], **changes}
    token = client_of(personas.user_of(name), scope="user/*.cruds mcp own_clients")
    response = token.post("/api/v1/clients/own", body, content_type="application/json")
    assert response.status_code == 201, response.content
    said: dict[str, Any] = response.json()
    return said


def ask(made: dict[str, Any], /, **changes: Any) -> HttpResponse:
    request = {
        "grant_type": "client_credentials",
        "client_id": made["clientId"],
        "client_secret": made["clientSecret"],
        **changes,
    }
    return Browser().post("/o/token/", {name: value for name, value in request.items() if value is not None})


def token_for(made: dict[str, Any], /, **changes: Any) -> str:
    response = ask(made, **changes)
    assert response.status_code == 200, response.content
    token: str = response.json()["access_token"]
    return token


def with_token(token: str) -> Browser:
    return Browser(headers={"Authorization": f"Bearer {token}"})


def test_marys_client_reads_what_mary_reads() -> None:
    browser = with_token(token_for(made_by()))
    assert browser.get("/api/v1/users/profile").json()["email"] == "manager_mary@example.com"
    seen = {row["id"] for row in browser.get("/api/v1/studies").json()["results"]}
    assert seen == {
        row["id"] for row in client_of(personas.user_of("manager_mary")).get("/api/v1/studies").json()["results"]
    }
    assert browser.get("/FHIR/R5/Patient").json()["entry"]


def test_the_answer_has_an_access_token_and_no_other() -> None:
    said = ask(made_by()).json()
    assert said.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert said["scope"] == "system/*.rs mcp"
    row = AccessToken.objects.get(token_checksum__gt="", application__name="Nightly report")
    assert (row.user, row.id_token) == (personas.user_of("manager_mary"), None)
    assert not RefreshToken.objects.exists()


def test_the_secret_may_come_in_the_header() -> None:
    made = made_by()
    pair = base64.b64encode(f"{made['clientId']}:{made['clientSecret']}".encode()).decode()
    answer = Browser().post(
        "/o/token/", {"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {pair}"}
    )
    assert answer.status_code == 200


def test_a_token_for_the_mcp_server_says_whose_it_is_and_which_client_asked() -> None:
    made = made_by()
    claims = jwt.decode(token_for(made, resource=settings.MCP_URL, scope="mcp"), options={"verify_signature": False})
    mary = personas.user_of("manager_mary")
    assert (claims["sub"], claims["user_id"], claims["client_id"]) == (str(mary.pk), mary.pk, made["clientId"])
    assert claims["user_type"] == "practitioner"
    assert claims["jhe_permissions"]["studies"]


def test_a_client_may_ask_for_less_than_it_was_made_for_and_not_for_more() -> None:
    made = made_by(scopes=["system/Observation.rs"])
    assert ask(made, scope="system/Observation.s").json()["scope"] == "system/Observation.s"
    narrowed = "system/Observation.rs?code=https://w3id.org/openmhealth|omh:heart-rate:2.0"
    assert ask(made, scope=narrowed).json()["scope"] == narrowed
    for more in ("system/Observation.cruds", "system/Patient.rs", "system/*.rs", "mcp"):
        assert flow.refused(ask(made, scope=more)) == "invalid_scope"


@pytest.mark.parametrize(
    "scope", ["openid", "offline_access", "user/*.rs", "patient/*.rs", "launch/patient", "fhirUser", "system/*.sr"]
)
def test_a_client_without_a_login_gets_no_scope_of_one(scope: str) -> None:
    assert flow.refused(ask(made_by(), scope=scope)) == "invalid_scope"


def test_a_client_made_for_one_study_reaches_that_one_alone() -> None:
    study = personas.study_of(personas.BP)
    made = made_by(studies=[study.pk])
    browser = with_token(token_for(made))
    assert [row["id"] for row in browser.get("/api/v1/studies").json()["results"]] == [study.pk]
    claims = jwt.decode(token_for(made, resource=settings.MCP_URL), options={"verify_signature": False})
    assert claims["jhe_permissions"]["studies"] == [study.pk]
    assert claims["narrowing"] < 0


def test_a_client_without_the_scope_is_told_to_ask_for_one_of_the_system() -> None:
    response = with_token(token_for(made_by(scopes=["system/Patient.rs"]))).get("/api/v1/studies")
    assert response.status_code == 403
    assert 'scope="system/ResearchStudy.s"' in response["WWW-Authenticate"]


def test_a_wrong_secret_is_refused() -> None:
    made = made_by()
    for secret in ("wrong", "", made["clientSecret"] + "x", made["clientSecret"].lower(), None):
        assert flow.refused(ask(made, client_secret=secret)) == "invalid_client"


def test_whoever_keeps_guessing_a_secret_is_made_to_wait_and_the_client_elsewhere_is_not() -> None:
    made = made_by()
    statuses = [ask(made, client_secret="wrong").status_code for _ in range(40)]
    assert set(statuses) == {401, 429}
    waiting = ask(made)
    assert (waiting.status_code, waiting.json()["error"]) == (429, "temporarily_unavailable")
    assert int(waiting["Retry-After"]) > 0
    elsewhere = Browser(REMOTE_ADDR="192.0.2.7").post(
        "/o/token/",
        {"grant_type": "client_credentials", "client_id": made["clientId"], "client_secret": made["clientSecret"]},
    )
    assert elsewhere.status_code == 200


def test_the_token_ends_with_its_owners_account_and_no_new_one_is_given() -> None:
    made = made_by()
    browser = with_token(token_for(made))
    User.objects.filter(email="manager_mary@example.com").update(is_active=False)
    assert browser.get("/api/v1/studies").status_code == 401
    assert flow.refused(ask(made)) == "unauthorized_client"


def test_the_token_reaches_nothing_any_more_once_its_owner_has_left() -> None:
    made = made_by()
    browser = with_token(token_for(made))
    PractitionerOrganization.objects.filter(practitioner__user__email="manager_mary@example.com").delete()
    assert browser.get("/api/v1/studies").json()["results"] == []
    Practitioner.objects.filter(user__email="manager_mary@example.com").delete()
    assert browser.get("/api/v1/studies").status_code == 403
    assert flow.refused(ask(made)) == "unauthorized_client"


def test_deleting_the_client_ends_its_tokens() -> None:
    made = made_by()
    browser = with_token(token_for(made))
    assert client_of(personas.user_of("manager_mary")).delete(f"/api/v1/clients/{made['id']}").status_code == 204
    assert browser.get("/api/v1/studies").status_code == 401
    assert flow.refused(ask(made)) == "invalid_client"


@pytest.mark.parametrize("owner", [None, "manager_mary", "ll_patient_peter"])
def test_a_client_that_nobody_made_for_themselves_has_no_such_grant(owner: str | None) -> None:
    client = Client.objects.create(
        name="Made in the admin",
        user=personas.user_of(owner) if owner else None,
        client_secret="a secret of the client",
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )
    made = {"clientId": client.client_id, "clientSecret": "a secret of the client"}
    assert flow.refused(ask(made)) == "unauthorized_client"


def test_a_client_that_people_log_in_with_has_no_such_grant(web_app: Application) -> None:
    made = {"clientId": web_app.client_id, "clientSecret": "a secret of the notebook"}
    assert flow.refused(ask(made)) == "unauthorized_client"


def test_nobody_logs_in_with_an_own_client() -> None:
    made = made_by()
    browser = Browser()
    browser.force_login(personas.user_of("viewer_victor"))
    page = flow.ask(browser, client_id=made["clientId"])
    assert page.status_code == 400
    assert flow.refused(ask(made, grant_type="refresh_token", refresh_token="x")) in (
        "invalid_grant",
        "unauthorized_client",
    )


def test_an_authorization_request_that_names_the_grant_gets_no_system_scope() -> None:
    browser = Browser()
    browser.force_login(personas.user_of("manager_mary"))
    said = flow.said(flow.ask(browser, scope="system/*.rs", grant_type="client_credentials", _own_client="x"))
    assert said["error"] == "invalid_scope"


def test_an_app_of_marys_makes_no_client_of_hers_that_would_outlive_it() -> None:
    app = client_of(personas.user_of("manager_mary"), scope="openid user/*.cruds mcp mcp_tokens")
    body = {"name": "Stays", "scopes": ["system/*.rs"]}
    made = app.post("/api/v1/clients/own", body, content_type="application/json")
    assert made.status_code == 403
    assert 'scope="own_clients"' in made["WWW-Authenticate"]
    hers = made_by()
    assert app.post(f"/api/v1/clients/{hers['id']}/secret").status_code == 403
    assert ask(hers).status_code == 200, "its secret is what it was"


def test_after_a_reset_the_secrets_of_marys_own_clients_are_worth_nothing() -> None:
    made = made_by()
    token = token_for(made)
    end_everything(personas.user_of("manager_mary"))
    assert ask(made).status_code == 401
    assert Browser(headers={"Authorization": f"Bearer {token}"}).get("/api/v1/studies").status_code == 401
