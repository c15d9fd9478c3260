"""Browser apps of other origins: they read what knows its caller by a token, and nothing that knows it by a cookie."""

import re
from typing import Any

import pytest
from django.test import Client

from core.models import User
from tests.bearer import client_of, token_of
from tests.oauth import flow

pytestmark = pytest.mark.django_db

APP = "https://app.example.org"
SHARED = [
    "/api/v1/users/profile",
    "/FHIR/R5/Observation",
    "/FHIR/R5/metadata",
    "/fhir/r5/Patient",
    "/FHIR/R5",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/smart-configuration",
    "/FHIR/R5/.well-known/smart-configuration",
    "/o/.well-known/openid-configuration",
    "/o/.well-known/jwks.json",
    "/o/token/",
    "/o/revoke_token/",
    "/o/userinfo/",
    "/o/register/",
]
PRIVATE = [
    "/",
    "/admin/",
    "/admin/login/",
    "/accounts/login/",
    "/accounts/password/change/",
    "/o/authorize/",
    "/o/introspect/",
    "/account/apps/",
    "/api/v1",
    "/api/v1x/users",
    "/FHIR/R5x",
]


def preflight(path: str, method: str = "GET", headers: str = "authorization") -> Any:
    return Client().options(
        path,
        headers={"Origin": APP, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers},
    )


@pytest.mark.parametrize("path", SHARED)
def test_an_app_of_any_origin_reads_the_answer_and_never_with_cookies(path: str) -> None:
    response = Client().get(path, headers={"Origin": APP})
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response


@pytest.mark.parametrize("path", SHARED)
def test_a_browser_is_told_beforehand_what_the_app_may_send(path: str) -> None:
    for method in ("GET", "POST"):
        response = preflight(path, method, "authorization, content-type, if-match, prefer")
        assert (response.status_code, response["Access-Control-Allow-Origin"]) == (200, "*")
        allowed = re.split(", *", response["Access-Control-Allow-Headers"])
        assert {"authorization", "content-type", "if-match", "if-none-exist", "prefer"} <= set(allowed)
        assert method in response["Access-Control-Allow-Methods"]
        assert "Access-Control-Allow-Credentials" not in response
        assert response.content == b""


@pytest.mark.parametrize("path", PRIVATE)
@pytest.mark.parametrize("origin", [APP, "null", "http://localhost:8000"])
def test_a_page_with_a_session_is_shared_with_no_origin(path: str, origin: str) -> None:
    for response in (
        Client().get(path, headers={"Origin": origin}),
        Client().options(path, headers={"Origin": origin, "Access-Control-Request-Method": "POST"}),
    ):
        assert not [name for name in response.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("path", ["/api/v1/users/profile", "/FHIR/R5/Patient", "/o/userinfo/"])
def test_a_session_opens_nothing_that_is_shared(somebody: User, path: str) -> None:
    browser = Client()
    browser.force_login(somebody)
    assert browser.get(path, headers={"Origin": APP}).status_code == 401


def test_an_app_with_a_token_reads_the_answer_and_its_headers(somebody: User) -> None:
    token = token_of(somebody)
    response = Client(headers={"Authorization": f"Bearer {token}", "Origin": APP}).get("/api/v1/users/profile")
    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (200, "*")
    exposed = {name.lower() for name in re.split(", *", response["Access-Control-Expose-Headers"])}
    assert {"www-authenticate", "etag", "location", "link", "retry-after", "content-location"} <= exposed


def test_an_app_reads_why_it_was_refused(somebody: User) -> None:
    refused = Client(headers={"Origin": APP}).get("/FHIR/R5/Patient")
    assert (refused.status_code, refused["Access-Control-Allow-Origin"]) == (401, "*")
    forbidden = client_of(somebody, scope="openid").get("/FHIR/R5/Patient", headers={"Origin": APP})
    assert (forbidden.status_code, forbidden["Access-Control-Allow-Origin"]) == (403, "*")
    missing = Client(headers={"Origin": APP}).get("/FHIR/R5/%00")
    assert missing["Access-Control-Allow-Origin"] == "*"


def test_an_app_in_a_browser_redeems_a_code_and_ends_its_token(somebody: User) -> None:
    browser = Client(headers={"Origin": APP})
    request = {"grant_type": "authorization_code", "code": flow.code(somebody), "client_id": "jhe-mcp-stdio"}
    answer = browser.post("/o/token/", request | {"redirect_uri": flow.REDIRECT_URI, "code_verifier": flow.VERIFIER})
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (200, "*")
    ended = browser.post("/o/revoke_token/", {"token": answer.json()["refresh_token"], "client_id": "jhe-mcp-stdio"})
    assert (ended.status_code, ended["Access-Control-Allow-Origin"]) == (200, "*")


def test_who_names_no_origin_is_told_of_none() -> None:
    assert "Access-Control-Allow-Origin" not in Client().get("/FHIR/R5/metadata")
    assert "origin" in Client().get("/FHIR/R5/metadata")["Vary"].lower()
