"""The worker forgets what has run out, and nothing else."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken

from core.actions.clients import register_stdio_client
from core.actions.sweeping import forget_expired
from tests.bearer import token_of
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def stdio_client() -> None:
    register_stdio_client()


def test_tokens_and_sessions_that_ran_out_are_forgotten_and_others_stay() -> None:
    user, now = UserFactory(), timezone.now()
    token_of(user)
    token_of(user, expires=now - timedelta(hours=1))
    Session.objects.create(session_key="over", session_data="", expire_date=now - timedelta(hours=1))
    Session.objects.create(session_key="lasts", session_data="", expire_date=now + timedelta(hours=1))
    forget_expired()
    assert AccessToken.objects.get().expires > now
    assert Session.objects.get().session_key == "lasts"


def test_a_refresh_token_that_was_used_is_known_as_long_as_its_family_could_live() -> None:
    user, now = UserFactory(), timezone.now()
    token_of(user)
    application = AccessToken.objects.get().application
    for name, days in (("lately", 1), ("long ago", 31)):
        RefreshToken.objects.create(
            user=user, application=application, token=name, token_checksum=name, revoked=now - timedelta(days=days)
        )
    forget_expired()
    assert RefreshToken.objects.count() == 1
