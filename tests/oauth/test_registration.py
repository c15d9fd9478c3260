"""Clients that register themselves (RFC 7591, RFC 7592): what a stranger gets, and what not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.cache import caches
from django.http import HttpResponse
from django.test import Client
from oauth2_provider.models import AccessToken, Application

from core.models import User
from tests.oauth import flow

pytestmark = pytest.mark.django_db

CALLBACK = "http://127.0.0.1:33418/callback"
ASSISTANT: dict[str, Any] = {
    "client_name": "Research Assistant",
    "redirect_uris": [CALLBACK],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
    "scope": "openid mcp",
    "client_uri": "https://assistant.example.org",
}


@pytest.fixture(autouse=True)
def nobody_has_registered_yet(db: None) -> Iterator[None]:
    for cache in caches.all():
        cache.clear()
    yield
    for cache in caches.all():
        cache.clear()


def register(_body: Any = None, *, client: Client | None = None, **changes: Any) -> HttpResponse:
    body = {**ASSISTANT, **changes} if _body is None else _body
    body = {name: value for name, value in body.items() if value is not None} if isinstance(body, dict) else body
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return (client or Client()).post("/o/register/", text, content_type="application/json")


def refusal(response: HttpResponse) -> str:
    assert response.status_code == 400, response.content
    said = response.json()
    assert said["error_description"]
    assert not Application.objects.exclude(registration_source="manual").exists()
    return said["error"]


def manage(registered: dict[str, Any], method: str, body: Any = None, *, token: str | None = None) -> HttpResponse:
    return Client().generic(
        method,
        registered["registration_client_uri"].removeprefix(configured.BASE_URL),
        "" if body is None else json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token or registered['registration_access_token']}"},
    )


def test_a_stranger_registers_a_public_client_and_is_told_all_of_it() -> None:
    response = register()
    said = response.json()
    assert response.status_code == 201
    assert "no-store" in response["Cache-Control"]
    assert said.pop("registration_access_token")
    client_id = said.pop("client_id")
    assert said.pop("client_id_issued_at")
    assert said == {
        "client_name": "Research Assistant",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "registration_client_uri": f"{configured.BASE_URL}/o/register/{client_id}/",
    }
    row = Application.objects.get(client_id=client_id)
    assert (row.registration_source, row.client_type, row.user) == ("dcr", "public", None)


def test_a_client_that_names_no_method_gets_a_secret_that_is_kept_hashed_and_works(somebody: User) -> None:
    said = register(token_endpoint_auth_method=None, grant_types=None, response_types=None, scope=None).json()
    assert (said["token_endpoint_auth_method"], said["client_secret_expires_at"]) == ("client_secret_basic", 0)
    row = Application.objects.get(client_id=said["client_id"])
    assert said["client_secret"] not in row.client_secret
    code = flow.code_for_web(somebody, row, CALLBACK)
    request = {"client_id": row.client_id, "redirect_uri": CALLBACK}
    assert flow.refused(flow.redeem(code, **request)) == "invalid_client"
    assert flow.redeem(code, **request, client_secret=said["client_secret"]).status_code == 200


def test_a_registered_client_logs_somebody_in_on_any_port_of_its_loopback_address(somebody: User) -> None:
    client_id = register().json()["client_id"]
    row = Application.objects.get(client_id=client_id)
    elsewhere = "http://127.0.0.1:50999/callback"
    code = flow.code_for_web(somebody, row, elsewhere)
    tokens = flow.redeem(code, client_id=client_id, redirect_uri=elsewhere)
    assert tokens.json().keys() >= {"access_token", "refresh_token", "id_token"}


@pytest.mark.parametrize(
    "uri",
    [
        "https://assistant.example.org/callback",
        "https://assistant.example.org:8443/callback?tenant=1",
        "http://localhost:33418/callback",
        "http://127.0.0.1/callback",
        "http://[::1]:1234/callback",
    ],
)
def test_where_a_client_may_hear_its_answer(uri: str) -> None:
    assert register(redirect_uris=[uri]).json()["redirect_uris"] == [uri]


@pytest.mark.parametrize(
    "uri",
    [
        "http://assistant.example.org/callback",
        "http://127.0.0.1.example.org/callback",
        "http://localhost.example.org/callback",
        "http://127.0.0.2/callback",
        "http://0.0.0.0/callback",
        "http://2130706433/callback",
        "https://assistant.example.org/callback#fragment",
        "https://assistant.example.org/callback#",
        "https://somebody@assistant.example.org/callback",
        "https://@assistant.example.org/callback",
        "https://assistant.example.org\\@evil.example.org/callback",
        "https://assistant.example.org/call back",
        "https://assistant.example.org/callback\n",
        "https://assistant.example.org:99999/callback",
        "https:///callback",
        "https:callback",
        "//assistant.example.org/callback",
        "/callback",
        "",
        "assistant://callback",
        "com.example.assistant:/callback",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "urn:ietf:wg:oauth:2.0:oob",
        "https://ässistant.example.org/callback",
        "https://assistant.example.org/" + "x" * 500,
        7,
        None,
        ["https://assistant.example.org/callback"],
    ],
)
def test_where_nobody_is_ever_sent(uri: Any) -> None:
    assert refusal(register(redirect_uris=[uri])) == "invalid_redirect_uri"


@pytest.mark.parametrize("uris", [[], None, "https://assistant.example.org/", {}, [CALLBACK] * 11])
def test_a_client_names_from_one_to_ten_places(uris: Any) -> None:
    assert refusal(register(redirect_uris=uris)) == "invalid_redirect_uri"


@pytest.mark.parametrize(
    "grants",
    [
        ["password"],
        ["authorization_code", "password"],
        ["implicit"],
        ["client_credentials"],
        ["authorization_code", "client_credentials"],
        ["refresh_token"],
        ["urn:ietf:params:oauth:grant-type:device_code"],
        ["urn:ietf:params:oauth:grant-type:token-exchange", "authorization_code"],
        ["authorization-code"],
        [],
        "authorization_code",
        [["authorization_code"]],
        [None],
    ],
)
def test_no_stranger_gets_another_grant(grants: Any) -> None:
    assert refusal(register(grant_types=grants)) == "invalid_client_metadata"


def test_the_device_grant_that_some_editors_name_too_is_left_out() -> None:
    said = register(grant_types=[*ASSISTANT["grant_types"], "urn:ietf:params:oauth:grant-type:device_code"]).json()
    assert said["grant_types"] == ["authorization_code", "refresh_token"]


@pytest.mark.parametrize(
    "changes",
    [
        {"response_types": ["token"]},
        {"redirect_uris": ["https://*.example.org/callback"]},
        {"response_types": "code"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": ["none"]},
        {"client_name": ["x"]},
        {"client_name": "x" * 101},
    ],
)
def test_metadata_that_cannot_be_kept_is_refused_with_a_sentence(changes: dict[str, Any]) -> None:
    assert refusal(register(**changes)) == "invalid_client_metadata"


@pytest.mark.parametrize(
    "body",
    ["", "x", "[]", "null", '"x"', "{", "[" * 16_000, b"\xff", '{"client_name": "\\ud800"}', " " * 17_000 + "{}"],
    ids=range(10),
)
def test_a_body_that_is_no_metadata_is_refused(body: Any) -> None:
    assert refusal(register(body)) == "invalid_client_metadata"


def test_a_name_is_one_line_of_plain_characters() -> None:
    said = register(client_name="  Research\n\u202eAssistant\u0000 \ufeff\uff21 ").json()
    assert said["client_name"] == "Research Assistant A"


@pytest.mark.parametrize(
    "name",
    [
        "JupyterHealth Exchange",
        "Jupyter Health",
        "ＪｕｐｙｔｅｒHealth",
        "j.u.p.y.t.e.r-health",
        "JHE login",
        "Jupyt\N{CYRILLIC SMALL LETTER IE}rhealth",
        "\N{CYRILLIC CAPITAL LETTER JE}upyter\N{CYRILLIC CAPITAL LETTER EN}ealth",
        "JupyterHea1th",
        "JupyterHeaIth",
        "JupyterHea|th",
        "J\N{GREEK CAPITAL LETTER ETA}E",
    ],
)
def test_a_client_does_not_bear_the_exchanges_name(name: str) -> None:
    assert refusal(register(client_name=name)) == "invalid_client_metadata"


@pytest.mark.parametrize("name", ["Здоровье", "健康 2", "Υγεία", "Illinois 101"])
def test_a_name_in_any_script_is_kept_as_it_is(name: str) -> None:
    assert register(client_name=name).json()["client_name"] == name


def test_what_a_stranger_cannot_set_is_ignored() -> None:
    said = register(
        client_id="jhe-mcp-stdio", client_secret="mine", skip_authorization=True, user=1, algorithm="HS256", id=1
    ).json()
    row = Application.objects.get(client_id=said["client_id"])
    assert row.client_id != "jhe-mcp-stdio"
    assert (row.skip_authorization, row.user, row.algorithm, row.hash_client_secret) == (False, None, "", True)


def test_who_is_logged_in_in_the_browser_that_sends_it_does_not_own_the_client(somebody: User) -> None:
    browser = Client()
    browser.force_login(somebody)
    said = register(client=browser).json()
    assert Application.objects.get(client_id=said["client_id"]).user is None


def test_an_address_registers_only_so_many(settings) -> None:
    settings.REGISTRATION_RATE_LIMIT = "3/d"
    assert [register().status_code for _ in range(4)] == [201, 201, 201, 429]
    refused = register()
    assert 0 < int(refused["Retry-After"]) <= 86_400
    assert refused.json()["error_description"]


def test_an_ipv6_network_counts_as_one_address(settings) -> None:
    settings.REGISTRATION_RATE_LIMIT = "1/d"
    answers = [
        register(client=Client(REMOTE_ADDR=address)).status_code
        for address in ("2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::1")
    ]
    assert answers == [201, 429, 201]


def test_registration_can_be_switched_off(settings) -> None:
    settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, "DCR_ENABLED": False}
    assert register().status_code == 404
    assert "registration_endpoint" not in Client().get("/.well-known/openid-configuration").json()


def test_the_holder_of_the_registrations_token_looks_at_it_changes_it_and_ends_it() -> None:
    registered = register().json()
    seen = manage(registered, "GET").json()
    assert (seen["client_name"], seen["redirect_uris"]) == ("Research Assistant", [CALLBACK])
    changed = manage(registered, "PUT", {**ASSISTANT, "client_name": "Another", "client_id": registered["client_id"]})
    assert changed.json()["client_name"] == "Another"
    assert manage(registered, "GET").status_code == 401
    registered["registration_access_token"] = changed.json()["registration_access_token"]
    assert manage(registered, "DELETE").status_code == 204
    assert not Application.objects.filter(client_id=registered["client_id"]).exists()


def test_a_change_is_held_to_the_same_as_a_registration() -> None:
    registered = register().json()
    for changes in (
        {"redirect_uris": ["http://evil.example.org/"]},
        {"grant_types": ["password"]},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"client_id": "jhe-mcp-stdio"},
        {"client_name": "JupyterHealth"},
    ):
        assert manage(registered, "PUT", {**ASSISTANT, **changes}).status_code == 400
    assert Application.objects.get(client_id=registered["client_id"]).redirect_uris == CALLBACK


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_nobody_else_manages_a_registration(method: str, somebody: User) -> None:
    mine, theirs = register().json(), register().json()
    of_a_person = flow.tokens(somebody, resource=None)["access_token"]
    for token in (theirs["registration_access_token"], of_a_person, "nonsense"):
        assert manage(mine, method, ASSISTANT, token=token).status_code == 401
    stdio = {**mine, "registration_client_uri": f"{configured.BASE_URL}/o/register/jhe-mcp-stdio/"}
    assert manage(stdio, method, ASSISTANT).status_code == 401
    assert Application.objects.filter(client_id=mine["client_id"]).exists()


def test_the_registrations_token_opens_nothing_else() -> None:
    token = register().json()["registration_access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    for path in ("/api/v1/organizations", "/FHIR/R5/Organization/20001", "/o/userinfo/"):
        assert Client().get(path, headers=headers).status_code in (401, 403)
    assert not flow.stands(token)
    assert not AccessToken.objects.filter(token=token).exists()


def test_the_url_of_a_registration_does_not_come_from_the_request() -> None:
    said = register(client=Client(SERVER_NAME="127.0.0.1", HTTP_X_FORWARDED_HOST="evil.example.org")).json()
    assert said["registration_client_uri"].startswith(configured.BASE_URL + "/o/register/")
