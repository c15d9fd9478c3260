"""A call that needs a login: it waits for the person, opens one window however many wait, and tells how that ended."""

import asyncio
from typing import Any

import httpx2
import pytest

from core.policy.errors import InvalidInput, Unavailable
from mcp_server.auth.login import Login, LoginNeeded
from mcp_server.auth.prompt import Prompt
from mcp_server.auth.token_store import TokenStore
from tests.mcp_server.login.authorization_server import AuthorizationServer, get
from tests.mcp_server.login.logins import logged_in, login, nobody


class Window:
    """The browser window that a login opens, before anybody has done anything in it."""

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []
        self.opened = asyncio.Event()

    async def show(self, prompt: Prompt) -> None:
        self.prompts.append(prompt)
        self.opened.set()


async def over(person: Login) -> None:
    while person.prompt is not None:
        await asyncio.sleep(0.01)


async def test_calls_wait_for_the_person_and_answer_by_themselves_with_one_window(
    server: AuthorizationServer, store: TokenStore
) -> None:
    window = Window()
    person = login(server, store, window.show, wait=60)
    calls = [asyncio.create_task(person.access_token()) for _ in range(5)]
    await window.opened.wait()
    assert person.prompt == window.prompts[0]
    page = await get(server.browse(window.prompts[0].url))
    assert await asyncio.gather(*calls) == ["access-1"] * 5
    assert "You are logged in" in page.text
    assert len(window.prompts) == 1
    assert person.prompt is None
    await person.aclose()


async def test_the_call_after_the_page_that_says_so_has_the_token(
    server: AuthorizationServer, store: TokenStore
) -> None:
    window = Window()
    person = login(server, store, window.show)
    with pytest.raises(LoginNeeded) as refusal:
        await person.access_token()
    [prompt] = window.prompts
    assert prompt.url in str(refusal.value)
    assert (await get(server.browse(prompt.url))).status_code == 200
    assert await person.access_token() == "access-1"
    await person.aclose()


async def test_a_call_that_has_waited_long_enough_says_where_to_log_in(
    server: AuthorizationServer, store: TokenStore
) -> None:
    window = Window()
    person = login(server, store, window.show, wait=0.05)
    for _ in range(2):
        with pytest.raises(LoginNeeded, match="Log in here: http"):
            await person.access_token()
    assert len(window.prompts) == 1
    await person.aclose()


async def test_everybody_who_waits_is_told_that_the_person_said_no_and_the_next_call_asks_again(
    server: AuthorizationServer, store: TokenStore
) -> None:
    window = Window()
    person = login(server, store, window.show, wait=60)
    calls = [asyncio.create_task(person.access_token()) for _ in range(3)]
    await window.opened.wait()
    server.answer = {"code": None, "error": "access_denied"}
    await get(server.browse(window.prompts[0].url))
    for refusal in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(refusal, LoginNeeded)
        assert "You did not agree" in str(refusal)
    server.answer, window.opened = {}, asyncio.Event()
    again = asyncio.create_task(person.access_token())
    await window.opened.wait()
    await get(server.browse(window.prompts[1].url))
    assert await again == "access-1"
    await person.aclose()


async def test_a_login_that_failed_while_nobody_waited_is_told_in_the_next_answer(
    server: AuthorizationServer, store: TokenStore
) -> None:
    window = Window()
    person = login(server, store, window.show)
    with pytest.raises(LoginNeeded):
        await person.access_token()
    server.id_token = {"nonce": "another"}
    await get(server.browse(window.prompts[0].url))
    await over(person)
    with pytest.raises(LoginNeeded, match="answers another login"):
        await person.access_token()
    assert len(window.prompts) == 1
    await person.aclose()


async def test_a_login_that_nobody_came_to_is_asked_for_again_at_once(
    server: AuthorizationServer, store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = Window()
    monkeypatch.setattr("mcp_server.auth.provider._PATIENCE_SECONDS", 0.01)
    person = login(server, store, window.show)
    for _ in range(2):
        with pytest.raises(LoginNeeded, match="Log in here"):
            await person.access_token()
        await over(person)
    assert len(window.prompts) == 2
    await person.aclose()


async def test_a_login_in_another_program_is_found_by_a_call_that_waits(
    server: AuthorizationServer, store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.auth.login._LOOK_SECONDS", 0.01)
    window = Window()
    person = login(server, store, window.show, wait=60)
    call = asyncio.create_task(person.access_token())
    await window.opened.wait()
    await logged_in(server, store)
    assert await call == "access-1"
    await person.aclose()
    with pytest.raises(httpx2.ConnectError):
        await get(server.browse(window.prompts[0].url))


async def test_a_person_who_gives_up_is_not_waited_for(server: AuthorizationServer, store: TokenStore) -> None:
    window = Window()
    person = login(server, store, window.show, wait=60)
    call = asyncio.create_task(person.access_token())
    await window.opened.wait()
    person.give_up()
    with pytest.raises(LoginNeeded, match="given up"):
        await call


async def test_nobody_is_asked_by_a_command_that_only_looks(server: AuthorizationServer, store: TokenStore) -> None:
    with pytest.raises(LoginNeeded, match="logged out"):
        await Login.at_endpoint(server.mcp_url, store, None).access_token()
    assert server.authorizations == []


@pytest.mark.parametrize("bent", [{"status": 503}, {"metadata": {"issuer": "https://evil.example"}}])
async def test_an_exchange_that_cannot_be_asked_is_said_to_be_and_opens_no_window(
    server: AuthorizationServer, store: TokenStore, bent: dict[str, Any]
) -> None:
    for name, value in bent.items():
        setattr(server, name, value)
    person = login(server, store, nobody, wait=60)
    for _ in range(2):
        with pytest.raises((Unavailable, InvalidInput), match=r"not ready|calls itself"):
            await person.access_token()
    assert person.prompt is None
    await person.aclose()
