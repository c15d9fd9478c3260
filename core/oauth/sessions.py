"""When the person behind a session logged in: `auth_time` and `max_age` of OpenID Connect (Core §2, §3.1.2.1)."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

_KEY = "authenticated_at"


@receiver(user_logged_in, dispatch_uid="core.oauth.sessions")
def _remember(request: HttpRequest | None = None, **_: Any) -> None:
    """Of this session: `User.last_login` is that of the last one, on whatever machine."""
    if request is not None and hasattr(request, "session"):
        request.session[_KEY] = int(timezone.now().timestamp())


def authenticated_at(request: HttpRequest) -> datetime:
    """For a session from before this was kept, a time long ago."""
    return datetime.fromtimestamp(request.session.get(_KEY, 0), UTC)
