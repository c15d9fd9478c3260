class IdConverter:
    """An id in a URL: what is larger than the database counts to is no route, rather than an error."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)
