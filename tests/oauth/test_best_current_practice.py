"""RFC 9700 and what RFC 9207, RFC 9068 and RFC 8707 ask for, as the configuration and each answer have it."""

import jwt
import pytest
from django.conf import settings
from django.test import Client
from oauth2_provider.models import AccessToken, RefreshToken
from oauth2_provider.settings import DEFAULTS, oauth2_settings

from core.models import User
from tests.oauth import flow

GATES = sorted(name for name in DEFAULTS if name.startswith("COMPLIANT_BCP_RFC9700_"))


def test_the_library_has_gates() -> None:
    assert len(GATES) >= 10


@pytest.mark.parametrize("gate", GATES)
def test_every_gate_of_rfc_9700_is_closed(gate: str) -> None:
    assert getattr(oauth2_settings, gate) is True


def test_pkce_is_required_and_nothing_in_a_redirect_is_a_wildcard() -> None:
    assert oauth2_settings.PKCE_REQUIRED is True
    assert oauth2_settings.ALLOW_URI_WILDCARDS is False
    assert oauth2_settings.REFRESH_TOKEN_REUSE_PROTECTION is True


def test_of_tokens_only_hashes_are_kept(somebody: User) -> None:
    flow.tokens(somebody)
    assert not AccessToken.objects.exclude(token="").exists()
    assert not RefreshToken.objects.exclude(token="").exists()


@pytest.mark.parametrize("resource", [settings.MCP_URL, settings.BASE_URL])
def test_a_signed_access_token_has_all_that_rfc_9068_requires(somebody: User, resource: str) -> None:
    token = flow.tokens(somebody, resource=resource)["access_token"]
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    required = {"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"}
    assert flow.verified(token, resource).keys() >= required


@pytest.mark.parametrize(
    "resource",
    [
        "https://elsewhere.example.org",
        settings.MCP_URL + "/more",
        settings.MCP_URL + "#fragment",
        settings.MCP_URL + "?query",
        settings.BASE_URL.upper(),
        settings.BASE_URL + "@evil.example.org",
        "mcp",
        "*",
    ],
)
def test_a_token_for_another_resource_is_refused_and_the_issuer_is_named(somebody: User, resource: str) -> None:
    browser = Client()
    browser.force_login(somebody)
    said = flow.said(flow.ask(browser, resource=resource))
    assert (said["error"], said["iss"], said["state"]) == ("invalid_target", settings.BASE_URL, flow.STATE)


@pytest.mark.parametrize("transport", ["query", "body"])
def test_an_access_token_is_taken_from_the_header_alone(somebody: User, transport: str) -> None:
    token = flow.tokens(somebody, resource=None, scope="openid user/*.rs")["access_token"]
    client = Client()
    if transport == "query":
        answers = [client.get(f"{path}?access_token={token}") for path in ("/o/userinfo/", "/api/v1/organizations")]
    else:
        answers = [client.post("/o/userinfo/", {"access_token": token})]
    assert {answer.status_code for answer in answers} == {401}
