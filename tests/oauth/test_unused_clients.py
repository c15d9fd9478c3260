"""What registered itself and is of no use to anybody goes again."""

from datetime import timedelta

import pytest
from django.utils import timezone
from oauth2_provider.models import Application

from core.actions.registrations import forget_unused_clients
from core.management.commands.worker import CHORES
from core.models import User
from tests.oauth import flow
from tests.oauth.test_registration import CALLBACK, register

pytestmark = pytest.mark.django_db


@pytest.fixture
def registered() -> Application:
    return Application.objects.get(client_id=register().json()["client_id"])


def pass_a_day() -> None:
    Application.objects.update(updated=timezone.now() - timedelta(days=1, minutes=1))


def test_one_that_nobody_let_in_is_forgotten_after_a_day(registered: Application) -> None:
    assert forget_unused_clients() == 0
    pass_a_day()
    assert forget_unused_clients() == 1
    assert not Application.objects.filter(pk=registered.pk).exists()


def test_one_that_somebody_uses_stays(registered: Application, somebody: User) -> None:
    code = flow.code_for_web(somebody, registered, CALLBACK)
    pass_a_day()
    assert forget_unused_clients() == 0
    tokens = flow.redeem(code, client_id=registered.client_id, redirect_uri=CALLBACK).json()
    pass_a_day()
    assert forget_unused_clients() == 0
    assert flow.refresh(tokens["refresh_token"], client_id=registered.client_id).status_code == 200


@pytest.mark.parametrize(("source", "forgotten"), [("cimd", 1), ("dcr", 1), ("manual", 0)])
def test_one_that_an_admin_registered_stays(registered: Application, source: str, forgotten: int) -> None:
    Application.objects.filter(pk=registered.pk).update(registration_source=source)
    pass_a_day()
    assert forget_unused_clients() == forgotten
    assert Application.objects.filter(client_id="jhe-mcp-stdio").exists()


def test_many_are_forgotten_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.actions.registrations._AT_ONCE", 2)
    for _ in range(5):
        register()
    pass_a_day()
    assert forget_unused_clients() == 5


def test_the_worker_sees_to_it() -> None:
    assert forget_unused_clients in [chore for chore, _ in CHORES]
