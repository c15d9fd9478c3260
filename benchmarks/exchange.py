"""What is measured: a whole exchange as production runs it, on a PostgreSQL of its own that keeps what it commits."""

import base64
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2

from benchmarks.load import Request, request
from benchmarks.mcp_request import tool_call
from demo.services import ROOT, DemoError, Exchange, migrate, running, wait_until_healthy
from jhe import embedded

EMAIL = "manager_mary@example.com"
WEBSITE, WEBSITE_CALLBACK = "benchmark-website", "https://website.example.org/callback"
SERVICE = "benchmark-service"
SMART = "openid user/*.cruds"
_LOG_FILES = 16
SECRET = "0" * 64  # a throw-away client of a throw-away exchange


class Production(Exchange):
    """The demo's exchange with DEBUG off: development keeps a record of every query, and takes its time."""

    @property
    def environment(self) -> dict[str, str]:
        return {
            **super().environment,
            "DEBUG": "false",
            "SECRET_KEY": (self.data_dir / "secret_key").read_text(),
            "JHE_RATE_LIMIT": "900000/s",
            "MCP_SUBJECT_RATE": "9000000/minute",
            "MCP_TOKEN_RATE": "9000000/minute",
            "MCP_SESSIONS": "true",  # stateless requests are served as ever beside them
            "JHE_MFA_REQUIRED": "none",  # what a person types in is not what is measured
            "OIDC_RSA_PRIVATE_KEY": (self.data_dir / "signing_key.pem").read_text(),
        }


@dataclass(frozen=True, slots=True)
class Measured:
    exchange: Exchange
    access_token: str
    """Of manager_mary, for the MCP endpoint: a JWT."""
    api_token: str
    """Of manager_mary, for the web service: opaque."""
    rest_token: str
    """Of manager_mary, for REST and FHIR: opaque, with the scopes of SMART."""
    web_process: int
    """The id of the web service's process."""
    mcp_process: int
    """And of the MCP server's."""

    def again(self) -> "Measured":
        """With a token that was given now, whose claims name the studies that there are now."""
        development = Exchange(self.exchange.data_dir, self.exchange.web_port, self.exchange.mcp_port)
        return replace(self, access_token=_printed(development, "dev_token", EMAIL))

    def fhir(self, path: str) -> Request:
        """A GET below the service base URL; `path` may also be the absolute URL of a link to the next page."""
        below = path.removeprefix(f"{self.exchange.web_url}/FHIR/R5/")
        return request(self.exchange.web_port, f"/FHIR/R5/{below}", authorization=f"Bearer {self.rest_token}")

    def tool_call(self, name: str, **arguments: Any) -> Request:
        return tool_call(self.exchange.mcp_port, name, arguments, authorization=f"Bearer {self.access_token}")

    def userinfo(self) -> Request:
        """OpenID Connect Core §5.3. The answer carries `jhe_permissions`, as the token's claims do."""
        return request(self.exchange.web_port, "/o/userinfo/", authorization=f"Bearer {self.api_token}")

    def introspection(self) -> Request:
        """RFC 7662 §2.1, as a resource server with a client secret asks."""
        secret = base64.b64encode(f"{SERVICE}:{SECRET}".encode()).decode()
        return request(
            self.exchange.web_port,
            "/o/introspect/",
            f"token={self.access_token}".encode(),
            authorization=f"Basic {secret}",
            content_type="application/x-www-form-urlencoded",
        )


@contextmanager
def measured_exchange() -> Iterator[Measured]:
    """Both services with the demo world, and the tokens to ask them with."""
    with embedded.throw_away({}) as data_dir:
        development = Exchange(data_dir, *free_ports(2))
        migrate(development)
        development.manage("seed")
        _settle(data_dir)
        _register_clients(development)
        production = Production(data_dir, development.web_port, development.mcp_port)
        access_token = _printed(development, "dev_token", EMAIL)
        api_token = _printed(development, "dev_token", EMAIL, "--resource", "")
        rest_token = _printed(development, "dev_token", EMAIL, "--resource", "", "--scope", SMART)
        with running(production) as processes:
            wait_until_healthy(production, processes)
            yield Measured(production, access_token, api_token, rest_token, processes["web"].pid, processes["mcp"].pid)


def _register_clients(exchange: Exchange) -> None:
    """A website that people log in with, and a service of one of them, which may also ask what tokens are."""
    url = embedded.database_url(exchange.data_dir)
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SELECT id::text FROM core_user WHERE email = %s", [EMAIL])
        [owner] = cursor.fetchone()
        website = ("authorization-code", "--client-id", WEBSITE, "--redirect-uris", WEBSITE_CALLBACK)
        service = ("client-credentials", "--client-id", SERVICE, "--user", owner)
        for client in (website, service):
            _printed(exchange, "createapplication", "confidential", *client, "--client-secret", SECRET)
        cursor.execute(
            "INSERT INTO core_practitionerclient (application_id, scope) "
            "SELECT id, 'system/*.rs' FROM oauth2_provider_application WHERE client_id = %s",
            [SERVICE],
        )
        cursor.execute(
            "INSERT INTO core_resourceserver SELECT id FROM oauth2_provider_application WHERE client_id = %s",
            [SERVICE],
        )


def _settle(data_dir: Path) -> None:
    """What a database that has been in use for a while has done: statistics, and files of its log to write again."""
    with closing(psycopg2.connect(embedded.database_url(data_dir))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
            for _ in range(_LOG_FILES):
                cursor.execute("SELECT pg_logical_emit_message(false, 'benchmark', 'one more file'), pg_switch_wal()")
            cursor.execute("CHECKPOINT")


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listening.getsockname()[1] for listening in sockets]


def _printed(exchange: Exchange, *command: str) -> str:
    result = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=exchange.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if result.returncode:
        raise DemoError(f"`manage.py {command[0]}` failed, see above.")
    return result.stdout.strip()
