"""What people do with their accounts, in a browser. Each of them is in one test only, because it leaves its mark."""

import base64
import re
import time

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from playwright.async_api import Locator, expect

from core.seed.demo_world import PASSWORD
from demo.services import Exchange
from tests.browser.mail import mail_to
from tests.browser.person import Person

NEW_PASSWORD = "a-much-longer-secret-1"
FACTORS = "Authenticator app, passkeys and recovery codes"
LOCKED_OUT = "Too many attempts"

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def login_url(exchange: Exchange) -> str:
    return f"{exchange.web_url}/accounts/login/"


async def test_mark_sets_up_an_authenticator_app_and_is_asked_for_its_code(at_browser, login_url: str) -> None:
    mark = await at_browser("manager_mark")
    await mark.open(login_url)
    await mark.follow(FACTORS)
    await mark.follow("Activate")
    await confirm(mark)
    secret = await mark.page.get_by_label("Authenticator secret").input_value()
    code = code_of(secret)
    await mark.fill("Authenticator code", code)
    await mark.press("Activate")
    await expect(mark.page.get_by_role("heading", name="Recovery Codes")).to_be_visible()
    await mark.press("Log out")
    await mark.open(login_url)
    await mark.fill("Code", code)  # each is good for one use
    await mark.press("Sign In")
    await expect(mark.page.get_by_role("alert")).to_be_visible()
    await expect(logged_in(mark)).to_have_count(0)
    await mark.fill("Code", code_of(secret, after=30))
    await mark.press("Sign In")
    await expect(logged_in(mark)).to_be_visible()


async def test_the_admin_logs_in_with_a_passkey_and_is_asked_for_it_beside_the_password(
    at_browser, login_url: str
) -> None:
    admin = await at_browser("admin")
    await has_an_authenticator(admin)
    await admin.open(login_url)
    await admin.follow(FACTORS)
    await admin.follow("Add")
    await confirm(admin)
    await admin.page.get_by_label("Passwordless").check()
    await admin.press("Add")
    await expect(admin.page.get_by_role("heading", name="Recovery Codes")).to_be_visible()
    await admin.press("Log out")
    await admin.page.goto(login_url)
    await admin.press("Use a passkey")
    await expect(logged_in(admin)).to_be_visible()
    await admin.press("Log out")
    await admin.open(login_url)
    await expect(admin.page.get_by_role("heading", name="Two-Factor Authentication")).to_be_visible()
    await expect(logged_in(admin)).to_have_count(0)
    await admin.press("Use a security key")
    await expect(logged_in(admin)).to_be_visible()


async def test_percy_forgets_his_password_and_chooses_another(exchange: Exchange, at_browser, login_url: str) -> None:
    percy = await at_browser("npl_patient_percy")
    await percy.page.goto(login_url)
    await percy.follow("Forgot your password?")
    await percy.fill("E-mail", percy.email)
    await percy.press("Reset My Password")
    await expect(percy.page.get_by_role("heading", name="Look into your e-mail")).to_be_visible()
    [letter] = mail_to(exchange, percy.email)
    link = re.search(r"http://\S+", letter)
    assert link is not None
    await percy.page.goto(link[0])
    await percy.fill("New Password", NEW_PASSWORD)
    await percy.fill("New Password (again)", NEW_PASSWORD)
    await percy.press("Change Password")
    await expect(percy.page.get_by_text("Your password is now changed.")).to_be_visible()
    await percy.page.goto(login_url)
    await percy.log_in()
    await expect(percy.page.get_by_role("alert")).to_be_visible()
    await expect(logged_in(percy)).to_have_count(0)
    await percy.log_in(NEW_PASSWORD)
    await expect(logged_in(percy)).to_be_visible()
    await percy.press("Log out")
    await percy.page.goto(link[0])
    await expect(percy.page.get_by_label("New Password")).to_have_count(0)


async def test_who_guesses_pauls_password_is_locked_out(at_browser, login_url: str) -> None:
    stranger = await at_browser("ccl_patient_paul")
    await stranger.page.goto(login_url)
    for _ in range(5):
        await expect(stranger.page.get_by_text(LOCKED_OUT)).to_have_count(0)
        async with stranger.page.expect_navigation():
            await stranger.log_in("not Paul's password")
    await expect(stranger.page.get_by_role("heading", name=LOCKED_OUT)).to_be_visible()
    await stranger.page.goto(login_url)
    await stranger.log_in()
    await expect(stranger.page.get_by_role("heading", name=LOCKED_OUT)).to_be_visible()
    await expect(logged_in(stranger)).to_have_count(0)


async def confirm(person: Person) -> None:
    """Before a factor changes, the password is asked for again."""
    await person.fill("Password", PASSWORD)
    await person.press("Confirm")


def code_of(secret: str, after: int = 0) -> str:
    """The six digits that an authenticator app shows at this moment, or so many seconds later (RFC 6238)."""
    app = TOTP(base64.b32decode(secret), 6, SHA1(), 30)  # noqa: S303 - what apps agree on
    return app.generate(time.time() + after).decode()


async def has_an_authenticator(person: Person) -> None:
    """One that is built in, keeps passkeys and has seen that it is them (Chromium's own, by its protocol)."""
    device = await person.page.context.new_cdp_session(person.page)
    await device.send("WebAuthn.enable")
    seen = {"hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True}
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, **seen}
    await device.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def logged_in(person: Person) -> Locator:
    return person.page.get_by_role("banner").get_by_text(person.email)
