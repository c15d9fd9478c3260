import secrets
from typing import Any
from urllib.parse import quote, urlencode

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection
from psycopg2.extensions import encrypt_password
from psycopg2.sql import SQL, Identifier

ROLES = ("jhe_app", "jhe_mcp")


class Command(BaseCommand):
    help = "Give the database role of a service a new password and print its URL of this database, and nothing else."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", choices=ROLES, help="jhe_app: for DATABASE_URL. jhe_mcp: for MCP_DATABASE_URL.")

    def handle(self, *_: Any, role: str, **__: Any) -> None:
        password = secrets.token_urlsafe(32)
        with connection.cursor() as cursor:
            # Hashed here, so that the statement can be logged without giving the password away.
            hashed = encrypt_password(password, role, cursor.connection, "scram-sha-256")
            cursor.execute(SQL("ALTER ROLE {} PASSWORD %s").format(Identifier(role)), [hashed])
        self.stdout.write(_url(role, password))


def _url(role: str, password: str) -> str:
    """The database that this command is connected to, as that role."""
    server = connection.connection.info
    how = {"host": server.host, "port": server.port, **_tls()}
    return f"postgresql://{role}:{quote(password)}@/{quote(server.dbname)}?{urlencode(how, safe='/')}"


def _tls() -> dict[str, str]:
    options = connection.settings_dict["OPTIONS"]
    return {name: options[name] for name in ("sslmode", "sslrootcert") if name in options}
