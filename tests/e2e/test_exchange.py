"""The two services as a newcomer meets them."""

import httpx2
import pytest

from demo.person import Person
from demo.question import connected
from demo.services import DemoError, Exchange
from demo.welcome import LOGINS, PASSWORD


@pytest.mark.parametrize("path", ["/healthz", "/health"])
def test_the_web_service_says_that_it_is_alive(exchange: Exchange, path: str) -> None:
    assert httpx2.get(exchange.web_url + path).status_code == 200


def test_the_mcp_server_says_that_it_is_alive(exchange: Exchange) -> None:
    assert httpx2.get(exchange.health_url("mcp")).status_code == 200


@pytest.mark.parametrize("email", LOGINS)
async def test_every_login_that_the_demo_prints_can_ask_over_mcp(exchange: Exchange, email: str) -> None:
    async with connected(Person(email, PASSWORD), exchange.mcp_url) as client:
        answer = await client.call_tool("get_study_count", {})
    assert not answer.is_error


async def test_a_wrong_password_gets_no_token(exchange: Exchange) -> None:
    with pytest.raises(ExceptionGroup) as refusal:
        async with connected(Person("manager_mary@example.com", "wrong"), exchange.mcp_url):
            pass
    assert refusal.group_contains(DemoError, match="could not sign in")
