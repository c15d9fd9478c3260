"""Introspection (RFC 7662), for services that have a secret."""

from base64 import b64encode

import pytest
from django.conf import settings
from django.test import Client
from oauth2_provider.models import Application

from core.models import User
from tests.oauth import flow


def introspect(token: str | None, client: str = "cohort-notebook:a secret of the notebook") -> dict:
    credentials = b64encode(client.encode()).decode()
    data = {} if token is None else {"token": token}
    return Client().post("/o/introspect/", data, headers={"Authorization": f"Basic {credentials}"})


@pytest.mark.parametrize("resource", [settings.MCP_URL, None])
def test_a_service_learns_about_a_token(somebody: User, web_app: Application, resource: str | None) -> None:
    told = introspect(flow.tokens(somebody, resource=resource)["access_token"]).json()
    assert told.pop("exp")
    assert told == {
        "active": True,
        "scope": "openid mcp",
        "client_id": "jhe-mcp-stdio",
        "username": somebody.email,
        **({"aud": [resource]} if resource else {}),
    }


@pytest.mark.parametrize("token", ["nonsense", "eyJhbGciOiJub25lIn0.e30.", "\0"])
def test_of_what_is_no_token_it_learns_only_that(web_app: Application, token: str) -> None:
    assert introspect(token).json() == {"active": False}


def test_the_token_of_a_deactivated_person_is_not_active(somebody: User, web_app: Application) -> None:
    token = flow.tokens(somebody)["access_token"]
    User.objects.filter(pk=somebody.pk).update(is_active=False)
    assert introspect(token).json() == {"active": False}


@pytest.mark.parametrize("kind", ["id_token", "refresh_token"])
def test_only_access_tokens_are_told_about(somebody: User, web_app: Application, kind: str) -> None:
    assert introspect(flow.tokens(somebody)[kind]).json() == {"active": False}


@pytest.mark.parametrize("client", ["cohort-notebook:wrong", "nobody:x", "jhe-mcp-stdio:", "cohort-notebook:", ":"])
def test_nobody_learns_anything_without_a_secret(somebody: User, web_app: Application, client: str) -> None:
    assert introspect(flow.tokens(somebody)["access_token"], client).status_code in (401, 403)


def test_a_token_does_not_let_its_bearer_ask(somebody: User, web_app: Application) -> None:
    token = flow.tokens(somebody, resource=None)["access_token"]
    response = Client().post("/o/introspect/", {"token": token}, headers={"Authorization": f"Bearer {token}"})
    assert response.status_code in (401, 403)


def test_a_token_is_never_sent_in_the_url(somebody: User, web_app: Application) -> None:
    assert Client().get("/o/introspect/", {"token": flow.tokens(somebody)["access_token"]}).status_code in (
        401,
        403,
        405,
    )


def test_a_question_without_a_token_is_an_error_of_the_sender(web_app: Application) -> None:
    assert introspect(None).status_code == 400
