import logging
import re

_SECRET = re.compile(r"(/invitation/|/password/reset/key/)[^\s/?\"']+")


class WithoutSecrets(logging.Filter):
    """The path of an invitation, or of a new password, is its secret, and Django logs paths of refused requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.getMessage()
        if _SECRET.search(line):
            record.msg, record.args = _SECRET.sub(r"\1…", line), None
        return True
