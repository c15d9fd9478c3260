"""May this person read this study? By verified claim, by asking an API, by asking what the token is worth.

The claim is checked in the MCP server's own process. The other two are a round trip over a connection that is kept
open, to a web service that does nothing else. An introspection says who is asking and for how long, and not even which
studies.
"""

import asyncio
import json
import time
from collections.abc import Callable
from statistics import median

from benchmarks.exchange import Measured
from benchmarks.load import Generator, Request
from benchmarks.report import Row, duration, show
from benchmarks.rounds import Effort, in_turns, typical_ratio
from core.policy.checks import check_claim_reaches_study
from demo.services import Exchange
from mcp_server.auth.issuers import Issuer
from mcp_server.auth.keys import Keys
from mcp_server.auth.verifier import IssuerVerifier, Verifier

API = "API call (OpenID Connect userinfo)"
INTROSPECTION = "token introspection (RFC 7662)"
CLAIM_COLD = "verified claim, token not seen before"
CLAIM_CACHED = "verified claim, token in the cache"
GOALS = {CLAIM_COLD: 100, CLAIM_CACHED: 1000}


def measure(measured: Measured, generator: Generator, effort: Effort) -> None:
    exchange, token = measured.exchange, measured.access_token
    study = _studies(measured, generator)[0]
    next_verifier = verifiers(exchange)

    def by_request(request: Request) -> float:
        return generator.run(request, connections=1, seconds=effort.seconds).p50

    def by_claim(next_verifier: Callable[[], Verifier]) -> float:
        return asyncio.run(seconds_by_claim(next_verifier, token, study, effort.seconds / 4))

    known = next_verifier()
    found = in_turns(
        {
            API: lambda: by_request(measured.userinfo()),
            INTROSPECTION: lambda: by_request(measured.introspection()),
            CLAIM_COLD: lambda: by_claim(next_verifier),
            CLAIM_CACHED: lambda: by_claim(lambda: known),
        },
        effort.rounds,
    )
    rows = [
        Row(way, (duration(median(times)),), typical_ratio(found[API], times), GOALS.get(way))
        for way, times in found.items()
    ]
    show("A permission check", ["per check"], "times as fast", rows)


def verifiers(exchange: Exchange) -> Callable[[], Verifier]:
    """Makes verifiers that know no token yet, and the issuer's keys as soon as one of them has asked."""
    issuer = Issuer(issuer=exchange.web_url, jwks_url=f"{exchange.web_url}/o/.well-known/jwks.json")
    keys = Keys(issuer.jwks_url)
    return lambda: Verifier(IssuerVerifier(issuer, keys), resource=exchange.mcp_url)


def _studies(measured: Measured, generator: Generator) -> list[int]:
    """What the API says, once both ways to ask are known to work."""
    introspected = json.loads(generator.run(measured.introspection(), connections=1, seconds=0).answer)
    assert introspected["active"], "The introspection does not know the token."
    told = json.loads(generator.run(measured.userinfo(), connections=1, seconds=0).answer)
    studies: list[int] = told["jhe_permissions"]["studies"]
    return studies


async def seconds_by_claim(
    next_verifier: Callable[[], Verifier], token: str, study: int | None, length: float
) -> float:
    """The median, as for the other ways; without a study of the verification alone."""
    times: list[float] = []
    ends = time.perf_counter() + length
    while not times or time.perf_counter() < ends:
        began = time.perf_counter()
        signed = await next_verifier().verify(token)
        if study is not None:
            check_claim_reaches_study(signed.principal, study)
        times.append(time.perf_counter() - began)
    return median(times)
