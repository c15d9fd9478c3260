"""Login, tokens, introspection and verification, beside the same on django-oauth-toolkit as its tutorial sets it up.

Both run on the same server, with as many threads, and have a database each on the same PostgreSQL. A login is what a
person's browser and a website do: login form, consent page, code, tokens.
"""

import asyncio
import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import psycopg2
import requests
from authlib.common.security import generate_token
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from benchmarks.exchange import EMAIL, SECRET, SERVICE, WEBSITE, WEBSITE_CALLBACK, Measured, free_ports
from benchmarks.load import Generator, Request, request
from benchmarks.permission import seconds_by_claim, verifiers
from benchmarks.report import Row, duration, show
from benchmarks.rounds import Effort, in_turns, typical_ratio
from benchmarks.tool_calls import wait_for
from demo.person import forms_in
from demo.services import ROOT
from demo.welcome import PASSWORD
from jhe import embedded
from mcp_server.auth.verifier import Verifier

LOGINS = 3
REFRESHES = 20
STOCK, OURS = "stock toolkit", "the exchange"
BASIC = "Basic " + base64.b64encode(f"{SERVICE}:{SECRET}".encode()).decode()


@dataclass(frozen=True)
class Provider:
    """An authorization server at `port`."""

    port: int
    service_scope: str
    """What a service asks for."""

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def log_in(self) -> dict[str, str]:
        """The tokens of a whole login, in a browser that was never here."""
        verifier = generate_token(64)
        asked = {
            "response_type": "code",
            "client_id": WEBSITE,
            "redirect_uri": WEBSITE_CALLBACK,
            "scope": "openid mcp",
            "state": "state",
            "nonce": "nonce",
            "prompt": "consent",
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        with requests.Session() as browser:
            page = browser.get(f"{self.url}/o/authorize/?{urlencode(asked)}")
            page = self._send(browser, page, {"login": EMAIL, "username": EMAIL, "password": PASSWORD})
            answer = self._send(browser, page, {"allow": "on"})
        [code] = parse_qs(urlsplit(answer.headers["Location"]).query)["code"]
        return self._tokens(
            {
                "grant_type": "authorization_code",
                "code": code,
                "code_verifier": verifier,
                "redirect_uri": WEBSITE_CALLBACK,
            }
        )

    def refresh(self, refresh_token: str) -> dict[str, str]:
        return self._tokens({"grant_type": "refresh_token", "refresh_token": refresh_token})

    def client_credentials(self) -> Request:
        return self._asked("/o/token/", {"grant_type": "client_credentials", "scope": self.service_scope})

    def introspection(self, token: str) -> Request:
        return self._asked("/o/introspect/", {"token": token})

    def _asked(self, path: str, fields: dict[str, str]) -> Request:
        return request(
            self.port,
            path,
            urlencode(fields).encode(),
            authorization=BASIC,
            content_type="application/x-www-form-urlencoded",
        )

    def _tokens(self, fields: dict[str, str]) -> dict[str, str]:
        answer = requests.post(f"{self.url}/o/token/", data=fields, auth=(WEBSITE, SECRET), timeout=30)
        answer.raise_for_status()
        tokens: dict[str, str] = answer.json()
        return tokens

    @staticmethod
    def _send(browser: requests.Session, page: requests.Response, known: dict[str, str]) -> requests.Response:
        """The form that asks for what is known, filled in. Redirects are followed on this server alone."""
        action, fields = next(form for form in forms_in(page.text) if form[1].keys() & known.keys())
        filled_in = fields | {name: [value] for name, value in known.items() if name in fields}
        answer = browser.post(
            urljoin(page.url, action), filled_in, headers={"Referer": page.url}, allow_redirects=False, timeout=30
        )
        answer.raise_for_status()
        target = urljoin(page.url, answer.headers["Location"])
        return answer if target.startswith(WEBSITE_CALLBACK) else browser.get(target, timeout=30)


def measure(measured: Measured, generator: Generator, effort: Effort) -> None:
    with _stock(measured) as port:
        providers = {STOCK: Provider(port, "mcp"), OURS: Provider(measured.exchange.web_port, "system/*.rs")}
        rows = [
            _compared(what, {name: partial(ask, each, generator, effort) for name, each in providers.items()}, effort)
            for what, ask in WAYS.items()
        ]
        rows += _verification(measured, providers, generator, effort)
    show("Identity", list(providers), "of the stock's time", rows)


def _log_in(provider: Provider, _: Generator, __: Effort) -> float:
    return _median_time(provider.log_in, LOGINS)


def _refresh(provider: Provider, _: Generator, __: Effort) -> float:
    tokens = provider.log_in()

    def refresh() -> None:
        nonlocal tokens
        tokens = provider.refresh(tokens["refresh_token"])

    return _median_time(refresh, REFRESHES)


def _client_credentials(provider: Provider, generator: Generator, effort: Effort) -> float:
    return generator.run(provider.client_credentials(), connections=1, seconds=effort.seconds, alike=True).p50


def _introspection(provider: Provider, generator: Generator, effort: Effort) -> float:
    asked = provider.introspection(provider.log_in()["access_token"])
    assert b'"active": true' in generator.run(asked, connections=1, seconds=0).answer, "The token is not known."
    return generator.run(asked, connections=1, seconds=effort.seconds).p50


WAYS: dict[str, Callable[[Provider, Generator, Effort], float]] = {
    "login: two pages, code, tokens": _log_in,
    "refresh": _refresh,
    "token by client credentials": _client_credentials,
    "introspection": _introspection,
}


def _compared(what: str, ways: Mapping[str, Callable[[], float]], effort: Effort) -> Row:
    found = in_turns(ways, effort.rounds)
    figures = tuple(duration(median(times)) for times in found.values())
    return Row(what, figures, typical_ratio(found[OURS], found[STOCK]))


def _verification(
    measured: Measured, providers: Mapping[str, Provider], generator: Generator, effort: Effort
) -> list[Row]:
    """A stock resource server asks the toolkit about each token; ours checks the signature, once per token."""
    unknowing = verifiers(measured.exchange)
    known = unknowing()
    ways: dict[str, Callable[[], Verifier]] = {
        "verification, token not seen before": unknowing,
        "verification, token in the cache": lambda: known,
    }

    def ours(next_verifier: Callable[[], Verifier]) -> float:
        return asyncio.run(seconds_by_claim(next_verifier, measured.access_token, None, effort.seconds / 4))

    return [
        _compared(
            what,
            {
                STOCK: partial(_introspection, providers[STOCK], generator, effort),
                OURS: partial(ours, next_verifier),
            },
            effort,
        )
        for what, next_verifier in ways.items()
    ]


def _median_time(act: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return median(taken)


@contextmanager
def _stock(measured: Measured) -> Iterator[int]:
    """The stock toolkit's port, while it serves. Its database is another one of the exchange's PostgreSQL."""
    data_dir = measured.exchange.data_dir
    url = embedded.database_url(data_dir)
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS stock")
            cursor.execute("CREATE DATABASE stock")
    [port] = free_ports(1)
    places = {"JHE_DATA_DIR": str(data_dir), "STOCK_DATABASE_URL": url.replace("/postgres?", "/stock?")}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.stock", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **places})
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()
