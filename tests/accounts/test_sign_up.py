"""Signing up with a code: who may make one, what it gives, and to whom."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from core.actions.sign_up import make_sign_up_code
from core.models import Organization, PractitionerOrganization, SignUpCode, User
from core.policy.errors import InvalidInput, NotVisible
from tests.accounts.people import MARY, PASSWORD, code_in_mail, is_logged_in, last_mail, log_in, person
from tests.factories import MembershipFactory, OrganizationFactory, UserFactory

pytestmark = pytest.mark.django_db

NEW = "new@test.invalid"
NOT_GOOD = "This code is not good"


@pytest.fixture(autouse=True)
def _open(settings: Any) -> None:
    settings.SIGN_UP = "invitation"


@pytest.fixture
def lab() -> Organization:
    return OrganizationFactory()


@pytest.fixture
def manager(lab: Organization) -> User:
    membership = MembershipFactory(organization=lab, role="manager")
    return membership.practitioner.user


def sign_up(code: str, email: str = NEW, client: Client | None = None, **changes: str) -> Any:
    fields = {"code": code, "email": email, "first_name": "N", "last_name": "E", "password1": PASSWORD}
    return (client or Client()).post("/accounts/signup/", {**fields, "password2": PASSWORD, **changes})


def role_of(email: str) -> str | None:
    found = PractitionerOrganization.objects.filter(practitioner__user__email=email).first()
    return found and found.role


def test_a_colleague_signs_up_and_has_the_role_once_their_e_mail_is_verified(lab: Organization, manager: User) -> None:
    _, code = make_sign_up_code(maker=manager, door="test", organization=lab, role="member")
    client = Client()
    assert sign_up(code, client=client)["Location"] == "/accounts/confirm-email/"
    assert last_mail().to == [NEW]
    assert not is_logged_in(client)
    assert role_of(NEW) is None
    client.post("/accounts/confirm-email/", {"code": code_in_mail()})
    assert is_logged_in(client)
    assert role_of(NEW) == "member"


def test_without_the_mailbox_the_account_is_of_no_use(lab: Organization, manager: User) -> None:
    _, code = make_sign_up_code(maker=manager, door="test", organization=lab, role="member")
    sign_up(code)
    client = Client()
    log_in(client, NEW)
    assert not is_logged_in(client)
    assert role_of(NEW) is None


def test_a_code_is_used_up(manager: User, lab: Organization) -> None:
    _, code = make_sign_up_code(maker=manager, door="test", organization=lab, role="viewer", uses=2)
    assert [sign_up(code, f"n{n}@test.invalid").status_code for n in range(3)] == [302, 302, 200]
    assert User.objects.filter(email__startswith="n").count() == 2


def test_a_code_for_one_e_mail_is_for_no_other(manager: User, lab: Organization) -> None:
    _, code = make_sign_up_code(maker=manager, door="test", organization=lab, role="viewer", email=NEW)
    assert NOT_GOOD in sign_up(code, "other@test.invalid").content.decode()
    assert sign_up(code, NEW.upper()).status_code == 302


@pytest.mark.parametrize("code", ["", "x", "A" * 24, "\0", "%", "' OR 1=1"])
def test_without_a_code_nobody_signs_up(code: str) -> None:
    assert sign_up(code).status_code == 200
    assert not User.objects.filter(email=NEW).exists()


def test_an_old_code_is_refused(manager: User, lab: Organization) -> None:
    made, code = make_sign_up_code(maker=manager, door="test", organization=lab, role="viewer")
    SignUpCode.objects.filter(pk=made.pk).update(expires=timezone.now() - timedelta(seconds=1))
    assert NOT_GOOD in sign_up(code).content.decode()


def test_a_manager_who_has_left_gives_nothing_any_more(manager: User, lab: Organization) -> None:
    _, code = make_sign_up_code(maker=manager, door="test", organization=lab, role="viewer", uses=2)
    client = Client()
    sign_up(code, client=client)
    PractitionerOrganization.objects.filter(practitioner__user=manager).delete()
    assert NOT_GOOD in sign_up(code, "late@test.invalid").content.decode()
    client.post("/accounts/confirm-email/", {"code": code_in_mail()})
    assert is_logged_in(client)
    assert role_of(NEW) is None


def test_a_deactivated_superuser_gives_nothing_any_more() -> None:
    admin = UserFactory(is_superuser=True)
    _, code = make_sign_up_code(maker=admin, door="test")
    User.objects.filter(pk=admin.pk).update(is_active=False)
    assert NOT_GOOD in sign_up(code).content.decode()


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_only_who_manages_practitioners_makes_codes(lab: Organization, role: str) -> None:
    maker = MembershipFactory(organization=lab, role=role).practitioner.user
    with pytest.raises(NotVisible):
        make_sign_up_code(maker=maker, door="test", organization=lab, role="viewer")


def test_a_manager_makes_codes_for_no_other_organization_and_for_none(manager: User) -> None:
    with pytest.raises(NotVisible):
        make_sign_up_code(maker=manager, door="test", organization=OrganizationFactory(), role="viewer")
    with pytest.raises(NotVisible):
        make_sign_up_code(maker=manager, door="test")


@pytest.mark.parametrize(
    "wrong", [{"uses": 0}, {"uses": 1_001}, {"lifetime": timedelta(0)}, {"lifetime": timedelta(days=91)}, {"role": "x"}]
)
def test_a_code_has_bounds(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        make_sign_up_code(maker=UserFactory(is_superuser=True), door="test", **wrong)


def test_who_has_an_account_is_not_learned_from_signing_up_with_its_e_mail(manager: User, lab: Organization) -> None:
    person(MARY)
    outcomes = []
    for email in (MARY, NEW):
        _, code = make_sign_up_code(maker=manager, door="test", organization=lab, role="viewer")
        client = Client()
        answer = sign_up(code, email, client)
        page = client.get(answer["Location"]).content.decode().replace(email, "")
        lines = [line for line in page.splitlines() if "csrfmiddlewaretoken" not in line]
        outcomes.append((answer["Location"], lines, sign_up(code, "third@test.invalid").status_code))
    assert outcomes[0] == outcomes[1]
    assert [message.to for message in mail.outbox] == [[MARY], [NEW]]
    assert User.objects.get(email=MARY).check_password(PASSWORD)
    assert role_of(MARY) is None


def test_an_account_with_this_e_mail_is_left_as_it_is(manager: User, lab: Organization) -> None:
    person(MARY, first_name="Mary")
    _, code = make_sign_up_code(maker=manager, door="test", organization=lab, role="viewer")
    sign_up(code, MARY, first_name="Mallory", password1="something else long", password2="something else long")
    mary = User.objects.get(email=MARY)
    assert (mary.first_name, mary.check_password(PASSWORD)) == ("Mary", True)


def test_nobody_becomes_more_by_sending_more_fields(manager: User, lab: Organization) -> None:
    _, code = make_sign_up_code(maker=manager, door="test", organization=lab, role="viewer")
    client = Client()
    sign_up(code, client=client, is_superuser="on", is_staff="on", role="manager", organization="0")
    client.post("/accounts/confirm-email/", {"code": code_in_mail()})
    user = User.objects.get(email=NEW)
    assert (user.is_superuser, user.is_staff, role_of(NEW)) == (False, False, "viewer")


def test_by_default_nobody_signs_up(settings: Any, manager: User, lab: Organization) -> None:
    settings.SIGN_UP = "off"
    _, code = make_sign_up_code(maker=manager, door="test", organization=lab, role="viewer")
    assert "No sign-up" in sign_up(code).content.decode()
    assert not User.objects.filter(email=NEW).exists()
    assert "/accounts/signup/" not in Client().get("/").content.decode()


def test_of_a_code_only_the_hash_is_kept(manager: User, lab: Organization) -> None:
    made, code = make_sign_up_code(maker=manager, door="test", organization=lab, role="viewer")
    assert code not in str(SignUpCode.objects.filter(pk=made.pk).values())


def test_the_command_prints_a_code_that_works(manager: User, lab: Organization) -> None:
    out = StringIO()
    call_command("sign_up_code", manager.email, organization=lab.pk, role="viewer", stdout=out)
    assert sign_up(out.getvalue().strip()).status_code == 302


@pytest.mark.parametrize(
    "wrong", [{"maker": "nobody@test.invalid"}, {"organization": 0}, {"organization": 99}, {"role": ""}]
)
def test_the_command_says_what_is_wrong(manager: User, lab: Organization, wrong: dict[str, Any]) -> None:
    asked = {"maker": manager.email, "organization": lab.pk, "role": "viewer", **wrong}
    with pytest.raises(CommandError):
        call_command("sign_up_code", asked.pop("maker"), **asked)


def test_an_administrator_makes_a_code_which_is_shown_once(lab: Organization) -> None:
    admin = Client()
    admin.force_login(UserFactory(is_staff=True, is_superuser=True))
    fields = {"organization": lab.pk, "role": "viewer", "email": "", "uses": "1"}
    page = admin.post("/admin/core/signupcode/add/", fields, follow=True).content.decode()
    code = page.partition("shown only now: ")[2].partition(" ")[0]
    made = SignUpCode.objects.get()
    assert code not in admin.get(f"/admin/core/signupcode/{made.pk}/change/").content.decode()
    assert sign_up(code).status_code == 302


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_manager_makes_a_code_on_a_page_of_their_own(manager: User, lab: Organization) -> None:
    browser = browser_of(manager)
    assert "/accounts/codes/" in browser.get("/").content.decode()
    fields = {"organization": lab.pk, "role": "member", "email": "", "uses": "1"}
    code = browser.post("/accounts/codes/", fields).context["text"]
    assert code not in browser.get("/accounts/codes/").content.decode()
    assert sign_up(code).status_code == 302


def test_a_manager_cannot_choose_another_organization_there(manager: User) -> None:
    fields = {"organization": OrganizationFactory().pk, "role": "member", "email": "", "uses": "1"}
    answer = browser_of(manager).post("/accounts/codes/", fields)
    assert "text" not in answer.context
    assert not SignUpCode.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_for_who_manages_nobody_there_is_no_such_page(lab: Organization, role: str) -> None:
    browser = browser_of(MembershipFactory(organization=lab, role=role).practitioner.user)
    fields = {"organization": lab.pk, "role": "viewer", "email": "", "uses": "1"}
    assert browser.get("/accounts/codes/").status_code == 404
    assert browser.post("/accounts/codes/", fields).status_code == 404
    assert "/accounts/codes/" not in browser.get("/").content.decode()
    assert Client().get("/accounts/codes/").status_code == 302


def test_where_nobody_signs_up_there_is_no_such_page(settings: Any, manager: User) -> None:
    settings.SIGN_UP = "off"
    assert browser_of(manager).get("/accounts/codes/").status_code == 404
