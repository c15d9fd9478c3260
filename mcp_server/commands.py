"""What a person does at the command line of their own machine: log in and out, and see who is logged in where."""

import argparse
import asyncio
import json
import sys
from typing import Any

from core.policy.errors import DomainError
from mcp_server.auth.browser import has_display, show
from mcp_server.auth.login import Login
from mcp_server.auth.profiles import DEFAULT, Profiles, key_of, of_key
from mcp_server.auth.token_store import TokenStore, claims_of
from mcp_server.machine import Machine
from mcp_server.settings import Endpoint, load
from mcp_server.standing import printable, standing


async def login(chosen: argparse.Namespace) -> None:
    machine = Machine.of(chosen)
    if not chosen.device and not has_display():
        sys.stderr.write("Without a browser on this machine: python -m mcp_server login --device\n")
    await machine.login(show, on_another_device=chosen.device).authorize()
    if machine.moved_from is not None:
        await _logged_out(TokenStore(key_of(machine.profile, machine.moved_from)))
    _say((await standing(machine, given=False)).text())


async def logout(chosen: argparse.Namespace) -> None:
    if not chosen.all:
        _say(await _logged_out(Machine.of(chosen).store))
        return
    keys = TokenStore("").keys()
    for key in keys:
        _say(f"{' '.join(of_key(key))}: {await _logged_out(TokenStore(key))}")
    if not keys:
        _say("Nobody was logged in.")


async def whoami(chosen: argparse.Namespace) -> None:
    """Ends with status 1 when nobody is logged in."""
    found = await standing(Machine.of(chosen))
    _say(json.dumps(found.json(), indent=2) if chosen.output == "json" else found.text())


async def profiles(chosen: argparse.Namespace) -> None:
    rows = [_profile(*pair) for pair in sorted({*_named(), *map(of_key, TokenStore("").keys())})]
    if chosen.output == "json":
        _say(json.dumps(rows, indent=2))
        return
    for row in rows:
        _say(f"{row['profile']:<12} {row['exchange']}  {printable(row['logged_in'] or 'nobody is logged in')}")


async def _logged_out(store: TokenStore) -> str:
    try:
        tokens = await asyncio.to_thread(store.read)
        issuer = str(claims_of(tokens).get("iss", "")) if tokens else ""
        was_there = await Login.at_issuer(issuer, store, None).forget()
    except DomainError as error:
        await asyncio.to_thread(store.delete)
        return (
            f"Logged out on this machine. The exchange could not be told: {error} "
            "It ends the login by itself once that has not been used for 30 days."
        )
    return "Logged out." if was_there else "Nobody was logged in."


def _named() -> list[tuple[str, str]]:
    kept = Profiles()
    return [(DEFAULT, load(Endpoint).mcp_url), *((name, str(kept.url_of(name))) for name in kept.names())]


def _profile(name: str, exchange: str) -> dict[str, Any]:
    try:
        tokens = TokenStore(key_of(name, exchange)).read()
    except DomainError as error:
        return {"profile": name, "exchange": exchange, "logged_in": f"({error})"}
    claims = claims_of(tokens) if tokens else {}
    return {"profile": name, "exchange": exchange, "logged_in": claims.get("email") or claims.get("sub")}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
