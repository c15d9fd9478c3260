"""Where secrets and the database come from: the environment, or in development something made on first start."""

import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from jhe import env

SERVICE_ROLE = "jhe_app"
"""The database role of the web service and its workers, which the migrations make."""


def secret_key() -> str:
    """Django's SECRET_KEY. Required in production; in development made once and kept in the data directory."""
    if env.SECRET_KEY:
        return env.SECRET_KEY
    if not env.DEBUG:
        raise SystemExit("Configuration: SECRET_KEY is required when DEBUG is off: set it to 50 random characters.")
    return keep("secret_key", lambda: secrets.token_urlsafe(50))


def cookie_name(name: str) -> str:
    """What a cookie is called: in development by the port, too. Browsers send a host's cookies to all of its ports, so
    that two exchanges on one machine would log each other's people out.
    """
    return f"{name}_{env.WEB_PORT}" if env.DEBUG else name


def database_url() -> str:
    """DATABASE_URL, or in development the embedded PostgreSQL (manage.py starts it) for the role of the services."""
    if env.DATABASE_URL:
        return env.DATABASE_URL
    if not env.DEBUG:
        raise SystemExit("Configuration: DATABASE_URL is required when DEBUG is off: postgres://jhe_app:…@host/name.")
    from jhe import embedded  # a development package: production installs without it

    return embedded.database_url(env.DATA_DIR, user=SERVICE_ROLE)


def database_owner_url() -> str:
    """The same database for the role that owns the tables; without one of its own that of DATABASE_URL."""
    if env.DATABASE_OWNER_URL or env.DATABASE_URL:
        return env.DATABASE_OWNER_URL or env.DATABASE_URL
    from jhe import embedded

    return embedded.database_url(env.DATA_DIR)


def signing_key() -> str:
    """The private key (PEM) that signs tokens; in development made once and kept in the data directory.

    Empty in production when OIDC_RSA_PRIVATE_KEY is not set, which the system check core.E001 refuses. A variable of
    one line holds the line breaks as backslash and n.
    """
    if env.OIDC_RSA_PRIVATE_KEY or not env.DEBUG:
        return env.OIDC_RSA_PRIVATE_KEY.replace("\\n", "\n")
    return keep("signing_key.pem", _new_signing_key)


def _new_signing_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def keep(name: str, make: Callable[[], str]) -> str:
    """The text kept under a name in the data directory, readable by its owner alone; made if it is not there."""
    path: Path = env.DATA_DIR / name
    if not path.exists():
        env.DATA_DIR.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{name}.{secrets.token_hex(4)}")
        temporary.touch(mode=0o600)
        temporary.write_text(make())
        try:
            path.hardlink_to(temporary)  # two processes may start at once: the first one's stays
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text()
