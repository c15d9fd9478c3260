"""A forgotten password is replaced by e-mail, which says nothing about who has an account."""

from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from oauth2_provider.models import AccessToken, RefreshToken

from core.actions.emails import set_email_verified
from core.models import User
from core.oauth.issue import issue
from tests.accounts.people import (
    MARY,
    NOBODY,
    PASSWORD,
    is_logged_in,
    last_mail,
    link_in_mail,
    log_in,
    logged_in,
    person,
)
from tests.factories import PatientFactory, PractitionerFactory, UserFactory

pytestmark = pytest.mark.django_db

NEW = "another long and unusual one"


def ask(email: str) -> Client:
    client = Client()
    answer = client.post("/accounts/password/reset/", {"email": email})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/password/reset/done/")
    return client


def choose(link: str, password: str = NEW) -> int:
    """Opens the link and chooses: the status of the last answer."""
    client = Client()
    page = client.get(urlsplit(link).path, follow=True)
    if not page.redirect_chain:
        return int(page.status_code)
    answer = client.post(page.redirect_chain[-1][0], {"password1": password, "password2": password})
    assert not is_logged_in(client)  # nobody gets past a second factor this way
    return int(answer.status_code)


def test_mary_chooses_a_new_password_and_everything_the_old_one_let_in_is_out() -> None:
    mary = person()
    before = logged_in()
    issue(mary)
    ask(MARY)
    assert last_mail().to == [MARY]
    assert choose(link_in_mail()) == 302
    assert not is_logged_in(before)
    assert not AccessToken.objects.filter(user=mary).exists()
    assert not RefreshToken.objects.filter(user=mary, revoked=None).exists()
    assert log_in(Client()).status_code == 200
    logged_in(password=NEW)


def test_a_link_works_once() -> None:
    person()
    ask(MARY)
    link = link_in_mail()
    assert choose(link) == 302
    assert choose(link, "yet another long one") == 200
    logged_in(password=NEW)


def test_the_link_leads_to_the_exchange_whatever_host_was_asked() -> None:
    person()
    Client().post("/accounts/password/reset/", {"email": MARY}, headers={"Host": "127.0.0.1"})
    assert link_in_mail().startswith(f"{settings.BASE_URL}/accounts/password/reset/key/")


def test_a_page_after_the_link_does_not_have_the_key_in_its_address() -> None:
    person()
    ask(MARY)
    page = Client().get(urlsplit(link_in_mail()).path, follow=True)
    assert page.redirect_chain[-1][0].endswith("-set-password/")


def test_a_weak_password_is_not_taken() -> None:
    person()
    ask(MARY)
    assert choose(link_in_mail(), "password") == 200
    logged_in()


@pytest.mark.parametrize("key", ["1-x", "zzzzzzzzzzzzzzzzzzzzzzzzzz-x", "1-c0ffee-0123456789abcdef"])
def test_a_link_that_nobody_sent_is_refused(key: str) -> None:
    person()
    assert Client().get(f"/accounts/password/reset/key/{key}/").status_code == 200
    assert log_in(Client(), password=NEW).status_code == 200


def test_somebody_without_an_account_is_answered_alike_and_gets_an_e_mail_that_opens_nothing() -> None:
    person()
    known, unknown = (
        Client().post("/accounts/password/reset/", {"email": email}, follow=True) for email in (MARY, NOBODY)
    )
    assert known.content.replace(MARY.encode(), b"") == unknown.content.replace(NOBODY.encode(), b"")
    assert [message.to for message in mail.outbox] == [[MARY], [NOBODY]]
    assert "/password/reset/key/" not in last_mail().body


def test_a_deactivated_account_gets_no_link_and_one_it_has_is_no_good() -> None:
    mary = person()
    ask(MARY)
    link = link_in_mail()
    User.objects.filter(pk=mary.pk).update(is_active=False)
    assert choose(link) == 200
    ask(MARY)
    assert "/password/reset/key/" not in last_mail().body


def test_a_patient_whom_an_app_lets_in_is_not_taken_over_by_whoever_reads_the_records_e_mail() -> None:
    peter = UserFactory(email="peter@test.invalid")
    PatientFactory(user=peter)
    ask("peter@test.invalid")
    assert "/password/reset/key/" not in last_mail().body
    set_email_verified(peter)
    ask("peter@test.invalid")
    assert choose(link_in_mail()) == 302


def test_a_practitioner_whose_account_was_made_for_them_chooses_their_first_password() -> None:
    PractitionerFactory(user=UserFactory(email="megan@test.invalid"))
    ask("megan@test.invalid")
    assert choose(link_in_mail()) == 302
    client = Client()
    log_in(client, "megan@test.invalid", NEW)
    assert not is_logged_in(client)  # the e-mail is verified first


def test_after_an_administrator_changed_an_e_mail_the_old_one_opens_the_account_no_more() -> None:
    mary = person()
    admin = Client()
    admin.force_login(UserFactory(is_staff=True, is_superuser=True))
    fields = {"email": "new@test.invalid", "first_name": "M", "last_name": "M", "is_active": "on"}
    assert admin.post(f"/admin/core/user/{mary.pk}/change/", fields).status_code == 302
    ask(MARY)
    assert "/password/reset/key/" not in last_mail().body


def test_an_administrator_who_sets_a_password_ends_every_token_and_session() -> None:
    mary = person()
    before = logged_in()
    issue(mary)
    admin = Client()
    admin.force_login(UserFactory(is_staff=True, is_superuser=True))
    answer = admin.post(f"/admin/core/user/{mary.pk}/password/", {"password1": NEW, "password2": NEW})
    assert answer.status_code == 302
    assert not is_logged_in(before)
    assert not AccessToken.objects.filter(user=mary).exists()


def test_asking_often_is_refused_alike_for_everybody() -> None:
    person()
    for email in (MARY, NOBODY):
        answers = [Client().post("/accounts/password/reset/", {"email": email}).status_code for _ in range(4)]
        assert answers == [302, 302, 302, 429]


def test_mary_changes_her_password_and_only_the_browser_at_hand_stays_logged_in() -> None:
    person()
    here, elsewhere = logged_in(), logged_in()
    wrong = {"oldpassword": "wrong", "password1": NEW, "password2": NEW}
    assert here.post("/accounts/password/change/", wrong).status_code == 200
    answer = here.post("/accounts/password/change/", {**wrong, "oldpassword": PASSWORD})
    assert answer.status_code == 302
    assert is_logged_in(here)
    assert not is_logged_in(elsewhere)


def test_an_exchange_without_a_mail_server_says_so_to_everybody(settings: pytest.FixtureRequest) -> None:
    settings.CAN_SEND_EMAIL = False  # type: ignore[attr-defined]
    person()
    for email in (MARY, NOBODY):
        page = Client().post("/accounts/password/reset/", {"email": email})
        assert "sends no e-mail" in page.content.decode()
    assert mail.outbox == []
