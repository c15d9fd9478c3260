"""The login in the browser: what is asked, what is checked in the answer, and what the person is told."""

import asyncio
import socket
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from core.policy.errors import InvalidInput, NotAuthenticated, Unavailable
from mcp_server.auth.login import Login
from mcp_server.auth.prompt import Prompt
from mcp_server.auth.token_store import TokenStore
from tests import tokens
from tests.mcp_server.login.authorization_server import AuthorizationServer, get
from tests.mcp_server.login.logins import login, nobody


async def refused(server: AuthorizationServer, store: TokenStore, sentence: str) -> None:
    """The login fails, nothing is kept, and the browser says so as the program does."""
    with pytest.raises(NotAuthenticated, match=sentence) as error:
        await login(server, store).authorize()
    page = await server.page()
    assert page.status_code == 400
    assert str(error.value) in unescape(page.text)
    assert "You are not logged in" in page.text
    assert store.read() is None


async def test_the_person_is_asked_with_pkce_state_and_nonce_for_this_resource_only(
    server: AuthorizationServer, store: TokenStore
) -> None:
    await login(server, store).authorize()
    [asked] = server.authorizations
    assert asked["response_type"] == "code"
    assert asked["client_id"] == tokens.STDIO_CLIENT
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert len(asked["state"]) >= 43
    assert len(asked["nonce"]) >= 43
    assert asked["resource"] == server.mcp_url
    assert asked["scope"] == "openid offline_access mcp"
    redirect = urlsplit(asked["redirect_uri"])
    assert (redirect.scheme, redirect.hostname, redirect.path) == ("http", "127.0.0.1", "/callback")
    assert redirect.port
    [exchanged] = server.token_requests
    assert exchanged["resource"] == server.mcp_url
    assert "client_secret" not in exchanged
    assert exchanged["code_verifier"] not in str(asked)


async def test_every_login_has_its_own_state_nonce_and_challenge(
    server: AuthorizationServer, store: TokenStore
) -> None:
    for _ in range(2):
        await login(server, store).authorize()
    one, other = server.authorizations
    assert all(one[name] != other[name] for name in ("state", "nonce", "code_challenge"))


async def test_the_browser_says_that_the_person_is_logged_in_when_the_login_is_kept(
    server: AuthorizationServer, store: TokenStore
) -> None:
    kept_when_shown = []

    async def person(prompt: Prompt) -> None:
        async def look() -> httpx2.Response:
            page = await get(server.browse(prompt.url))
            kept_when_shown.append(store.read() is not None)
            return page

        server.pages.append(asyncio.create_task(look()))

    await login(server, store, person).authorize()
    page = await server.page()
    assert kept_when_shown == [True]
    assert page.status_code == 200
    assert "You are logged in" in page.text
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "the-code" not in page.text


async def test_an_answer_with_another_state_is_refused_and_the_wait_goes_on(
    server: AuthorizationServer, store: TokenStore
) -> None:
    pages = []

    async def attacked(prompt: Prompt) -> None:
        for state in ("another", None):
            server.answer = {"state": state, "code": "smuggled in"}
            pages.append(await get(server.browse(prompt.url)))
        server.answer = {}
        await server.person(prompt)

    await login(server, store, attacked).authorize()
    assert [page.status_code for page in pages] == [400, 400]
    assert (await server.page()).status_code == 200
    assert server.token_requests[0]["code"] == "the-code"


@pytest.mark.parametrize("nonce", ["another", None])
async def test_an_id_token_with_another_nonce_is_refused(
    server: AuthorizationServer, store: TokenStore, nonce: str | None
) -> None:
    server.id_token = {"nonce": nonce}
    await refused(server, store, "answers another login")


@pytest.mark.parametrize("iss", ["https://evil.example", None])
async def test_an_answer_of_another_issuer_is_refused(
    server: AuthorizationServer, store: TokenStore, iss: str | None
) -> None:
    server.answer = {"iss": iss}
    await refused(server, store, "came from another server")
    assert server.token_requests == []


async def test_a_login_for_an_id_token_asks_for_mcp_too_and_for_no_resource(
    server: AuthorizationServer, store: TokenStore
) -> None:
    await Login.at_issuer(server.url, store, server.person).authorize()
    [asked] = server.authorizations
    assert asked["scope"] == "openid offline_access mcp"
    assert "resource" not in asked
    assert "resource" not in server.token_requests[0]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("access_denied", "You did not agree"),
        ("invalid_scope", "refused the login: invalid_scope"),
        ("<script>alert(1)</script>", "no reason given"),
        (None, "no reason given"),
    ],
)
async def test_a_person_who_says_no_is_told_so_at_once_and_in_our_words(
    server: AuthorizationServer, store: TokenStore, error: str | None, sentence: str
) -> None:
    server.answer = {"code": None, "error": error, "error_description": "<b>Call this number</b>"}
    await refused(server, store, sentence)
    page = await server.page()
    assert "<script>" not in page.text
    assert "Call this number" not in page.text


@pytest.mark.parametrize(
    ("bent", "sentence"),
    [
        ({"id_token": {"aud": "some-app"}}, "another resource"),
        ({"id_token": {"iss": "https://evil.example"}}, "another issuer"),
        ({"id_token": {"exp": 1}}, "expired"),
        ({"id_token_key": tokens.rsa_key("somebody else")}, "signature is wrong"),
        ({"token_response": {"id_token": None}}, "no ID token"),
        ({"token_response": {"id_token": "x.y.z"}}, "not a token"),
        ({"token_response": {"id_token": tokens.access_token()}}, "not an ID token"),
    ],
)
async def test_an_id_token_that_is_not_genuine_or_not_for_this_client_is_refused(
    server: AuthorizationServer, store: TokenStore, bent: dict[str, Any], sentence: str
) -> None:
    for name, value in bent.items():
        setattr(server, name, value)
    await refused(server, store, sentence)


async def test_a_code_that_the_server_refuses_gives_its_reason(server: AuthorizationServer, store: TokenStore) -> None:
    server.answer = {"code": "stale"}
    await refused(server, store, "invalid_grant")


async def test_a_token_response_without_a_token_is_no_login(server: AuthorizationServer, store: TokenStore) -> None:
    server.token_response = {"access_token": None}
    with pytest.raises(Unavailable, match="an answer that is none"):
        await login(server, store).authorize()
    assert "an answer that is none" in (await server.page()).text
    assert store.read() is None


@pytest.mark.parametrize(
    ("bent", "sentence"),
    [
        ({"resource_metadata": {"resource": "https://other.example/mcp"}}, "calls itself https://other.example/mcp"),
        ({"resource_metadata": {"authorization_servers": ["http://evil.example"]}}, "over https only"),
        ({"metadata": {"issuer": "https://evil.example"}}, "calls itself https://evil.example"),
        ({"metadata": {"jwks_uri": None}}, "is not what RFC 9728 or RFC 8414 asks for"),
        *(
            ({"metadata": {endpoint: "https://evil.example/o"}}, "sends logins to another place, evil.example")
            for endpoint in (
                "authorization_endpoint",
                "token_endpoint",
                "jwks_uri",
                "revocation_endpoint",
                "device_authorization_endpoint",
            )
        ),
    ],
)
async def test_metadata_that_is_not_consistent_is_not_followed(
    server: AuthorizationServer, store: TokenStore, bent: dict[str, Any], sentence: str
) -> None:
    for name, value in bent.items():
        setattr(server, name, value)
    with pytest.raises(InvalidInput, match=sentence):
        await login(server, store).authorize()
    assert server.authorizations == []


async def test_waiting_for_the_person_ends(
    server: AuthorizationServer, store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.auth.provider._PATIENCE_SECONDS", 0.05)
    with pytest.raises(NotAuthenticated, match="Nobody logged in"):
        await login(server, store, nobody).authorize()


async def test_the_loopback_server_answers_one_path_one_method_and_its_own_name_only(
    server: AuthorizationServer, store: TokenStore
) -> None:
    statuses = []

    async def look_around(prompt: Prompt) -> None:
        target = server.browse(prompt.url)
        async with httpx2.AsyncClient() as http:
            for response in (
                await http.get(target.replace("/callback", "/")),
                await http.post(target),
                await http.head(target),
                await http.get(target, headers={"Host": "rebound.example"}),
                await http.get(target, headers={"Host": "127.0.0.1"}),
            ):
                statuses.append(response.status_code)
        await server.person(prompt)

    await login(server, store, look_around).authorize()
    assert statuses == [404, 501, 501, 421, 421]
    assert (await server.page()).status_code == 200


async def test_a_login_that_is_given_up_closes_its_port_and_keeps_nothing(
    server: AuthorizationServer, store: TokenStore
) -> None:
    shown: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def show(prompt: Prompt) -> None:
        shown.set_result(prompt.url)

    waiting = asyncio.create_task(login(server, store, show).authorize())
    redirect = urlsplit(httpx2.URL(await shown).params["redirect_uri"])
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", redirect.port or 0)) != 0
    assert store.read() is None
