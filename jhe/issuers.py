"""The issuers whose ID tokens are exchanged (RFC 8693), as JHE_TRUSTED_ISSUERS describes them."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from core.policy.issuers import TrustedIssuer
from core.policy.scopes import parse
from jhe.described import described
from jhe.sso import Url


def _plain(url: str) -> str:
    """An issuer is compared byte for byte, and what is in a URL besides makes no two of them differ well."""
    parts = urlsplit(url)
    if not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must be a URL without user, query and fragment")
    return url


def _scope(scope: str) -> str:
    for each in scope.split():
        parsed = parse(each)
        if each != "mcp" and (parsed is None or parsed.context not in ("patient", "user")):
            raise ValueError("must be mcp and scopes for patient or user, such as patient/*.rs, with spaces between")
    return " ".join(scope.split())


class _Issuer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    issuer: Annotated[Url, AfterValidator(_plain)]
    jwks_url: Url
    audience: str = Field(min_length=1)
    clients: frozenset[str] = Field(min_length=1)
    algorithms: tuple[Literal["RS256", "ES256"], ...] = Field(("RS256", "ES256"), min_length=1)
    max_age: int = Field(300, gt=0, le=86_400)
    scope: Annotated[str, AfterValidator(_scope)] = Field("patient/*.rs user/*.rs", min_length=1)


_ISSUERS = TypeAdapter(list[_Issuer])


def trusted_issuers(said: str) -> dict[str, TrustedIssuer]:
    """By issuer, from a JSON list or the path of a file that holds one. Raises ValueError with what is wrong."""
    listed = [TrustedIssuer(**issuer.model_dump()) for issuer in described(said, _ISSUERS)]
    by_name = {issuer.issuer: issuer for issuer in listed}
    if len(by_name) < len(listed):
        raise ValueError("an issuer is named twice")
    return by_name
