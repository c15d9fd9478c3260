"""Issuers outside of this exchange whose ID tokens are exchanged for its own (RFC 8693)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """`audience`: what its tokens for this exchange are for, a client id there. `clients`: those client ids here that
    may exchange them. `max_age`: seconds since a token was issued. `scope`: the most that is given for one.
    """

    issuer: str
    jwks_url: str
    audience: str
    clients: frozenset[str]
    algorithms: tuple[str, ...]
    max_age: int
    scope: str
