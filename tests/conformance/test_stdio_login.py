"""Our stdio login under the conformance suite's scenarios for clients that log in.

It is a client of one kind of server, which knows it beforehand: public, with one id, PKCE and fixed scopes. Checks of
what it therefore never does are listed with the reason; everything else has to succeed, today and in what is new.
"""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail

from mcp_server.auth import discovery
from tests.conformance.stdio_login import PlainServer, ask_once
from tests.conformance.suite import MILLISECONDS, MISSING, SUITE, command, environment, faults

REVISION = "2026-07-28"
CLIENT = Path(__file__).with_name("hand_over.py")
AT_A_TIME = 2

REGISTERS_ITSELF = "It is registered with every exchange, under one id: no registration, no document of its own."
HAS_A_SECRET = "It is public: it runs on people's own computers, where no secret is one (RFC 8252 §8.5)."
CHOOSES_SCOPES = "It asks for what its tools need, which does not change, and so before anything has been refused."
WHOLE_HOST = "The suite's metadata are a whole host's. It wants tokens for the one endpoint that it was given."
ASKS_FOR_ITSELF = "It has a person in front of it, who logs in: no grant without one."
BINDS_TOKENS = "Tokens of an exchange are bearer tokens."

NOT_OURS: dict[str, tuple[str, set[str]]] = {
    "auth/authorization-server-migration": (REGISTERS_ITSELF, {"sep-2352-reregister-on-as-change"}),
    "auth/basic-cimd": (REGISTERS_ITSELF, {"cimd-client-id-used"}),
    "auth/client-credentials-basic": (
        ASKS_FOR_ITSELF,
        {"client-credentials-grant-type", "client-credentials-basic-auth"},
    ),
    "auth/client-credentials-jwt": (
        ASKS_FOR_ITSELF,
        {"client-credentials-grant-type", "client-credentials-jwt-verified"},
    ),
    "auth/dpop": (
        BINDS_TOKENS,
        {"sep-1932-client-token-request-proof", "sep-1932-client-dpop-auth-scheme", "sep-1932-client-fresh-proof"},
    ),
    "auth/dpop-nonce": (
        BINDS_TOKENS,
        {
            "sep-1932-client-token-request-proof",
            "sep-1932-client-dpop-auth-scheme",
            "sep-1932-client-fresh-proof",
            "sep-1932-client-as-nonce",
            "sep-1932-client-rs-nonce",
        },
    ),
    "auth/enterprise-managed-authorization": (
        ASKS_FOR_ITSELF,
        {"complete-flow-token-exchange", "complete-flow-jwt-bearer"},
    ),
    "auth/metadata-default": (REGISTERS_ITSELF, {"client-registration"}),
    "auth/metadata-var1": (REGISTERS_ITSELF, {"client-registration"}),
    "auth/metadata-var2": (
        WHOLE_HOST,
        {
            "authorization-server-metadata",
            "client-registration",
            "authorization-request",
            "token-request",
            "resource-parameter-in-authorization",
            "resource-parameter-in-token",
        },
    ),
    "auth/metadata-var3": (REGISTERS_ITSELF, {"client-registration"}),
    "auth/pre-registration": (HAS_A_SECRET, {"pre-registration-auth"}),
    "auth/scope-from-scopes-supported": (CHOOSES_SCOPES, {"scope-from-scopes-supported"}),
    "auth/scope-from-www-authenticate": (CHOOSES_SCOPES, {"scope-from-www-authenticate"}),
    "auth/scope-omitted-when-undefined": (CHOOSES_SCOPES, {"scope-omitted-when-undefined"}),
    "auth/scope-step-up": (
        CHOOSES_SCOPES,
        {"scope-step-up-initial", "scope-step-up-escalation", "sep-2350-scope-union-on-reauth"},
    ),
    "auth/token-endpoint-auth-basic": (HAS_A_SECRET, {"token-endpoint-auth-method"}),
    "auth/token-endpoint-auth-post": (HAS_A_SECRET, {"token-endpoint-auth-method"}),
    "auth/wif-jwt-bearer": (ASKS_FOR_ITSELF, {"wif-grant-type"}),
}
NOT_RUN = {
    "auth/2025-03-26-oauth-metadata-backcompat": "Before there was RFC 9728: exchanges have it.",
    "auth/2025-03-26-oauth-endpoint-fallback": "Before there was RFC 8414: exchanges have it.",
}

pytestmark = pytest.mark.skipif(not SUITE.exists(), reason=MISSING)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What fails, by scenario."""
    results = tmp_path_factory.mktemp("conformance")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discovery, "AuthorizationServer", PlainServer)
        patch.setattr(keyring, "get_keyring", fail.Keyring)
        asyncio.run(run(results))
    return {scenario: failed for scenario, failed in faults(results).items() if scenario.startswith("auth/")}


async def run(results: Path) -> None:
    turns = asyncio.Semaphore(AT_A_TIME)

    async def log_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with turns:
                await ask_once((await reader.readline()).decode().strip())
        finally:
            writer.close()

    async with await asyncio.start_server(log_in, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = ["client", f"--command={sys.executable} -IS {CLIENT} {port}", f"--timeout={MILLISECONDS}"]
        suite = await asyncio.create_subprocess_exec(
            *command(*client, f"--requirements={REVISION}", f"--output-dir={results}"),
            env=environment(),
            stdout=subprocess.DEVNULL,
        )
        await suite.wait()


def test_every_scenario_of_a_login_is_run_or_listed(found: dict[str, set[str]]) -> None:
    listing = subprocess.run(command("list"), env=environment(), capture_output=True, text=True, check=True).stdout
    assert set(found) | set(NOT_RUN) == set(re.findall(r"- (auth/\S+)", listing))


def test_what_fails_is_what_the_login_never_does(found: dict[str, set[str]]) -> None:
    assert {scenario: failed for scenario, failed in found.items() if failed} == {
        scenario: checks for scenario, (_, checks) in NOT_OURS.items()
    }
