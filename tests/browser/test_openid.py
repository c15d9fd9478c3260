"""OpenID Connect clients that others wrote: discovery, login, userinfo, refresh, logout."""

import json
import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.starlette_client import OAuth
from authlib.integrations.starlette_client.apps import StarletteOAuth2App

from demo.services import ROOT, Exchange
from tests.browser.conftest import WebApplication
from tests.browser.landing import Landing
from tests.browser.person import Person

OPENID_CLIENT = ROOT / "tests/npm/node_modules/openid-client"
SCOPE = "openid profile email offline_access"

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def authlib(exchange: Exchange, web_application: WebApplication) -> StarletteOAuth2App:
    return OAuth().register(
        "exchange",
        client_id=web_application.client_id,
        client_secret=web_application.client_secret,
        server_metadata_url=f"{exchange.web_url}/.well-known/openid-configuration",
        client_kwargs={"scope": SCOPE, "code_challenge_method": "S256"},
    )


async def test_authlib_logs_mary_in_renews_and_logs_out(authlib, at_browser, landing: Landing) -> None:
    mary = await at_browser("manager_mary")
    asked = await authlib.create_authorization_url(landing.url)
    await mary.open(asked["url"])
    await mary.allow()
    said = await landing.said()
    assert said["state"] == asked["state"]
    tokens = await authlib.fetch_access_token(landing.url, code=said["code"], code_verifier=asked["code_verifier"])
    who = await authlib.parse_id_token(tokens, asked["nonce"])
    assert (who["user_type"], who["email"]) == ("practitioner", mary.email)

    assert (await authlib.userinfo(token=tokens))["sub"] == who["sub"]

    renewed = await authlib.fetch_access_token(
        grant_type="refresh_token", refresh_token=tokens["refresh_token"], redirect_uri=None
    )
    assert renewed["access_token"] != tokens["access_token"]
    assert (await authlib.userinfo(token=renewed))["name"] == "Mary Mason"

    logout = await authlib.create_logout_url(landing.url, id_token_hint=renewed.get("id_token", tokens["id_token"]))
    await log_out(mary, logout["url"])
    assert (await landing.said())["state"] == logout["state"]
    assert await is_logged_out(mary, asked["url"])


async def test_authlib_is_told_that_mary_cancelled(authlib, at_browser, landing: Landing) -> None:
    mary = await at_browser("manager_mary")
    asked = await authlib.create_authorization_url(landing.url)
    await mary.open(asked["url"])
    await mary.cancel()
    said = await landing.said()
    assert (said["error"], said["state"]) == ("access_denied", asked["state"])
    with pytest.raises(OAuthError):
        await authlib.fetch_access_token(landing.url, code="none", code_verifier=asked["code_verifier"])


@pytest.mark.skipif(not OPENID_CLIENT.exists(), reason="make test could not install tests/npm")
async def test_openid_client_logs_victor_in_renews_and_logs_out(
    exchange: Exchange, web_application: WebApplication, at_browser, landing: Landing
) -> None:
    victor = await at_browser("viewer_victor")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = Path(__file__).with_name("openid_client.mjs")
    process = await anyio.open_process(
        ["node", str(script), exchange.web_url, web_application.client_id, landing.url],
        env={**os.environ, "PATH": path, "CLIENT_SECRET": web_application.client_secret},
        stderr=subprocess.DEVNULL,
    )
    async with process:
        assert process.stdin is not None
        lines = Lines(process)
        await victor.open((await lines.next())["open"])
        await victor.allow()
        await process.stdin.send(f"{await landing.came()}\n".encode())
        told = await lines.next()
        assert told["claims"] == told["userinfo"]
        assert told["claims"]["email"] == victor.email
        assert told["renewed"] is True
        await log_out(victor, told["logout"])
        await process.stdin.send(f"{await landing.came()}\n".encode())
        assert await lines.next() == {"state": True}
        assert await process.wait() == 0
    assert await is_logged_out(victor, exchange.web_url + "/o/authorize/")


class Lines:
    """What a process prints, a JSON value a line."""

    def __init__(self, process: anyio.abc.Process) -> None:
        self._process = process
        self._read = b""

    async def next(self) -> dict:
        assert self._process.stdout is not None
        while b"\n" not in self._read:
            self._read += await self._process.stdout.receive()
        line, _, self._read = self._read.partition(b"\n")
        said = json.loads(line)
        assert "failed" not in said, said
        return said


async def log_out(person: Person, url: str) -> None:
    """OpenID Connect RP-Initiated Logout §2: whoever has the person's ID token need not have them asked."""
    await person.page.goto(url)


async def is_logged_out(person: Person, url: str) -> bool:
    await person.page.goto(url)
    return await person.page.get_by_role("button", name="Log in", exact=True).is_visible()
