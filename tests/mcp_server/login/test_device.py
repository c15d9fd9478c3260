"""Logging in on another device (RFC 8628): what is asked and shown, how often is asked again, how it ends."""

from typing import Any

import httpx2
import pytest

from core.policy.errors import InvalidInput, NotAuthenticated, Unavailable
from mcp_server.auth.device import DeviceAuthorization
from mcp_server.auth.discovery import server_of
from mcp_server.auth.prompt import Prompt
from mcp_server.auth.provider import CLIENT_ID, Provider
from mcp_server.auth.token_store import Tokens, TokenStore
from tests import tokens
from tests.mcp_server.login.authorization_server import AuthorizationServer


class Terminal:
    """What the person reads, what is kept in the end, and how long there was between two questions."""

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []
        self.kept: list[Tokens] = []
        self.slept: list[float] = []

    async def show(self, prompt: Prompt) -> None:
        self.prompts.append(prompt)

    async def keep(self, given: Tokens) -> None:
        self.kept.append(given)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def log_in(self, server: AuthorizationServer) -> None:
        async with httpx2.AsyncClient() as http:
            provider = Provider(await server_of(http, server.url), server.mcp_url)
        await provider.authorize_on_another_device(self.show, self.keep, self.sleep)


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


async def test_the_person_is_shown_an_address_and_a_code_and_is_logged_in_when_they_agree(
    server: AuthorizationServer, terminal: Terminal
) -> None:
    server.device_answers = ["authorization_pending", "authorization_pending"]
    await terminal.log_in(server)
    [prompt] = terminal.prompts
    assert prompt.sentence == (f"Log in here, on any device: {server.url}/device?user_code=WDJB-MJHT (code WDJB-MJHT)")
    [asked] = server.authorizations_of_devices
    assert asked == {"client_id": CLIENT_ID, "scope": "openid offline_access mcp", "resource": server.mcp_url}
    assert [request["resource"] for request in server.token_requests] == [server.mcp_url] * 3
    assert {request["client_id"] for request in server.token_requests} == {CLIENT_ID}
    assert terminal.slept == [5, 5, 5]
    [kept] = terminal.kept
    assert kept["access_token"] == "access-3"


async def test_an_exchange_that_gives_the_id_token_with_the_first_renewal_is_asked_for_it(
    server: AuthorizationServer, terminal: Terminal
) -> None:
    server.device_id_token = False
    await terminal.log_in(server)
    grants = [request["grant_type"].rpartition(":")[2] for request in server.token_requests]
    assert grants == ["device_code", "refresh_token"]
    [kept] = terminal.kept
    assert kept["access_token"] == "access-2"
    assert kept["id_token"]


async def test_a_server_that_is_asked_too_often_is_asked_less_often(
    server: AuthorizationServer, terminal: Terminal
) -> None:
    server.device = {"interval": 7}
    server.device_answers = ["slow_down", "authorization_pending", "slow_down"]
    await terminal.log_in(server)
    assert terminal.slept == [7, 12, 12, 17]


async def test_a_server_that_names_no_interval_and_no_complete_address_is_served(
    server: AuthorizationServer, terminal: Terminal
) -> None:
    server.device = {"interval": None, "verification_uri_complete": None}
    await terminal.log_in(server)
    assert terminal.slept == [5]
    assert terminal.prompts[0].url == f"{server.url}/device"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("access_denied", "You did not agree"),
        ("expired_token", "while the code was good"),
        ("invalid_grant", "refused the login: invalid_grant"),
    ],
)
async def test_a_person_who_says_no_or_does_not_come_is_told_so(
    server: AuthorizationServer, terminal: Terminal, answer: str, sentence: str
) -> None:
    server.device_answers = ["authorization_pending", answer]
    with pytest.raises(NotAuthenticated, match=sentence):
        await terminal.log_in(server)
    assert len(terminal.slept) == 2
    assert terminal.kept == []


async def test_the_code_is_asked_about_until_its_time_is_over_and_no_longer(
    server: AuthorizationServer, terminal: Terminal
) -> None:
    server.device = {"expires_in": 0.000001}
    with pytest.raises(NotAuthenticated, match="while the code was good"):
        await terminal.log_in(server)
    assert server.token_requests == []


@pytest.mark.parametrize(
    ("bent", "sentence"),
    [
        ({"id_token": {"aud": "some-app"}}, "another resource"),
        ({"id_token": {"iss": "https://evil.example"}}, "another issuer"),
        ({"id_token_key": tokens.rsa_key("somebody else")}, "signature is wrong"),
        ({"token_response": {"id_token": None}}, "no ID token"),
    ],
)
async def test_an_id_token_that_is_not_genuine_or_not_for_this_client_is_refused(
    server: AuthorizationServer, terminal: Terminal, bent: dict[str, Any], sentence: str
) -> None:
    for name, value in bent.items():
        setattr(server, name, value)
    with pytest.raises(NotAuthenticated, match=sentence):
        await terminal.log_in(server)
    assert terminal.kept == []


async def test_an_exchange_without_the_device_flow_is_said_to_have_none(
    server: AuthorizationServer, terminal: Terminal
) -> None:
    server.metadata = {"device_authorization_endpoint": None}
    with pytest.raises(InvalidInput, match="without --device"):
        await terminal.log_in(server)


@pytest.mark.parametrize("field", ["verification_uri", "verification_uri_complete"])
async def test_nobody_is_sent_to_another_place_to_enter_a_code(
    server: AuthorizationServer, terminal: Terminal, field: str
) -> None:
    server.device = {field: "https://evil.example/device"}
    with pytest.raises(InvalidInput, match=r"sends logins to another place, evil\.example"):
        await terminal.log_in(server)
    assert terminal.prompts == []


@pytest.mark.parametrize(
    "bent", [{"user_code": "\x1b[2JX"}, {"interval": 0}, {"expires_in": -1}, {"device_code": None}]
)
async def test_an_answer_that_makes_no_sense_is_not_shown(
    server: AuthorizationServer, terminal: Terminal, bent: dict[str, Any]
) -> None:
    server.device = bent
    with pytest.raises(Unavailable, match="an answer that is none"):
        await terminal.log_in(server)
    assert terminal.prompts == []


@pytest.mark.parametrize(("status", "kind"), [(400, NotAuthenticated), (401, NotAuthenticated), (503, Unavailable)])
async def test_an_exchange_that_gives_no_code_is_told(
    server: AuthorizationServer, terminal: Terminal, status: int, kind: type[Exception]
) -> None:
    server.post_status = status
    with pytest.raises(kind):
        await terminal.log_in(server)


def test_the_device_code_is_shown_to_nobody(server: AuthorizationServer, store: TokenStore) -> None:
    given = DeviceAuthorization.model_validate(server.device_authorization())
    assert "the-device-code" not in f"{given!r} {given.prompt!r}"
