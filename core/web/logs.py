import logging
import re

_INVITATION = re.compile(r"(/invitation/)[^\s/?\"']+")


class WithoutSecrets(logging.Filter):
    """The path of an invitation is its secret, and Django logs the paths of refused requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.getMessage()
        if "/invitation/" in line:
            record.msg, record.args = _INVITATION.sub(r"\1…", line), None
        return True
