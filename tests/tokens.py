"""Tokens as the exchange's issuer makes them, and as it never would, signed with keys made for the test run."""

import base64
import json
import time
import uuid
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "http://localhost:8000"
RESOURCE = "http://localhost:8001/mcp"
STDIO_CLIENT = "jhe-mcp-stdio"
KID = "test-key"


def rsa_key(name: str = "issuer") -> rsa.RSAPrivateKey:
    """One key per name and test run."""
    return _rsa_key(name)


def ec_key(name: str = "issuer") -> ec.EllipticCurvePrivateKey:
    return _ec_key(name)


@cache
def _rsa_key(_: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _ec_key(_: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def jwks(*, name: str = "issuer", rsa_kid: str = KID, ec_kid: str = "test-ec-key") -> dict[str, Any]:
    """An issuer's key set: one RSA and one elliptic-curve key."""
    public_rsa = json.loads(RSAAlgorithm.to_jwk(rsa_key(name).public_key()))
    public_ec = json.loads(ECAlgorithm.to_jwk(ec_key(name).public_key()))
    return {
        "keys": [
            {**public_rsa, "kid": rsa_kid, "use": "sig", "alg": "RS256"},
            {**public_ec, "kid": ec_kid, "use": "sig", "alg": "ES256"},
        ]
    }


def access_claims(user_id: int = 10001, **changes: Any) -> dict[str, Any]:
    """RFC 9068 claims with the exchange's own; `changes` replace claims, a value of None leaves one out."""
    return _changed(
        {
            **_common(user_id),
            "aud": RESOURCE,
            "client_id": "some-client",
            "scope": "openid mcp",
            "jti": str(uuid.uuid4()),
        },
        changes,
    )


def id_claims(user_id: int = 10001, **changes: Any) -> dict[str, Any]:
    """OpenID Connect claims of the stdio login; `changes` as for `access_claims`."""
    return _changed({**_common(user_id), "aud": STDIO_CLIENT, "scope": "openid mcp", "jti": str(uuid.uuid4())}, changes)


def signed(
    claims: dict[str, Any],
    *,
    typ: str | None = "at+jwt",
    kid: str | None = KID,
    key: Any = None,
    alg: str = "RS256",
    **header: Any,
) -> str:
    """A JWT over `claims`; `header` adds header fields."""
    fields = {"typ": typ, **header} | ({"kid": kid} if kid is not None else {})
    return jwt.encode(claims, key if key is not None else rsa_key(), algorithm=alg, headers=fields)


def access_token(user_id: int = 10001, **changes: Any) -> str:
    return signed(access_claims(user_id, **changes))


def id_token(user_id: int = 10001, **changes: Any) -> str:
    return signed(id_claims(user_id, **changes), typ="JWT")


def encoded(text: str) -> str:
    """A part of a token, as RFC 7515 §2 encodes it."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def with_payload(token: str, payload: str) -> str:
    """The token with another payload, which its signature is not for."""
    header, _, signature = token.split(".")
    return f"{header}.{encoded(payload)}.{signature}"


def sealed(header: str, payload: str) -> str:
    """Signed by the issuer, whatever the two parts say: libraries refuse to write some of what can be sent."""
    head = f"{encoded(header)}.{encoded(payload)}"
    signature = RSAAlgorithm(RSAAlgorithm.SHA256).sign(head.encode(), rsa_key())
    return f"{head}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _common(user_id: int) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": ISSUER,
        "sub": str(user_id),
        "iat": now,
        "exp": now + 3600,
        "user_type": "practitioner",
        "user_id": user_id,
        "jhe_permissions": {"studies": [], "organizations": [], "truncated": True},
    }


def _changed(claims: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}
