"""How much the HTTP service takes on, in how many processes, and what it tells of that."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_RATE = r"^[1-9][0-9]*/(second|minute|hour|day)$"


class Process(BaseSettings):
    """Bounds hold for each worker, but rates: those hold for all together where there is MCP_REDIS_URL."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, env_prefix="MCP_")

    workers: int = Field(1, ge=1, le=64, validation_alias="MCP_WORKERS")
    """Processes that answer at the same port."""
    redis_url: str | None = Field(None, validation_alias="MCP_REDIS_URL", pattern="^(rediss?|unix)://", repr=False)
    """What several workers share: sessions, their streams, and how often who has asked."""
    subject_rate: str = Field("240000/minute", validation_alias="MCP_SUBJECT_RATE", pattern=_RATE)
    token_rate: str = Field("120000/minute", validation_alias="MCP_TOKEN_RATE", pattern=_RATE)
    """Requests of one person, and with one token."""
    calls: int = Field(1_000, ge=1, validation_alias="MCP_CALLS")
    calls_per_subject: int = Field(100, ge=1, validation_alias="MCP_CALLS_PER_SUBJECT")
    """Calls that may be under way at a time."""
    streams: int = Field(2_000, ge=1, validation_alias="MCP_STREAMS")
    streams_per_subject: int = Field(200, ge=1, validation_alias="MCP_STREAMS_PER_SUBJECT")
    """Streams that may be open at a time."""
    connections: int = Field(5_000, ge=1, validation_alias="MCP_CONNECTIONS")
    """Of clients; who comes by one more is answered 503."""
    request_timeout: float = Field(20, gt=0, le=600, validation_alias="MCP_REQUEST_TIMEOUT")
    """Seconds that a client may take to send a request, and to take up what it is sent."""
    drain: float = Field(0, ge=0, le=60, validation_alias="MCP_DRAIN")
    """Seconds between saying that the process ends (/readyz) and taking no more connections."""
    metrics_port: int | None = Field(None, ge=1, le=65535, validation_alias="MCP_METRICS_PORT")
    metrics_host: str = Field("127.0.0.1", validation_alias="MCP_METRICS_HOST")
    """Where Prometheus finds /metrics; nowhere without a port."""
