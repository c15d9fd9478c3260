"""The consent page by keyboard alone, and what it says to who cannot see it."""

import secrets
from urllib.parse import urlencode

import pytest

from core.actions.clients import STDIO_CLIENT_ID
from demo.services import Exchange
from tests.browser.landing import Landing
from tests.browser.person import Person
from tests.oauth.flow import challenge
from tests.personas import BP, BP_AND_HR

FOCUSED = "() => (document.activeElement.labels?.[0] ?? document.activeElement).innerText.trim()"

pytestmark = pytest.mark.asyncio(loop_scope="session")


def url(exchange: Exchange, landing: Landing) -> str:
    asked = {
        "response_type": "code",
        "client_id": STDIO_CLIENT_ID,
        "redirect_uri": landing.url,
        "scope": "openid mcp",
        "state": secrets.token_urlsafe(),
        "code_challenge": challenge(),
        "code_challenge_method": "S256",
        "resource": exchange.mcp_url,
    }
    return f"{exchange.web_url}/o/authorize/?{urlencode(asked)}"


async def tab_to(person: Person, name: str) -> list[str]:
    """Everything that the focus passes on the way, by the name that a screen reader says."""
    passed: list[str] = []
    while name not in passed and len(passed) < 30:
        await person.page.keyboard.press("Tab")
        passed.append(await person.page.evaluate(FOCUSED))
    return passed


async def test_victor_chooses_a_study_and_allows_it_by_keyboard(
    exchange: Exchange, at_browser, landing: Landing
) -> None:
    victor = await at_browser("viewer_victor")
    await victor.open(url(exchange, landing))
    assert await victor.page.get_by_role("heading", level=1).count() == 1
    one, other = f"{BP_AND_HR} (Lifespan Lab)", f"{BP} (Lifespan Lab)"
    passed = await tab_to(victor, one)
    assert "" not in passed
    await victor.page.keyboard.press("Space")
    assert not await victor.page.get_by_role("checkbox", name=one, exact=True).is_checked()
    assert await victor.page.get_by_role("checkbox", name=other, exact=True).is_checked()
    await tab_to(victor, "Allow")
    await victor.page.keyboard.press("Enter")
    assert "code" in await landing.said()


async def test_victor_cancels_by_keyboard(exchange: Exchange, at_browser, landing: Landing) -> None:
    victor = await at_browser("viewer_victor")
    await victor.open(url(exchange, landing))
    assert (await tab_to(victor, "Cancel"))[-1] == "Cancel"
    await victor.page.keyboard.press("Enter")
    assert (await landing.said())["error"] == "access_denied"


async def test_a_page_of_another_site_cannot_frame_it(exchange: Exchange, at_browser, landing: Landing) -> None:
    victor = await at_browser("viewer_victor")
    await victor.open(url(exchange, landing))
    response = await victor.page.goto(url(exchange, landing))
    assert response is not None
    assert "frame-ancestors 'none'" in (await response.all_headers())["content-security-policy"]
