"""Every environment variable of the MCP server, read once and with advice when it is wrong."""

from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _absolute(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("must be an absolute URL such as https://mcp.example.org/mcp, without a query or a user")
    return url


def _origin(url: str) -> str:
    if urlsplit(url).path:
        raise ValueError("must be an origin such as https://jhe.example.org, without a path or a trailing slash")
    return url


def _words(given: Any) -> Any:
    return given.replace(",", " ").split() if isinstance(given, str) else given


Url = Annotated[str, AfterValidator(_absolute)]
"""Kept as the text it was given as: issuers and resources are compared byte for byte (RFC 8414 §3.3, RFC 8707 §2)."""
Origin = Annotated[Url, AfterValidator(_origin)]
Words = Annotated[frozenset[str], NoDecode, BeforeValidator(_words)]
"""Separated by commas or spaces."""


class Endpoint(BaseSettings):
    """Where the MCP endpoint is: all that a laptop needs to know."""

    # The prefix keeps variables meant for others, such as DATABASE_URL and PORT, from being read by field name.
    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, env_prefix="MCP_")

    port: int = Field(8001, ge=1, le=65535, validation_alias="MCP_PORT")
    given_url: Url | None = Field(None, validation_alias="JHE_MCP_URL")

    @property
    def mcp_url(self) -> str:
        """The public URL of the MCP endpoint, and the resource that its tokens are for (RFC 8707)."""
        return self.given_url or f"http://localhost:{self.port}/mcp"


class Exchange(Endpoint):
    """What a server that has the database needs to know."""

    database_url: str = Field(validation_alias="MCP_DATABASE_URL", pattern="^postgres(ql)?://", repr=False)
    issuer: Origin = Field("http://localhost:8000", validation_alias="JHE_BASE_URL")
    given_jwks_url: Url | None = Field(None, validation_alias="MCP_JWKS_URL")
    trusted_client_ids: Words = Field(frozenset({"jhe-mcp-stdio"}), validation_alias="MCP_TRUSTED_CLIENT_IDS")
    """The clients whose ID tokens are accepted."""
    pool_size: int = Field(12, ge=1, le=200, validation_alias="MCP_POOL_SIZE")
    pool_wait: float = Field(2, gt=0, le=60, validation_alias="MCP_POOL_WAIT")
    """Seconds that a call waits for a connection before it is told that the exchange is busy."""
    statement_timeout: float = Field(10, gt=0, le=600, validation_alias="MCP_STATEMENT_TIMEOUT")
    """Seconds that one question may take."""

    @property
    def jwks_url(self) -> str:
        """Where the issuer publishes its keys."""
        return self.given_jwks_url or f"{self.issuer}/o/.well-known/jwks.json"


class HttpService(Exchange):
    """What the HTTP service needs to know."""

    host: str = Field("127.0.0.1", validation_alias="MCP_HOST")
    client_ip_header: str = Field("", validation_alias="JHE_CLIENT_IP_HEADER", pattern="^[A-Za-z0-9-]*$")
    """The header in which the proxy says who is asking; without it, what uvicorn makes of the connection."""
    allowed_origins: Words = Field(frozenset(), validation_alias="MCP_ALLOWED_ORIGINS")
    """Web pages on other origins that may call this endpoint from a browser; loopback and the issuer always may."""


SettingsT = TypeVar("SettingsT", bound=Endpoint)

_ADVICE = {
    "MCP_DATABASE_URL": "Give the URL of the exchange's database for the role jhe_mcp: postgresql://jhe_mcp:…@host/name.",
}


def load(kind: type[SettingsT], **given: Any) -> SettingsT:
    """The settings from `given` and the environment; every fault is printed and ends the program."""
    try:
        return kind(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = [_advice(fault["loc"], fault["msg"]) for fault in error.errors(include_url=False, include_input=False)]
        raise SystemExit("\n".join(lines)) from None


def _advice(location: tuple[int | str, ...], message: str) -> str:
    name = str(location[0])
    return f"Configuration: {name}: {message.removeprefix('Value error, ')}. {_ADVICE.get(name, '')}".rstrip()
