"""Every environment variable of the web service, read once and with advice when it is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

from environs import Env, EnvError, validate

BASE_DIR = Path(__file__).resolve().parent.parent

Read = TypeVar("Read")
_env = Env()
_RATE = validate.Regexp("[1-9][0-9]{0,5}/[smhd]$", error="It must be a number, a slash and s, m, h or d: 100/s.")


def _refuse(sentence: str) -> NoReturn:
    raise SystemExit(f"Configuration: {sentence}")


def valid(name: str, read: Callable[[str], Read], value: str) -> Read:
    """What `read` makes of a variable's value; it raises ValueError with what is wrong."""
    try:
        return read(value)
    except ValueError as error:
        _refuse(f"{name}: {error}.")


def _origin(name: str, default: str) -> str:
    value: str = _env.str(name, default)
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query or parts.fragment:
        _refuse(f"{name} must be an origin such as https://jhe.example.org, without a path or a trailing slash.")
    return value


def _url(name: str, default: str) -> str:
    value: str = _env.str(name, default)
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        _refuse(f"{name} must be an absolute URL such as https://mcp.example.org/mcp.")
    return value


try:
    DEBUG: bool = _env.bool("DEBUG", True)
    DATA_DIR: Path = Path(_env.str("JHE_DATA_DIR", str(BASE_DIR / ".data"))).resolve()
    WEB_HOST: str = _env.str("JHE_HOST", "127.0.0.1")
    WEB_PORT: int = _env.int("JHE_PORT", 8000, validate=validate.Range(1, 65535))
    MCP_PORT: int = _env.int("MCP_PORT", 8001, validate=validate.Range(1, 65535))
    DATABASE_URL: str = _env.str("DATABASE_URL", "")
    DATABASE_OWNER_URL: str = _env.str("DATABASE_OWNER_URL", "")
    SECRET_KEY: str = _env.str("SECRET_KEY", "")
    SECRET_KEY_FALLBACKS: list[str] = _env.list("SECRET_KEY_FALLBACKS", [])
    ACCESS_TOKEN_ALGORITHM: str = _env.str(
        "JHE_ACCESS_TOKEN_ALGORITHM", "RS256", validate=validate.OneOf(["RS256", "ES256"])
    )
    OPEN_REGISTRATION: bool = _env.bool("JHE_OPEN_REGISTRATION", True)
    CLIENT_METADATA_DOCUMENTS: bool = _env.bool("JHE_CLIENT_METADATA_DOCUMENTS", True)
    REGISTRATION_RATE_LIMIT: str = _env.str("JHE_REGISTRATION_RATE_LIMIT", "20/h", validate=_RATE)
    OIDC_RSA_PRIVATE_KEY: str = _env.str("OIDC_RSA_PRIVATE_KEY", "")
    CLIENT_IP_HEADER: str = _env.str("JHE_CLIENT_IP_HEADER", "", validate=validate.Regexp("[A-Za-z0-9-]*$"))
    RATE_LIMIT: str = _env.str("JHE_RATE_LIMIT", "100/s", validate=_RATE)
    ANONYMOUS_RATE_LIMIT: str = _env.str("JHE_ANONYMOUS_RATE_LIMIT", "60/m", validate=_RATE)
    EMAIL_HOST: str = _env.str("EMAIL_HOST", "")
    EMAIL_PORT: int = _env.int("EMAIL_PORT", 587, validate=validate.Range(1, 65535))
    EMAIL_HOST_USER: str = _env.str("EMAIL_HOST_USER", "")
    EMAIL_HOST_PASSWORD: str = _env.str("EMAIL_HOST_PASSWORD", "")
    EMAIL_FROM: str = _env.str("EMAIL_FROM", "exchange@localhost")
    SIGN_UP: str = _env.str("JHE_SIGN_UP", "off", validate=validate.OneOf(["off", "invitation"]))
    LOGIN_CODES: bool = _env.bool("JHE_LOGIN_CODES", True)
    MFA_REQUIRED: str = _env.str(
        "JHE_MFA_REQUIRED", "", validate=validate.OneOf(["", "none", "superusers", "practitioners"])
    )
    LOCK_OUT_AFTER: int = _env.int("JHE_LOCK_OUT_AFTER", 5, validate=validate.Range(1, 100))
    LOCK_OUT_ADDRESS_AFTER: int = _env.int("JHE_LOCK_OUT_ADDRESS_AFTER", 50, validate=validate.Range(1, 10_000))
    LOCK_OUT_MINUTES: int = _env.int("JHE_LOCK_OUT_MINUTES", 15, validate=validate.Range(1, 1440))
    SSO: str = _env.str("JHE_SSO", "")
    TRUSTED_ISSUERS: str = _env.str("JHE_TRUSTED_ISSUERS", "")
    ALLOWED_HOSTS: list[str] = _env.list("ALLOWED_HOSTS", [])
except EnvError as error:
    _refuse(f"{error} Correct the environment variable and start again.")

if SIGN_UP != "off" and not (EMAIL_HOST or DEBUG):
    _refuse("JHE_SIGN_UP needs EMAIL_HOST: who signs up gets an e-mail that shows whose address it is.")

BASE_URL = _origin("JHE_BASE_URL", f"http://localhost:{WEB_PORT}")
"""The public origin of the web service, and the OAuth issuer, byte for byte."""

MCP_URL = _url("JHE_MCP_URL", f"http://localhost:{MCP_PORT}/mcp")
"""The public URL of the MCP endpoint, and the resource that its tokens are for (RFC 8707)."""
