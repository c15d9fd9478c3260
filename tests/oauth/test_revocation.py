"""Revocation (RFC 7009): one's own tokens, at once, with what hangs on them; nobody else's."""

from base64 import b64encode

import pytest
from django.http import HttpResponse
from django.test import Client
from oauth2_provider.models import Application

from core.models import User
from tests.oauth import flow

CALLBACK = "https://notebook.example.org/callback"
SECRET = "a secret of the notebook"


def revoke(token: str | None, client: Client | None = None, **fields: str) -> HttpResponse:
    given = {} if token is None else {"token": token}
    return (client or Client()).post("/o/revoke_token/", {"client_id": "jhe-mcp-stdio", **given, **fields})


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense", ""])
def test_an_access_token_ends_with_the_refresh_and_id_tokens_beside_it(somebody: User, hint: str) -> None:
    given = flow.tokens(somebody)
    assert revoke(given["access_token"], token_type_hint=hint).status_code == 200
    assert not flow.stands(given["access_token"])
    assert not flow.stands(given["id_token"])
    assert flow.refused(flow.refresh(given["refresh_token"])) == "invalid_grant"


def test_a_refresh_token_ends_with_everything_of_its_family(somebody: User) -> None:
    first = flow.tokens(somebody)
    second = flow.refresh(first["refresh_token"]).json()
    assert revoke(second["refresh_token"]).status_code == 200
    assert not flow.stands(second["access_token"])
    for token in (first["refresh_token"], second["refresh_token"]):
        assert flow.refused(flow.refresh(token)) == "invalid_grant"


def test_another_logins_tokens_stand(somebody: User) -> None:
    one, other = flow.tokens(somebody), flow.tokens(somebody)
    revoke(one["refresh_token"])
    assert flow.stands(other["access_token"])


@pytest.mark.parametrize("token", ["nonsense", "eyJhbGciOiJub25lIn0.e30.", "x" * 100_000])
def test_what_is_no_token_is_revoked_already(db: None, token: str) -> None:
    assert revoke(token).status_code == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_client_ends_nobody_elses_tokens_and_does_not_learn_of_them(
    somebody: User, web_app: Application, kind: str
) -> None:
    given = flow.tokens(somebody)
    credentials = b64encode(f"{web_app.client_id}:{SECRET}".encode()).decode()
    response = Client().post(
        "/o/revoke_token/", {"token": given[kind]}, headers={"Authorization": f"Basic {credentials}"}
    )
    assert (response.status_code, response.content) == (200, revoke("nonsense").content)
    assert flow.stands(given["access_token"])
    assert flow.refresh(given["refresh_token"]).status_code == 200


@pytest.mark.parametrize("secret", ["", "wrong"])
def test_a_client_with_a_secret_shows_it(somebody: User, web_app: Application, secret: str) -> None:
    code = flow.code_for_web(somebody, web_app, CALLBACK)
    given = flow.redeem(code, client_id=web_app.client_id, redirect_uri=CALLBACK, client_secret=SECRET).json()
    refused = revoke(given["access_token"], client_id=web_app.client_id, client_secret=secret)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert flow.stands(given["access_token"])
    assert revoke(given["access_token"], client_id=web_app.client_id, client_secret=SECRET).status_code == 200
    assert not flow.stands(given["access_token"])


def test_a_request_without_a_token_or_without_a_client_is_refused(db: None) -> None:
    assert revoke(None).json()["error"] == "invalid_request"
    assert Client().post("/o/revoke_token/", {"token": "x"}).status_code in (400, 401)


def test_a_token_is_never_sent_in_the_url(somebody: User) -> None:
    token = flow.tokens(somebody)["access_token"]
    assert Client().get("/o/revoke_token/", {"token": token, "client_id": "jhe-mcp-stdio"}).status_code in (400, 405)
    assert Client().post(f"/o/revoke_token/?token={token}&client_id=jhe-mcp-stdio").status_code in (400, 401)
    assert flow.stands(token)
