"""How the access ends that clients have on somebody's behalf.

Whatever gives somebody tokens and whatever ends them takes turns: what is given meanwhile is ended too, or not given.
"""

from collections.abc import Iterable

from django.utils import timezone
from oauth2_provider.models import AccessToken, Application, Grant, IDToken, RefreshToken

from core.models import BulkJob, ClientConsent, Narrowing, User


def take_turn(user_id: int) -> None:
    """Wait for whatever gives or ends tokens of this person at the moment, and let the next one wait for us.

    Until the end of the caller's transaction. It hinders nothing else: rows that name the person can be written.
    """
    User.objects.select_for_update(no_key=True).filter(pk=user_id).first()


def end_client_access(user: User, application: Application | None = None) -> None:
    """Revoke every consent, code and token that clients have of a person, and their jobs; or that one client has.

    Within the caller's transaction. An exchange or a refresh that is under way ends first, and what it gave ends too.
    """
    take_turn(user.pk)
    theirs = {"user": user} | ({"application": application} if application else {})
    Grant.objects.filter(**theirs).delete()
    RefreshToken.objects.filter(**theirs, revoked=None).update(revoked=timezone.now(), access_token=None)
    AccessToken.objects.filter(**theirs).delete()
    IDToken.objects.filter(**theirs).delete()
    BulkJob.objects.filter(user=user, **({"client_id": application.client_id} if application else {})).delete()
    consents = ClientConsent.objects.filter(**theirs)
    narrowings = list(consents.exclude(narrowing=None).values_list("narrowing_id", flat=True))
    consents.delete()
    drop_unused(narrowings)


def drop_unused(narrowings: Iterable[int]) -> None:
    """Delete those of these narrowings, of consents, that no consent names any more."""
    Narrowing.objects.filter(pk__in=set(narrowings), client_consents=None).delete()
