import secrets
from typing import Any
from urllib.parse import quote, urlencode

from django.core.management.base import BaseCommand
from django.db import connection
from psycopg2.extensions import encrypt_password

ROLE = "jhe_mcp"


class Command(BaseCommand):
    help = "Give the MCP server's database role a new password and print its MCP_DATABASE_URL, and nothing else."

    def handle(self, *_: Any, **__: Any) -> None:
        password = secrets.token_urlsafe(32)
        with connection.cursor() as cursor:
            # Hashed here, so that the statement can be logged without giving the password away.
            hashed = encrypt_password(password, ROLE, cursor.connection, "scram-sha-256")
            cursor.execute("ALTER ROLE jhe_mcp PASSWORD %s", [hashed])
        self.stdout.write(_url(password))


def _url(password: str) -> str:
    """The database that this command is connected to, as that role."""
    server = connection.connection.info
    how = {"host": server.host, "port": server.port, **_tls()}
    return f"postgresql://{ROLE}:{quote(password)}@/{quote(server.dbname)}?{urlencode(how, safe='/')}"


def _tls() -> dict[str, str]:
    options = connection.settings_dict["OPTIONS"]
    return {name: options[name] for name in ("sslmode", "sslrootcert") if name in options}
