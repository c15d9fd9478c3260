"""Clients that registered themselves and that nobody uses go again."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken

from core.models import ClientConsent

UNUSED_FOR = timedelta(days=1)
_AT_ONCE = 500


def forget_unused_clients() -> int:
    """Delete what registered itself (RFC 7591, metadata documents) a day ago and was let in by nobody; how many.

    One that is still wanted registers again, or its document is read again.
    """
    deleted = 0
    while True:
        with transaction.atomic():
            batch = list(_unused().select_for_update(skip_locked=True).values_list("pk", flat=True)[:_AT_ONCE])
            # Whoever began to use one before it was locked is seen now; who comes later waits, and finds it gone.
            gone = list(_unused().filter(pk__in=batch).values_list("pk", flat=True))
            Application.objects.filter(pk__in=gone).delete()
        deleted += len(gone)
        if len(batch) < _AT_ONCE or not gone:
            return deleted


def _unused() -> QuerySet[Application]:
    """A registration's own token is nobody's (RFC 7592), and does not count."""
    its = {"application": OuterRef("pk")}
    unused: QuerySet[Application] = Application.objects.filter(
        ~Exists(ClientConsent.objects.filter(**its)),
        ~Exists(Grant.objects.filter(**its)),
        ~Exists(AccessToken.objects.filter(**its, user__isnull=False)),
        ~Exists(RefreshToken.objects.filter(**its, revoked=None)),
        registration_source__in=[Application.RegistrationSource.DCR, Application.RegistrationSource.CIMD],
        updated__lt=timezone.now() - UNUSED_FOR,
    )
    return unused
