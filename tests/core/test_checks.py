"""Configurations that must not go live."""

import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from core import checks
from demo.services import ROOT

PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "a production secret of fifty characters, more or less",
    "DATABASE_URL": "postgres:///none",
    "JHE_BASE_URL": "https://jhe.example.org",
    "JHE_MCP_URL": "https://jhe.example.org:8443/mcp",
}


def pem(key, password: bytes = b"") -> str:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


GOOD_KEY = pem(rsa.generate_private_key(65537, 2048))


def found_with_key(settings, key: str) -> list[str | None]:
    settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, "OIDC_RSA_PRIVATE_KEY": key}
    messages = checks.signing_key_is_good()
    assert not any(key and part in str(message) for message in messages for part in key.splitlines())
    return [message.id for message in messages]


def manage(*arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """manage.py with the environment of production, and none of this test run's."""
    environment = {"PATH": os.environ["PATH"], **PRODUCTION, "OIDC_RSA_PRIVATE_KEY": GOOD_KEY, **changes}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={name: value for name, value in environment.items() if value is not None},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_good_key_passes(settings) -> None:
    assert found_with_key(settings, GOOD_KEY) == []


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("", "core.E001"),
        ("secret", "core.E002"),
        (GOOD_KEY[:-200], "core.E002"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "core.E002"),
        (pem(rsa.generate_private_key(65537, 2048), b"password"), "core.E002"),
        (pem(rsa.generate_private_key(65537, 1024)), "core.E003"),  # noqa: S505 - that is the point
    ],
    ids=["none", "no PEM", "half a PEM", "another kind", "with a password", "too short"],
)
def test_a_bad_key_is_an_error_that_does_not_show_the_key(settings, key: str, found: str) -> None:
    assert found_with_key(settings, key) == [found]


def test_production_is_clean() -> None:
    result = manage("check", "--deploy", "--fail-level", "INFO")
    assert result.returncode == 0, result.stderr


def test_the_key_may_be_one_line_with_written_line_breaks() -> None:
    result = manage("check", "--deploy", OIDC_RSA_PRIVATE_KEY=GOOD_KEY.replace("\n", "\\n"))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("command", [["check"], ["migrate"], ["dev_token", "manager_mary@example.com"]])
def test_nothing_goes_live_without_a_key(command: list[str]) -> None:
    result = manage(*command, OIDC_RSA_PRIVATE_KEY=None)
    assert result.returncode != 0
    assert "core.E001" in result.stderr


@pytest.mark.parametrize("name", ["JHE_BASE_URL", "JHE_MCP_URL"])
def test_production_without_tls_is_warned_of(name: str) -> None:
    result = manage("check", "--deploy", **{name: "http://jhe.example.org"})
    assert f"core.W001) {name} is not https" in result.stderr
