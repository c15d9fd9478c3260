"""Who logs in, and what they do at the pages."""

import re
from typing import Any

from django.contrib.auth import get_user
from django.core import mail
from django.test import Client

from core.actions.emails import set_email_verified
from core.models import User
from tests.factories import PractitionerFactory, UserFactory

PASSWORD = "a long and unusual one"
MARY = "mary@test.invalid"
NOBODY = "nobody@test.invalid"


def person(email: str = MARY, *, verified: bool = True, **fields: Any) -> User:
    """Somebody with a password."""
    user: User = UserFactory(email=email, **fields)
    user.set_password(PASSWORD)
    user.save()
    if verified:
        set_email_verified(user)
    return user


def practitioner(email: str = MARY) -> User:
    user = person(email)
    PractitionerFactory(user=user)
    return user


def log_in(client: Client, email: str = MARY, password: str = PASSWORD, **more: Any) -> Any:
    return client.post("/accounts/login/", {"login": email, "password": password}, **more)


def logged_in(email: str = MARY, password: str = PASSWORD) -> Client:
    client = Client()
    assert log_in(client, email, password).status_code == 302
    assert is_logged_in(client)
    return client


def is_logged_in(client: Client) -> bool:
    return get_user(client).is_authenticated  # type: ignore[arg-type]


def last_mail() -> Any:
    return mail.outbox[-1]


def code_in_mail() -> str:
    found = re.search(r"\b[A-Z]{4}-[A-Z]{4}\b", last_mail().body)
    assert found, last_mail().body
    return found[0]


def link_in_mail() -> str:
    found = re.search(r"https?://\S+/password/reset/key/\S+", last_mail().body)
    assert found, last_mail().body
    return found[0]


def reauthenticate(client: Client, password: str = PASSWORD) -> None:
    """What guards the pages that change how somebody logs in."""
    answer = client.post("/accounts/reauthenticate/", {"password": password})
    assert answer.status_code == 302, answer.content
