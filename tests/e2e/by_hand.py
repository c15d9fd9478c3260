"""The exchange's database, as its owner by hand."""

from collections.abc import Callable
from typing import Any

import psycopg2


class Database:
    def __init__(self, connect: Callable[[], Any]) -> None:
        """`connect` is called again after a restart of PostgreSQL."""
        self._connect = connect
        self.connection: Any = None

    def __call__(self, statement: str, *values: Any) -> list[Any]:
        try:
            return self._ask(statement, values)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            if not self.connection.closed:
                raise
        return self._ask(statement, values)

    def _ask(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        if self.connection is None or self.connection.closed:
            self.connection = self._connect()
            self.connection.autocommit = True
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
