"""A one-time code by e-mail instead of a password."""

import pytest
from django.core import mail
from django.test import Client

from core.actions.emails import set_email_verified
from core.models import User
from tests.accounts.people import MARY, NOBODY, code_in_mail, is_logged_in, last_mail, log_in, person
from tests.factories import PatientFactory, UserFactory

pytestmark = pytest.mark.django_db


def ask(client: Client, email: str = MARY) -> None:
    answer = client.post("/accounts/login/code/?next=/o/x", {"email": email})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/code/confirm/")


def enter(client: Client, code: str) -> int:
    return int(client.post("/accounts/login/code/confirm/", {"code": code}).status_code)


def test_mary_logs_in_with_the_code_that_she_was_sent() -> None:
    person()
    client = Client()
    ask(client)
    assert last_mail().to == [MARY]
    assert enter(client, code_in_mail()) == 302
    assert is_logged_in(client)


def test_a_code_is_for_the_browser_that_asked_for_it() -> None:
    person()
    mine, other = Client(), Client()
    ask(mine)
    code = code_in_mail()
    ask(other, "somebody@test.invalid")
    assert enter(other, code) == 200
    assert not is_logged_in(other)


def test_the_third_wrong_code_ends_it() -> None:
    person()
    client = Client()
    ask(client)
    code = code_in_mail()
    assert [enter(client, "AAAA-AAAA") for _ in range(3)] == [200, 200, 302]
    enter(client, code)
    assert not is_logged_in(client)


def test_without_an_account_the_pages_are_the_same_and_the_e_mail_opens_nothing() -> None:
    person()
    pages = []
    for email in (MARY, NOBODY):
        client = Client()
        ask(client, email)
        page = client.get("/accounts/login/code/confirm/").content.decode()
        wrong = client.post("/accounts/login/code/confirm/", {"code": "AAAA-AAAA"}).content.decode()
        pages.append([_plain(text, email) for text in (page, wrong)])
    assert pages[0] == pages[1]
    assert [message.to for message in mail.outbox] == [[MARY], [NOBODY]]


def _plain(page: str, email: str) -> list[str]:
    return [line for line in page.replace(email, "").splitlines() if "csrfmiddlewaretoken" not in line]


@pytest.mark.parametrize("code", ["", "-", " "])
def test_an_empty_code_is_not_the_code_of_nobody(code: str) -> None:
    client = Client()
    ask(client, NOBODY)
    enter(client, code)
    assert not is_logged_in(client)


def test_a_deactivated_account_gets_no_code_and_one_it_has_is_no_good() -> None:
    mary = person()
    client = Client()
    ask(client)
    code = code_in_mail()
    User.objects.filter(pk=mary.pk).update(is_active=False)
    enter(client, code)
    assert not is_logged_in(client)
    ask(Client())
    assert "No account can be entered" in last_mail().body


def test_a_patient_whom_an_app_lets_in_gets_a_code_only_for_an_e_mail_that_is_verified() -> None:
    peter = UserFactory(email="peter@test.invalid")
    PatientFactory(user=peter)
    ask(Client(), "peter@test.invalid")
    assert "No account can be entered" in last_mail().body
    set_email_verified(peter)
    client = Client()
    ask(client, "peter@test.invalid")
    enter(client, code_in_mail())
    assert is_logged_in(client)


def test_wrong_codes_lock_out_alike_with_and_without_an_account() -> None:
    person()
    outcomes = []
    for email in (MARY, NOBODY):
        client = Client()
        ask(client, email)
        statuses = [enter(client, "AAAA-AAAA") for _ in range(3)]
        ask(client, email)
        statuses += [enter(client, "AAAA-AAAA") for _ in range(3)]
        statuses.append(client.post("/accounts/login/code/", {"email": email}).status_code)
        statuses.append(log_in(Client(), email).status_code)
        outcomes.append(statuses)
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][-1] == 429


def test_an_unverified_account_is_verified_before_it_is_entered() -> None:
    person(verified=False)
    client = Client()
    answer = log_in(client)
    assert answer["Location"] == "/accounts/confirm-email/"
    assert not is_logged_in(client)
    wrong = client.post("/accounts/confirm-email/", {"code": "AAAA-AAAA"})
    assert wrong.status_code == 200
    assert not is_logged_in(client)
    client.post("/accounts/confirm-email/", {"code": code_in_mail()})
    assert is_logged_in(client)


def test_mary_changes_her_e_mail_only_by_a_code_sent_to_the_new_one() -> None:
    mary = person()
    person("taken@test.invalid")
    client = Client()
    log_in(client)
    client.post("/accounts/reauthenticate/", {"password": "a long and unusual one"})
    client.post("/accounts/email/", {"email": "new@test.invalid", "action_add": ""})
    assert last_mail().to == ["new@test.invalid"]
    mary.refresh_from_db()
    assert mary.email == MARY
    client.post("/accounts/confirm-email/", {"code": code_in_mail()})
    mary.refresh_from_db()
    assert mary.email == "new@test.invalid"


def test_mary_cannot_take_the_e_mail_of_another_account() -> None:
    mary = person()
    person("taken@test.invalid")
    client = Client()
    log_in(client)
    client.post("/accounts/reauthenticate/", {"password": "a long and unusual one"})
    answer = client.post("/accounts/email/", {"email": "taken@test.invalid", "action_add": ""})
    assert answer.status_code == 302  # as for any other: who has an account is not to be learned
    client.post("/accounts/confirm-email/", {"code": code_in_mail()})
    mary.refresh_from_db()
    assert mary.email == MARY
