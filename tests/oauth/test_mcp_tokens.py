"""MCP tokens where OAuth clients send tokens: they are none of OAuth's, and can be ended there by whoever finds one."""

from typing import Any

import pytest
from django.test import Client
from oauth2_provider.models import Application

from core.actions.clients import STDIO_CLIENT_ID
from core.actions.mcp_tokens import create_token
from core.models import AuditEvent, McpToken
from core.policy.mcp_tokens import new_token
from tests.factories import PractitionerFactory
from tests.mcp_tokens import bearer

pytestmark = pytest.mark.django_db


@pytest.fixture
def token() -> str:
    return create_token(actor=None, door="command", user=PractitionerFactory().user)[1]


def revoke(token: str, **changes: Any) -> int:
    body = {"token": token, "client_id": STDIO_CLIENT_ID, **changes}
    return Client().post("/o/revoke_token/", body).status_code


def test_a_token_that_leaked_is_ended_by_whoever_finds_it(token: str) -> None:
    assert bearer(token).get("/api/v1/studies").status_code == 200
    assert revoke(token, token_type_hint="refresh_token") == 200
    assert bearer(token).get("/api/v1/studies").status_code == 401
    row = McpToken.objects.get()
    event = AuditEvent.objects.get(action="revoke_mcp_token")
    assert (event.user_id, event.detail["mcp_token"]) == (None, row.pk)
    assert revoke(token) == 200


def test_what_is_no_token_says_nothing_about_those_that_are(token: str) -> None:
    for wrong in (new_token(), token[:-1], McpToken.objects.get().token_hash, "jhe_pat_", "\0"):
        assert revoke(wrong) in (200, 400)
    assert revoke(token, client_id="nobody") == 401
    assert bearer(token).get("/api/v1/studies").status_code == 200


def test_a_token_is_no_secret_of_a_client(token: str) -> None:
    application = Application.objects.create(
        name="Service",
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )
    row = McpToken.objects.get()
    for client_id in (application.client_id, row.client_id):
        body = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": token}
        assert Client().post("/o/token/", body).status_code in (400, 401)


@pytest.mark.parametrize(
    "body",
    [
        {"grant_type": "refresh_token", "refresh_token": "{}"},
        {"grant_type": "authorization_code", "code": "{}", "redirect_uri": "http://127.0.0.1/callback"},
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": "{}",
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        },
    ],
)
def test_a_token_is_exchanged_for_no_other(token: str, body: dict[str, str]) -> None:
    sent = {name: value.format(token) for name, value in body.items()}
    answer = Client().post("/o/token/", {**sent, "client_id": STDIO_CLIENT_ID, "code_verifier": "x" * 43})
    assert answer.status_code in (400, 401)
    assert "access_token" not in answer.content.decode()


def test_a_token_is_no_login(token: str) -> None:
    assert bearer(token).get("/o/userinfo/").status_code == 401
    assert bearer(token).get("/o/authorize/").status_code == 302  # to the login page
    assert bearer(token).post("/o/introspect/", {"token": token}).status_code in (401, 403)
    assert bearer(token).get("/admin/").status_code == 302
