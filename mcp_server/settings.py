"""Every environment variable of the MCP server, read once and with advice when it is wrong."""

from typing import Annotated, Any, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.policy.mcp_tokens import is_well_formed
from core.policy.study_endpoints import study_of
from mcp_server.auth import issuers
from mcp_server.auth.issuers import Issuer
from mcp_server.process_settings import Process
from mcp_server.urls import Origin, Url


def _words(given: Any) -> Any:
    return given.replace(",", " ").split() if isinstance(given, str) else given


Words = Annotated[frozenset[str], NoDecode, BeforeValidator(_words)]
"""Separated by commas or spaces."""
Issuers = Annotated[tuple[Issuer, ...], NoDecode, BeforeValidator(issuers.read), AfterValidator(issuers.unlike)]
"""The path of a file that lists them."""


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
    given_issuers: Issuers | None = Field(None, validation_alias="MCP_ISSUERS_FILE")
    """Every authorization server, where there are several or the one needs other rules than the variables can say."""
    pool_size: int = Field(16, ge=1, le=200, validation_alias="MCP_POOL_SIZE")
    pool_wait: float = Field(2, gt=0, le=60, validation_alias="MCP_POOL_WAIT")
    """Seconds that a call waits for a connection before it is told that the exchange is busy."""
    statement_timeout: float = Field(10, gt=0, le=600, validation_alias="MCP_STATEMENT_TIMEOUT")
    """Seconds that one question may take."""
    watch_interval: float = Field(5, gt=0, le=600, validation_alias="MCP_WATCH_INTERVAL")
    """Seconds between two looks at what somebody has subscribed to."""

    @model_validator(mode="after")
    def _say_issuers_once(self) -> Self:
        if self.given_issuers and self.model_fields_set & {"given_jwks_url", "trusted_client_ids"}:
            raise ValueError(
                "MCP_ISSUERS_FILE says where keys are and whom to trust: unset MCP_JWKS_URL and MCP_TRUSTED_CLIENT_IDS"
            )
        return self

    @property
    def issuers(self) -> tuple[Issuer, ...]:
        """The authorization servers whose tokens are accepted."""
        return self.given_issuers or (
            Issuer(
                issuer=self.issuer,
                jwks_url=self.given_jwks_url or f"{self.issuer}/o/.well-known/jwks.json",
                trusted_client_ids=self.trusted_client_ids,
            ),
        )


class HttpService(Exchange, Process):
    """What the HTTP service needs to know."""

    host: str = Field("127.0.0.1", validation_alias="MCP_HOST")
    client_ip_header: str = Field("", validation_alias="JHE_CLIENT_IP_HEADER", pattern="^[A-Za-z0-9-]*$")
    """The header in which the proxy says who is asking; without it, what uvicorn makes of the connection."""
    allowed_origins: Words = Field(frozenset(), validation_alias="MCP_ALLOWED_ORIGINS")
    """Web pages on other origins that may call this endpoint from a browser; loopback and the issuer always may."""
    sessions: bool = Field(False, validation_alias="MCP_SESSIONS")
    """Whether clients of the handshake revisions get sessions, for what the server says to them unasked."""
    sse: bool = Field(False, validation_alias="MCP_SSE")
    """Whether clients that know nothing but HTTP+SSE (2024-11-05) are served, at /sse and /messages, in sessions."""
    session_idle: float = Field(1_800, ge=10, le=86_400, validation_alias="MCP_SESSION_IDLE")
    """Seconds that a session lasts without being used."""
    max_sessions: int = Field(10_000, ge=1, validation_alias="MCP_MAX_SESSIONS")
    max_sessions_per_person: int = Field(1_000, ge=1, validation_alias="MCP_MAX_SESSIONS_PER_PERSON")
    """One more ends the one of theirs that was not used for longest."""
    state_key: SecretStr | None = Field(None, validation_alias="MCP_STATE_KEY", min_length=32)
    """Seals what clients are given to bring back, for all workers; without it each seals for itself."""
    client_secret: SecretStr | None = Field(None, validation_alias="MCP_CLIENT_SECRET")
    """Shows the authorization server that this is the MCP server; without it there are no peers (docs/federation)."""
    given_token_url: Url | None = Field(None, validation_alias="MCP_TOKEN_URL")
    peer_seconds: float = Field(60, gt=0, le=600, validation_alias="MCP_PEER_SECONDS")
    """How long a call of a peer's tool may take."""

    @model_validator(mode="after")
    def _is_wide(self) -> Self:
        if study_of(urlsplit(self.mcp_url).path) is not None:
            raise ValueError("JHE_MCP_URL is where one study's endpoint will be: choose another path, such as /mcp")
        return self

    @model_validator(mode="after")
    def _shares_what_workers_must(self) -> Self:
        if self.workers > 1 and (self.sessions or self.sse) and not self.redis_url:
            raise ValueError(
                "MCP_WORKERS above 1 with MCP_SESSIONS or MCP_SSE needs MCP_REDIS_URL: any worker may be asked"
            )
        return self

    @property
    def token_url(self) -> str:
        """Where tokens for peers are asked for."""
        return self.given_token_url or f"{self.issuer}/o/token/"


def _mcp_token(token: SecretStr) -> SecretStr:
    if not is_well_formed(token.get_secret_value()):
        raise ValueError("is not an MCP token of this kind of exchange: copy all of it, from jhe_pat_ on")
    return token


class Person(BaseSettings):
    """What a program on a person's own machine needs to know of them."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_prefix="JHE_", env_ignore_empty=True
    )

    profile: str = Field("default", validation_alias="JHE_PROFILE")
    login_wait: float = Field(40, ge=0, le=600, validation_alias="JHE_LOGIN_WAIT")
    """Seconds that a call waits for the person to log in; hosts give up on a call after 60."""
    mcp_token: Annotated[SecretStr, AfterValidator(_mcp_token)] | None = Field(None, validation_alias="JHE_MCP_TOKEN")
    """Asks in the place of a login, for agents without a browser. Never on the command line, where `ps` shows it."""


SettingsT = TypeVar("SettingsT", bound=BaseSettings)

_ADVICE = {
    "MCP_DATABASE_URL": "Give the URL of the exchange's database for the role jhe_mcp: postgresql://jhe_mcp:…@host/name.",
    "MCP_REDIS_URL": "Give the URL of Redis, such as redis://:password@host:6379/0, or leave it out for one process.",
    "MCP_STATE_KEY": "Make one with `openssl rand -base64 48`, the same for all machines, or leave it out for one.",
}


def load(kind: type[SettingsT], **given: Any) -> SettingsT:
    """The settings from `given` and the environment; every fault is printed and ends the program."""
    try:
        return kind(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = [_advice(fault["loc"], fault["msg"]) for fault in error.errors(include_url=False, include_input=False)]
        raise SystemExit("\n".join(lines)) from None


def _advice(location: tuple[int | str, ...], message: str) -> str:
    """`location` is the variable, and in a file the position (from 0) and the name in it."""
    said = message.removeprefix("Value error, ")
    if not location:
        return f"Configuration: {said}."
    name, *inside = (str(part) for part in location)
    where = f"{name}: issuer {int(inside[0]) + 1}: {'.'.join(inside[1:])}".removesuffix(": ") if inside else name
    return f"Configuration: {where}: {said}. {_ADVICE.get(name, '')}".rstrip()
