"""The exchange's database, as its owner by hand."""

from typing import Any


class Database:
    def __init__(self, connection: Any) -> None:
        self.connection = connection
        connection.autocommit = True

    def __call__(self, statement: str, *values: Any) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []
