"""The issuer's keys: fetched once for everybody, renewed in the background, and no way to wear anybody out."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from core.policy.errors import NotAuthenticated, Unavailable
from mcp_server.auth import keys
from mcp_server.auth.keys import Keys
from tests import tokens
from tests.mcp_server.conftest import KeyServer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`clock(60)`: a minute later."""
    passed = 0.0
    monotonic = time.monotonic

    def later(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    monkeypatch.setattr("mcp_server.auth.keys.time.monotonic", lambda: monotonic() + passed)
    return later


Clock = Callable[[float], None]


async def until_asked(issuer: KeyServer, times: int) -> None:
    async with asyncio.timeout(10):
        while issuer.asked < times:
            await asyncio.sleep(0)


async def test_many_who_come_at_once_ask_the_issuer_once(issuer: KeyServer) -> None:
    known = Keys(issuer.jwks_url)
    await asyncio.gather(*(known.get(tokens.KID) for _ in range(200)))
    assert issuer.asked == 1


async def test_a_flood_of_unknown_key_ids_takes_one_thread_and_one_request(issuer: KeyServer) -> None:
    known, before = Keys(issuer.jwks_url), threading.active_count()
    guesses = await asyncio.gather(*(known.get(f"guess-{n}") for n in range(500)), return_exceptions=True)
    assert {type(guess) for guess in guesses} == {NotAuthenticated}
    assert issuer.asked == 1
    assert threading.active_count() <= before + 2  # one asks, one of the test's own server answers


async def test_a_flood_while_the_issuer_is_away_asks_it_once(issuer: KeyServer) -> None:
    issuer.status = 503
    known = Keys(issuer.jwks_url)
    flood = await asyncio.gather(*(known.get(f"guess-{n}") for n in range(500)), return_exceptions=True)
    assert {type(answer) for answer in flood} == {Unavailable}
    assert issuer.asked == 1


async def test_a_new_key_counts_within_the_cooldown(issuer: KeyServer, clock: Clock) -> None:
    known = Keys(issuer.jwks_url)
    await known.get(tokens.KID)
    issuer.keys = tokens.jwks(rsa_kid="next-key")
    with pytest.raises(NotAuthenticated):
        await known.get("next-key")
    clock(keys._COOLDOWN_SECONDS)
    assert (await known.get("next-key")).key_id == "next-key"
    assert issuer.asked == 2


async def test_old_keys_are_renewed_while_they_still_count(issuer: KeyServer, clock: Clock) -> None:
    known = Keys(issuer.jwks_url)
    await known.get(tokens.KID)
    issuer.keys = tokens.jwks(rsa_kid="next-key")
    clock(keys._FRESH_SECONDS)
    assert await known.get(tokens.KID)
    await until_asked(issuer, 2)
    async with asyncio.timeout(10):
        while known._kept(tokens.KID):
            await asyncio.sleep(0)
    with pytest.raises(NotAuthenticated):
        await known.get(tokens.KID)


async def test_an_issuer_that_is_away_for_a_minute_is_not_noticed(issuer: KeyServer, clock: Clock) -> None:
    known = Keys(issuer.jwks_url)
    await known.get(tokens.KID)
    issuer.status = 500
    clock(keys._FRESH_SECONDS - 1)
    for _ in range(12):
        assert await known.get(tokens.KID)
        clock(5)
    issuer.status = 200
    clock(keys._PAUSE_SECONDS)
    assert await known.get(tokens.KID)


async def test_an_issuer_that_stays_away_lets_nobody_in_any_more(issuer: KeyServer, clock: Clock) -> None:
    known = Keys(issuer.jwks_url)
    await known.get(tokens.KID)
    issuer.status = 500
    clock(keys._KEPT_SECONDS)
    with pytest.raises(Unavailable):
        await known.get(tokens.KID)
    issuer.status = 200
    clock(keys._PAUSE_SECONDS)
    assert await known.get(tokens.KID)


async def test_a_request_that_is_given_up_does_not_end_the_fetch_for_the_others(issuer: KeyServer) -> None:
    known = Keys(issuer.jwks_url)
    given_up = asyncio.create_task(known.get(tokens.KID))
    waiting = asyncio.create_task(known.get(tokens.KID))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await waiting
    assert given_up.cancelled()


@pytest.mark.parametrize("served", [b"[" * 100_000, b"{", b"\xff", b"null", b'{"keys": 5}'])
async def test_an_answer_that_is_no_key_set_lets_nobody_in(issuer: KeyServer, served: bytes) -> None:
    issuer.body = served
    with pytest.raises(Unavailable):
        await Keys(issuer.jwks_url).get(tokens.KID)


async def test_a_key_that_is_not_for_signing_verifies_nothing(issuer: KeyServer) -> None:
    for key in issuer.keys["keys"]:
        key["use"] = "enc"
    with pytest.raises(Unavailable):
        await Keys(issuer.jwks_url).get(tokens.KID)
