"""The login in the browser: what is asked, what is checked in the answer, and how tokens are kept and renewed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from core.policy.errors import DomainError, InvalidInput, NotAuthenticated, Unavailable
from mcp_server.auth.discovery import issuer_of, server_of
from mcp_server.auth.login import Login, LoginNeeded
from mcp_server.auth.provider import Provider, Show
from mcp_server.auth.token_store import TokenStore
from tests import tokens
from tests.mcp_server.authorization_server import AuthorizationServer, authorization_server, get, soon


@pytest.fixture(autouse=True)
def _no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_server.auth.token_store._has_keyring", lambda: False)


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    with authorization_server() as running:
        yield running


@pytest.fixture
def store(server: AuthorizationServer, tmp_path: Path) -> TokenStore:
    return TokenStore(server.mcp_url, tmp_path)


def login(server: AuthorizationServer, store: TokenStore, show: Show | None = None) -> Login:
    return Login.at_endpoint(server.mcp_url, store, show or server.person)


async def nobody(_: str) -> None:
    """A person who does not react."""


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


async def test_every_login_has_its_own_state_nonce_and_challenge(
    server: AuthorizationServer, store: TokenStore
) -> None:
    for _ in range(2):
        await login(server, store).authorize()
    one, other = server.authorizations
    assert all(one[name] != other[name] for name in ("state", "nonce", "code_challenge"))


async def test_an_answer_with_another_state_is_refused_and_the_wait_goes_on(
    server: AuthorizationServer, store: TokenStore
) -> None:
    pages = []

    async def attacked(url: str) -> None:
        for state in ("another", None):
            server.answer = {"state": state, "code": "smuggled in"}
            pages.append(await get(server.browse(url)))
        server.answer = {}
        pages.append(await get(server.browse(url)))

    await login(server, store, attacked).authorize()
    assert [page.status_code for page in pages] == [400, 400, 200]
    assert server.token_requests[0]["code"] == "the-code"


@pytest.mark.parametrize("nonce", ["another", None])
async def test_an_id_token_with_another_nonce_is_refused(
    server: AuthorizationServer, store: TokenStore, nonce: str | None
) -> None:
    server.id_token = {"nonce": nonce}
    with pytest.raises(NotAuthenticated, match="answers another login"):
        await login(server, store).authorize()
    assert store.read() is None


@pytest.mark.parametrize("iss", ["https://evil.example", None])
async def test_an_answer_of_another_issuer_is_refused(
    server: AuthorizationServer, store: TokenStore, iss: str | None
) -> None:
    server.answer = {"iss": iss}
    pages = []

    async def person(url: str) -> None:
        pages.append((await get(server.browse(url))).text)

    with pytest.raises(NotAuthenticated, match="came from another server"):
        await login(server, store, person).authorize()
    assert server.token_requests == []
    assert pages == ["You can close this window: the program that opened it tells how the login went."]


async def test_a_login_for_an_id_token_asks_for_mcp_too_and_for_no_resource(
    server: AuthorizationServer, store: TokenStore
) -> None:
    await Login.at_issuer(server.url, store, server.person).authorize()
    [asked] = server.authorizations
    assert asked["scope"] == "openid offline_access mcp"
    assert "resource" not in asked


async def test_a_person_who_says_no_is_understood(server: AuthorizationServer, store: TokenStore) -> None:
    server.answer = {"code": None, "error": "access_denied"}
    with pytest.raises(NotAuthenticated, match="refused: access_denied"):
        await login(server, store).authorize()


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
    with pytest.raises(NotAuthenticated, match=sentence):
        await login(server, store).authorize()
    assert store.read() is None


async def test_a_code_that_the_server_refuses_gives_its_reason(server: AuthorizationServer, store: TokenStore) -> None:
    server.answer = {"code": "stale"}
    with pytest.raises(NotAuthenticated, match="invalid_grant"):
        await login(server, store).authorize()


@pytest.mark.parametrize(
    ("bent", "sentence"),
    [
        ({"resource_metadata": {"resource": "https://other.example/mcp"}}, "calls itself https://other.example/mcp"),
        ({"resource_metadata": {"authorization_servers": ["http://evil.example"]}}, "over https only"),
        ({"metadata": {"issuer": "https://evil.example"}}, "calls itself https://evil.example"),
        ({"metadata": {"token_endpoint": "http://evil.example/token"}}, "over https only"),
        ({"metadata": {"jwks_uri": None}}, "is not what RFC 9728 or RFC 8414 asks for"),
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


async def test_who_needs_a_token_is_told_to_log_in_and_has_it_afterwards(
    server: AuthorizationServer, store: TokenStore
) -> None:
    shown: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def show(url: str) -> None:
        shown.set_result(url)

    person = login(server, store, show)
    refusals = await asyncio.gather(*(person.access_token() for _ in range(5)), return_exceptions=True)
    assert {type(refusal) for refusal in refusals} == {LoginNeeded}
    url = await shown
    assert all(url in str(refusal) for refusal in refusals)
    await get(server.browse(url))
    assert await _eventually(person) == "access-1"
    await person.aclose()


async def test_another_program_finds_the_login_and_asks_nobody(server: AuthorizationServer, store: TokenStore) -> None:
    await login(server, store).authorize()
    assert await login(server, store, nobody).access_token() == "access-1"


async def test_an_old_token_is_renewed_silently_and_the_new_refresh_token_is_kept(
    server: AuthorizationServer, store: TokenStore
) -> None:
    server.expires_in = 30
    await login(server, store).authorize()
    server.expires_in = 3600
    assert await login(server, store, nobody).access_token() == "access-2"
    assert server.token_requests[1]["resource"] == server.mcp_url
    kept = store.read()
    assert kept is not None
    assert kept["refresh_token"] == "after first"


async def test_two_programs_do_not_use_one_refresh_token_twice(server: AuthorizationServer, store: TokenStore) -> None:
    server.expires_in = 30
    await login(server, store).authorize()
    server.expires_in = 3600
    programs = [login(server, store, nobody) for _ in range(4)]
    assert await asyncio.gather(*(program.access_token() for program in programs)) == ["access-2"] * 4
    assert len(server.token_requests) == 2


async def test_a_token_that_was_refused_is_renewed(server: AuthorizationServer, store: TokenStore) -> None:
    await login(server, store).authorize()
    person = login(server, store, nobody)
    first = await person.access_token()
    assert await person.access_token(refused=first) == "access-2"


async def test_a_refresh_token_that_no_longer_stands_leads_to_a_new_login(
    server: AuthorizationServer, store: TokenStore
) -> None:
    server.expires_in = 30
    await login(server, store).authorize()
    server.refresh_token = "used by a thief"
    person = login(server, store, nobody)
    with pytest.raises(LoginNeeded):
        await person.access_token()
    assert store.read() is None
    await person.aclose()


async def test_an_exchange_that_is_away_for_a_while_costs_nobody_the_login(
    server: AuthorizationServer, store: TokenStore
) -> None:
    server.expires_in = 30
    await login(server, store).authorize()
    server.expires_in, server.status = 3600, 503
    person = login(server, store, nobody)
    with pytest.raises(Unavailable):
        await person.access_token()
    server.status = 200
    assert await person.access_token() == "access-2"


async def test_an_id_token_is_renewed_by_its_own_time(server: AuthorizationServer, store: TokenStore) -> None:
    server.id_token = {"exp": soon()}
    await login(server, store).authorize()
    server.id_token = {}
    person = login(server, store, nobody)
    assert await person.access_token() == "access-1"
    assert await person.id_token()
    assert len(server.token_requests) == 2


async def test_a_refresh_may_keep_the_id_token_and_may_not_forge_one(
    server: AuthorizationServer, store: TokenStore
) -> None:
    server.expires_in = 30
    first = await login(server, store).authorize()
    server.expires_in, server.token_response = 3600, {"id_token": None}
    person = login(server, store, nobody)
    await person.access_token()
    assert await person.id_token() == first["id_token"]
    server.token_response, server.id_token_key = {}, tokens.rsa_key("somebody else")
    with pytest.raises(LoginNeeded):
        await person.access_token(refused="access-2")
    await person.aclose()


async def test_logging_out_revokes_both_tokens_and_forgets_them(server: AuthorizationServer, store: TokenStore) -> None:
    await login(server, store).authorize()
    assert await login(server, store).forget() is True
    assert [request.get("token") for request in server.token_requests[1:]] == ["first", "access-1"]
    assert store.read() is None
    assert await login(server, store).forget() is False


async def test_logging_out_works_while_the_exchange_is_away(server: AuthorizationServer, store: TokenStore) -> None:
    await login(server, store).authorize()
    server.status = 503
    assert await login(server, store).forget() is True
    assert store.read() is None


async def test_a_login_for_a_database_on_this_machine_asks_for_no_resource(
    server: AuthorizationServer, store: TokenStore
) -> None:
    await Login.at_issuer(server.url, store, server.person).authorize()
    assert "resource" not in server.authorizations[0]
    assert "resource" not in server.token_requests[0]


async def test_waiting_for_the_person_ends(
    server: AuthorizationServer, store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.auth.provider._PATIENCE_SECONDS", 0.05)
    with pytest.raises(NotAuthenticated, match="Nobody logged in"):
        await login(server, store, nobody).authorize()


async def test_the_loopback_server_answers_its_own_path_only(server: AuthorizationServer, store: TokenStore) -> None:
    pages = []

    async def look_around(url: str) -> None:
        target = server.browse(url)
        pages.append(await get(target.replace("/callback", "/")))
        pages.append(await get(target))

    await login(server, store, look_around).authorize()
    assert [page.status_code for page in pages] == [404, 200]
    assert pages[1].headers["Cache-Control"] == "no-store"
    assert "the-code" not in pages[1].text


async def test_discovery_says_what_cannot_be_reached() -> None:
    async with httpx2.AsyncClient() as http:
        for attempt in (issuer_of(http, "http://127.0.0.1:1/mcp"), server_of(http, "http://127.0.0.1:1")):
            with pytest.raises(Unavailable, match="cannot be reached"):
                await attempt


async def test_revoking_at_a_server_without_such_an_endpoint_does_nothing(server: AuthorizationServer) -> None:
    server.metadata = {"revocation_endpoint": None}
    async with httpx2.AsyncClient() as http:
        provider = Provider(await server_of(http, server.url), None)
    await provider.revoke({"access_token": "x", "refresh_token": "y"})
    assert server.token_requests == []


async def _eventually(person: Login) -> str:
    while True:
        try:
            return await person.access_token()
        except DomainError:
            await asyncio.sleep(0)
