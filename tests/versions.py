"""Versions within a test, which is one transaction: all of its changes of a resource would be one version."""

from django.db import connection, transaction
from psycopg2 import sql

from core.models import Versioned


def settle() -> None:
    """Everything there is was made in earlier transactions, so that its next change is a new version.

    The triggers, which would take this for a change, do not fire for the role of a replica.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for model in Versioned.__subclasses__():
            cursor.execute(sql.SQL("UPDATE {} SET version_xact = '0'").format(sql.Identifier(model._meta.db_table)))
        cursor.execute("SET LOCAL session_replication_role = origin")
