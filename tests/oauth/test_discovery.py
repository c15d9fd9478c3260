"""What clients find out by themselves: metadata, keys, and that both say what is so."""

import json
from base64 import b64encode

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver, resolve

from core.models import User
from jhe.oauth import SCOPES
from tests.oauth import flow

pytestmark = pytest.mark.django_db

BASE = settings.BASE_URL
GRANTS = [
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
]
PLACES = [
    prefix + "/.well-known/" + name
    for prefix in ("", "/o")
    for name in ("openid-configuration", "oauth-authorization-server")
]


@pytest.fixture
def document() -> dict:
    return Client().get(PLACES[0]).json()


def test_every_well_known_place_has_the_same_document() -> None:
    assert len({Client().get(place).content for place in PLACES}) == 1


def test_the_document_says_what_works_here_and_nothing_else(document: dict) -> None:
    methods = ["client_secret_basic", "client_secret_post", "none"]
    assert document.pop("claims_supported") == sorted(
        {
            *("sub", "name", "given_name", "family_name", "email", "fhirUser"),
            *("user_type", "user_id", "jhe_permissions", "narrowing"),
        }
    )
    assert document == {
        "issuer": BASE,
        "authorization_endpoint": f"{BASE}/o/authorize/",
        "token_endpoint": f"{BASE}/o/token/",
        "userinfo_endpoint": f"{BASE}/o/userinfo/",
        "revocation_endpoint": f"{BASE}/o/revoke_token/",
        "introspection_endpoint": f"{BASE}/o/introspect/",
        "jwks_uri": f"{BASE}/o/.well-known/jwks.json",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "grant_types_supported": GRANTS,
        "subject_types_supported": ["public"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods[:2],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": True,
        "registration_endpoint": f"{BASE}/o/register/",
        "end_session_endpoint": f"{BASE}/o/logout/",
        "device_authorization_endpoint": f"{BASE}/o/device-authorization/",
    }


def test_every_url_of_the_document_leads_somewhere(document: dict) -> None:
    urls = [value for name, value in document.items() if name.endswith(("_endpoint", "_uri"))]
    assert len(urls) == 9
    for url in urls:
        assert resolve(url.removeprefix(BASE))


@pytest.mark.parametrize("place", PLACES)
def test_no_url_comes_from_the_request(place: str) -> None:
    honest = Client().get(place).content
    headers = {"Host": "127.0.0.1:9999", "X-Forwarded-Host": "evil.example.org", "X-Forwarded-Proto": "https"}
    assert Client().get(place, headers=headers).content == honest


def test_a_host_that_is_not_ours_is_refused() -> None:
    assert Client().get(PLACES[0], headers={"Host": "evil.example.org"}).status_code == 400


@pytest.mark.parametrize("place", [*PLACES, "/o/.well-known/jwks.json"])
def test_a_page_in_a_browser_may_read_it_and_nobody_can_change_it(place: str) -> None:
    assert Client().get(place, headers={"Origin": "https://app.example.org"})["Access-Control-Allow-Origin"] == "*"
    assert Client().post(place).status_code == 405


def test_the_keys_are_public_and_only_that() -> None:
    (key,) = Client().get("/o/.well-known/jwks.json").json()["keys"]
    assert key.keys() == {"kty", "alg", "use", "kid", "n", "e"}
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")


@pytest.mark.parametrize(
    "path",
    [
        "/o/applications/",
        "/o/applications/register/",
        "/o/authorized_tokens/",
        "/.well-known/oauth-protected-resource",
    ],
)
def test_what_the_library_could_also_serve_is_not_there(path: str) -> None:
    assert Client().get(path).status_code == Client().post(path).status_code == 404


def test_the_library_serves_nothing_that_is_not_listed_here() -> None:
    served = {str(pattern.pattern) for pattern in get_resolver("core.oauth.urls").url_patterns}
    assert served == {
        ".well-known/openid-configuration",
        ".well-known/oauth-authorization-server",
        ".well-known/jwks.json",
        "authorize/",
        "token/",
        "device-authorization/",
        "device/",
        "register/",
        "register/<str:client_id>/",
        "logout/",
        "revoke_token/",
        "introspect/",
        "userinfo/",
    }


def test_the_document_is_json_that_any_client_reads() -> None:
    response = Client().get(PLACES[1])
    assert response["Content-Type"] == "application/json"
    assert json.loads(response.content)["issuer"] == BASE


def token_error(grant_type: str) -> str:
    request = {"grant_type": grant_type, "client_id": "jhe-mcp-stdio", "code": "x", "refresh_token": "x"}
    return Client().post("/o/token/", request).json()["error"]


@pytest.mark.parametrize("grant", GRANTS)
def test_a_grant_that_is_listed_is_one_that_the_token_endpoint_knows(grant: str) -> None:
    assert token_error(grant) != "unsupported_grant_type"


@pytest.mark.parametrize(
    "grant", ["password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "authorization-code", ""]
)
def test_a_grant_that_is_not_listed_is_none(grant: str) -> None:
    assert token_error(grant) == "unsupported_grant_type"


@pytest.mark.parametrize("response_type", ["token", "id_token", "code id_token", "none"])
def test_a_response_type_that_is_not_listed_is_refused(somebody: User, response_type: str) -> None:
    browser = Client()
    browser.force_login(somebody)
    assert flow.said(flow.ask(browser, response_type=response_type))["error"] == "unauthorized_client"


def test_each_scope_that_is_listed_can_be_had(somebody: User, document: dict) -> None:
    browser = Client()
    browser.force_login(somebody)
    for scope in document["scopes_supported"]:
        assert flow.ask(browser, scope=f"openid {scope}").status_code == 200


def test_what_an_id_token_says_of_somebody_is_listed(somebody: User, document: dict) -> None:
    token = flow.tokens(somebody, scope="openid profile email mcp")["id_token"]
    about_the_token = {"iss", "aud", "exp", "iat", "jti", "nonce", "azp", "at_hash", "auth_time", "scope"}
    assert flow.verified(token, "jhe-mcp-stdio").keys() - about_the_token <= set(document["claims_supported"])


def test_each_algorithm_that_is_listed_has_a_key(document: dict) -> None:
    algorithms = {key["alg"] for key in Client().get("/o/.well-known/jwks.json").json()["keys"]}
    assert set(document["id_token_signing_alg_values_supported"]) <= algorithms


def test_each_way_of_showing_a_secret_that_is_listed_works(web_app, document: dict) -> None:
    secret = "a secret of the notebook"
    basic = b64encode(f"{web_app.client_id}:{secret}".encode()).decode()
    in_body = {"client_id": web_app.client_id, "client_secret": secret, "token": "x"}
    assert document["introspection_endpoint_auth_methods_supported"] == ["client_secret_basic", "client_secret_post"]
    for path in ("/o/introspect/", "/o/revoke_token/"):
        assert Client().post(path, in_body).status_code == 200
        assert Client().post(path, {"token": "x"}, headers={"Authorization": f"Basic {basic}"}).status_code == 200
        assert Client().post(path, {**in_body, "client_secret": "wrong"}).status_code == 401


def test_what_is_switched_off_is_not_listed(settings) -> None:
    off = {"DCR_ENABLED": False, "CIMD_ENABLED": False}
    settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, **off}
    document = Client().get(PLACES[0]).json()
    assert "registration_endpoint" not in document
    assert document["client_id_metadata_document_supported"] is False


def test_nothing_is_said_of_what_is_not_there(document: dict) -> None:
    for absent in ("dpop", "mtls", "tls_client", "pushed_authorization", "backchannel", "frontchannel"):
        assert not [name for name in document if absent in name]
