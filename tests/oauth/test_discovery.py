"""What clients find out by themselves: metadata, keys, and that both say what is so."""

import json

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver, resolve

from jhe.oauth import SCOPES

pytestmark = pytest.mark.django_db

BASE = settings.BASE_URL
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
        ["sub", "name", "given_name", "family_name", "email", "user_type", "user_id", "jhe_permissions", "narrowing"]
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
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "prompt_values_supported": ["none", "login"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods[:2],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": False,
    }


def test_every_url_of_the_document_leads_somewhere(document: dict) -> None:
    urls = [value for name, value in document.items() if name.endswith(("_endpoint", "_uri"))]
    assert len(urls) == 6
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
    assert Client().get(place)["Access-Control-Allow-Origin"] == "*"
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
        "/o/register/",
        "/o/device/",
        "/o/device-authorization/",
        "/o/logout/",
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
        "revoke_token/",
        "introspect/",
        "userinfo/",
    }


def test_the_document_is_json_that_any_client_reads() -> None:
    response = Client().get(PLACES[1])
    assert response["Content-Type"] == "application/json"
    assert json.loads(response.content)["issuer"] == BASE
