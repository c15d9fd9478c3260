import re

ID = re.compile(r"[0-9]{1,18}")
"""What can be an id: what is larger than the database counts to cannot."""


class IdConverter:
    """An id in a URL; anything else is no route, rather than an error."""

    regex = ID.pattern

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)
