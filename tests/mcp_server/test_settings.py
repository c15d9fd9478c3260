"""Settings: where they come from, and the advice that a wrong one gets."""

import pytest

from mcp_server.settings import Endpoint, Exchange, HttpService, load

VARIABLES = (
    "MCP_ISSUERS_FILE",
    "MCP_TRUSTED_CLIENT_IDS",
    "MCP_PORT",
    "MCP_HOST",
    "JHE_MCP_URL",
    "JHE_BASE_URL",
    "MCP_DATABASE_URL",
    "MCP_JWKS_URL",
    "MCP_POOL_SIZE",
)
DATABASE = "postgresql://jhe_mcp@/postgres"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_a_laptop_needs_to_know_nothing_but_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(Endpoint).mcp_url == "http://localhost:8001/mcp"
    monkeypatch.setenv("MCP_PORT", "9001")
    assert load(Endpoint).mcp_url == "http://localhost:9001/mcp"
    monkeypatch.setenv("JHE_MCP_URL", "https://mcp.example.org/mcp")
    assert load(Endpoint).mcp_url == "https://mcp.example.org/mcp"
    assert load(Endpoint, given_url="https://other.example/mcp").mcp_url == "https://other.example/mcp"


def test_the_keys_are_below_the_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_DATABASE_URL", DATABASE)
    monkeypatch.setenv("JHE_BASE_URL", "https://jhe.example.org")
    [issuer] = load(Exchange).issuers
    assert issuer.jwks_url == "https://jhe.example.org/o/.well-known/jwks.json"
    monkeypatch.setenv("MCP_JWKS_URL", "http://internal:8000/keys")
    [issuer] = load(Exchange).issuers
    assert issuer.jwks_url == "http://internal:8000/keys"


def test_trusted_clients_are_separated_by_commas_or_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_DATABASE_URL", DATABASE)
    monkeypatch.setenv("MCP_TRUSTED_CLIENT_IDS", "one, two three")
    assert load(Exchange).trusted_client_ids == {"one", "two", "three"}


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("MCP_PORT", "eighty", "MCP_PORT: Input should be a valid integer"),
        ("MCP_PORT", "0", "MCP_PORT: Input should be greater than or equal to 1"),
        ("JHE_BASE_URL", "https://jhe.example.org/", "JHE_BASE_URL: must be an origin such as https://jhe.example.org"),
        ("JHE_BASE_URL", "jhe.example.org", "JHE_BASE_URL: must be an absolute URL"),
        ("JHE_MCP_URL", "ftp://mcp.example.org/mcp", "JHE_MCP_URL: must be an absolute URL"),
        ("JHE_MCP_URL", "https://mcp.example.org/mcp?x=1", "JHE_MCP_URL: must be an absolute URL"),
        ("MCP_DATABASE_URL", "mysql://x", "Give the URL of the exchange's database for the role jhe_mcp"),
        ("JHE_CLIENT_IP_HEADER", "Fly Client IP", "JHE_CLIENT_IP_HEADER: String should match pattern"),
        ("MCP_REDIS_URL", "localhost:6379", "Give the URL of Redis, such as redis://:password@host:6379/0"),
        ("MCP_STATE_KEY", "short", "Make one with `openssl rand -base64 48`"),
        ("MCP_POOL_SIZE", "0", "MCP_POOL_SIZE: Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_ends_the_program_with_advice(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, advice: str
) -> None:
    monkeypatch.setenv("MCP_DATABASE_URL", DATABASE)
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load(HttpService)
    assert advice in str(ended.value)
    assert str(ended.value).count("\n") == 0


def test_a_missing_database_ends_the_program_with_advice() -> None:
    with pytest.raises(SystemExit, match="MCP_DATABASE_URL: Field required"):
        load(HttpService)


def test_advice_repeats_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_DATABASE_URL", "mysql://jhe_mcp:hunter2@db/jhe")
    with pytest.raises(SystemExit) as ended:
        load(HttpService)
    assert "hunter2" not in str(ended.value)
