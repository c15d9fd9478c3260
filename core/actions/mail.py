"""E-mail to people, one message at a time."""

import smtplib

from django.conf import settings
from django.core.mail import EmailMessage

from core.policy.errors import Unavailable


def send(*, to: str, subject: str, text: str) -> None:
    """Raises Unavailable when it cannot be handed over. What it says is in no log."""
    if not settings.CAN_SEND_EMAIL:
        raise Unavailable("This exchange sends no e-mail: hand the message over in another way.")
    one_line = " ".join(subject.split())
    try:
        EmailMessage(one_line, text, to=[to]).send()
    except (smtplib.SMTPException, OSError):
        raise Unavailable("The e-mail could not be handed over: try again.") from None
