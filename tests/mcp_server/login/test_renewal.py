"""A login that is kept: renewed silently, shared by all programs of the person, and ended."""

import asyncio
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from core.policy.errors import Unavailable
from mcp_server.auth.discovery import server_of
from mcp_server.auth.login import GivenToken, Login, LoginNeeded
from mcp_server.auth.provider import Provider
from mcp_server.auth.token_store import TokenStore
from tests import tokens
from tests.mcp_server.login.authorization_server import AuthorizationServer, soon
from tests.mcp_server.login.logins import logged_in, login, nobody

ROOT = Path(__file__).parents[3]

_ANOTHER_PROGRAM = """
import asyncio, sys
from pathlib import Path
from mcp_server.auth.login import Login
from mcp_server.auth.token_store import TokenStore

login = Login.at_endpoint(sys.argv[1], TokenStore(sys.argv[1], Path(sys.argv[2])), None)
print(asyncio.run(login.access_token()))
"""


async def logged_in_long_ago(server: AuthorizationServer, store: TokenStore) -> None:
    """So that the tokens have to be renewed now."""
    server.expires_in = 30
    await logged_in(server, store)
    server.expires_in = 3600


async def test_another_program_finds_the_login_and_asks_nobody(server: AuthorizationServer, store: TokenStore) -> None:
    await logged_in(server, store)
    assert await login(server, store, nobody).access_token() == "access-1"


async def test_an_old_token_is_renewed_silently_and_the_new_refresh_token_is_kept(
    server: AuthorizationServer, store: TokenStore
) -> None:
    await logged_in_long_ago(server, store)
    assert await login(server, store, nobody).access_token() == "access-2"
    assert server.token_requests[1]["resource"] == server.mcp_url
    kept = store.read()
    assert kept is not None
    assert kept["refresh_token"] == "after first"


async def test_two_logins_in_one_program_do_not_use_one_refresh_token_twice(
    server: AuthorizationServer, store: TokenStore
) -> None:
    await logged_in_long_ago(server, store)
    programs = [login(server, store, nobody) for _ in range(4)]
    assert await asyncio.gather(*(program.access_token() for program in programs)) == ["access-2"] * 4
    assert len(server.token_requests) == 2


async def test_two_programs_do_not_use_one_refresh_token_twice(
    server: AuthorizationServer, store: TokenStore, tmp_path: Path
) -> None:
    await logged_in_long_ago(server, store)
    command = [sys.executable, "-c", _ANOTHER_PROGRAM, server.mcp_url, str(tmp_path)]
    environment = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring", "PYTHONPATH": str(ROOT)}
    programs = [
        await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.PIPE) for _ in range(3)
    ]
    printed = [(await program.communicate())[0].decode().strip() for program in programs]
    assert printed == ["access-2"] * 3
    assert [request["grant_type"] for request in server.token_requests] == ["authorization_code", "refresh_token"]


async def test_a_token_that_was_refused_is_renewed(server: AuthorizationServer, store: TokenStore) -> None:
    await logged_in(server, store)
    person = login(server, store, nobody)
    first = await person.access_token()
    assert await person.access_token(refused=first) == "access-2"


async def test_a_refresh_token_that_no_longer_stands_leads_to_a_new_login(
    server: AuthorizationServer, store: TokenStore
) -> None:
    await logged_in_long_ago(server, store)
    server.refresh_token = "used by a thief"
    person = login(server, store, nobody)
    with pytest.raises(LoginNeeded):
        await person.access_token()
    assert store.read() is None
    await person.aclose()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_exchange_that_is_away_for_a_while_costs_nobody_the_login(
    server: AuthorizationServer, store: TokenStore, status: int
) -> None:
    await logged_in_long_ago(server, store)
    server.post_status = status
    person = login(server, store, nobody)
    with pytest.raises(Unavailable):
        await person.access_token()
    server.post_status = 200
    assert await person.access_token() == "access-2"


async def test_a_network_that_is_down_costs_nobody_the_login(store: TokenStore, server: AuthorizationServer) -> None:
    await logged_in_long_ago(server, store)
    person = Login.at_endpoint("http://127.0.0.1:1/mcp", store, nobody)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await person.access_token()
    assert store.read() is not None


async def test_an_id_token_is_renewed_by_its_own_time(server: AuthorizationServer, store: TokenStore) -> None:
    server.id_token = {"exp": soon()}
    await logged_in(server, store)
    server.id_token = {}
    person = login(server, store, nobody)
    assert await person.access_token() == "access-1"
    assert await person.id_token()
    assert len(server.token_requests) == 2


async def test_a_refresh_may_keep_the_id_token_and_may_not_forge_one(
    server: AuthorizationServer, store: TokenStore
) -> None:
    await logged_in_long_ago(server, store)
    first = store.read()
    assert first is not None
    server.token_response = {"id_token": None}
    person = login(server, store, nobody)
    await person.access_token()
    assert await person.id_token() == first["id_token"]
    server.token_response, server.id_token_key = {}, tokens.rsa_key("somebody else")
    with pytest.raises(LoginNeeded):
        await person.access_token(refused="access-2")
    await person.aclose()


async def test_a_refresh_does_not_turn_one_person_into_another(server: AuthorizationServer, store: TokenStore) -> None:
    await logged_in_long_ago(server, store)
    server.id_token = {"sub": "99999", "user_id": 99999}
    person = login(server, store, nobody)
    with pytest.raises(LoginNeeded):
        await person.access_token()
    assert store.read() is None
    await person.aclose()


async def test_logging_out_revokes_both_tokens_and_forgets_them(server: AuthorizationServer, store: TokenStore) -> None:
    await logged_in(server, store)
    assert await login(server, store).forget() is True
    assert [request.get("token") for request in server.token_requests[1:]] == ["first", "access-1"]
    assert store.read() is None
    assert await login(server, store).forget() is False


@pytest.mark.parametrize("bent", [{"status": 503}, {"post_status": 400}, {"metadata": {"revocation_endpoint": None}}])
async def test_logging_out_works_when_the_exchange_cannot_be_told_and_says_so(
    server: AuthorizationServer, store: TokenStore, bent: dict[str, object]
) -> None:
    await logged_in(server, store)
    for name, value in bent.items():
        setattr(server, name, value)
    with pytest.raises(Unavailable):
        await login(server, store).forget()
    assert store.read() is None


async def test_revoking_at_a_server_without_such_an_endpoint_sends_no_token(server: AuthorizationServer) -> None:
    server.metadata = {"revocation_endpoint": None}
    async with httpx2.AsyncClient() as http:
        provider = Provider(await server_of(http, server.url), None)
    with pytest.raises(Unavailable):
        await provider.revoke({"access_token": "x", "refresh_token": "y"})
    assert server.token_requests == []


async def test_a_token_is_in_no_error_and_no_name_of_anything(server: AuthorizationServer, store: TokenStore) -> None:
    await logged_in_long_ago(server, store)
    server.post_status = 503
    person, given = login(server, store, nobody), GivenToken("jhe_pat_secret")
    with pytest.raises(Unavailable) as error:
        await person.access_token()
    told = f"{error.value!r} {error.value.__cause__!r} {person!r} {store!r} {given!r}"
    assert "first" not in told
    assert "access-1" not in told
    assert "jhe_pat_secret" not in told
