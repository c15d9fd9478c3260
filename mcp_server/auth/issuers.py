"""The authorization servers whose tokens are accepted, each with its own keys and its own rules."""

import json
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mcp_server.urls import Url

Algorithm = Literal["RS256", "ES256"]
_READERS = {".json": json.loads, ".toml": tomllib.loads}


class Issuer(BaseModel):
    """One authorization server. Whatever it signs counts only while this exchange's database lists the token too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: Url
    """As its tokens spell it in `iss`."""
    jwks_url: Url
    access_tokens: bool = True
    """Whether its access tokens are accepted."""
    audiences: frozenset[str] = frozenset()
    """What `aud` of an access token may be; where there are none, the URL of the endpoint that is asked (RFC 8707)."""
    trusted_client_ids: frozenset[str] = frozenset()
    """The clients whose ID tokens are accepted."""
    algorithms: frozenset[Algorithm] = Field(frozenset({"RS256", "ES256"}), min_length=1)
    leeway: int = Field(30, ge=0, le=120)
    """Seconds that the issuer's clock may be wrong."""

    @model_validator(mode="after")
    def _accepts_something(self) -> Self:
        if not self.access_tokens and not self.trusted_client_ids:
            raise ValueError("accepts no token: set access_tokens, or name trusted_client_ids")
        return self


def unlike(issuers: tuple[Issuer, ...]) -> tuple[Issuer, ...]:
    """Raises ValueError unless there are issuers, each named once: a token has one issuer that it is checked by."""
    if not issuers:
        raise ValueError("names no issuer")
    names = [issuer.issuer for issuer in issuers]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"names the issuer {name} twice")
    return issuers


def read(path: Any) -> Any:
    """The list `issuers` of a JSON or TOML file. Raises ValueError with advice."""
    if not isinstance(path, (str, Path)):
        return path
    reader = _READERS.get(Path(path).suffix)
    if reader is None:
        raise ValueError("must be a file whose name ends in .json or .toml")
    try:
        content = reader(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not valid {Path(path).suffix[1:].upper()}: {error}") from None
    if not isinstance(content, dict) or set(content) != {"issuers"} or not isinstance(content["issuers"], list):
        raise ValueError("must hold one list, issuers, and nothing else")
    return content["issuers"]
