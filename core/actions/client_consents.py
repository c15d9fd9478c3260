"""What people let OAuth clients do on their behalf: given, made less, and taken back."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypedDict
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application, RefreshToken

from core.actions.access import drop_unused, end_client_access, take_turn
from core.actions.acting import acting, record_write
from core.actions.narrowings import narrow
from core.models import ClientConsent, Narrowing, Organization, Study, User
from core.policy.errors import InvalidInput
from core.policy.permissions import Permission
from core.policy.principal import Principal


class Reach(TypedDict, total=False):
    """What a client is to reach, by id: these studies, or these organizations; without either, all. Of one patient."""

    studies: list[int]
    organizations: list[int]
    patient: int


_CODE_LIFETIME = timedelta(hours=1)
"""No code lives longer: after this, a consent without a refresh token has none coming."""


def family_of(code: str) -> UUID:
    """Of the refresh tokens that come of a code (or device code): nobody can tell the code from it."""
    return UUID(bytes=hashlib.sha256(code.encode()).digest()[:16])


def give(
    *,
    user: User,
    application: Application,
    code: str,
    scope: str,
    resource: Iterable[str] = (),
    narrowing: Narrowing | None = None,
    redirect_uri: str = "",
    authenticated: datetime | None = None,
    refreshes: bool = True,
) -> ClientConsent:
    """Remember what a person agreed to, for the tokens that will come of `code`. Within the caller's transaction.

    `authenticated`: when the person had logged in; now, if it is left out. `refreshes`: with refresh tokens. Earlier
    consents of theirs to this client that say no more than this one, and have no tokens any more, are forgotten.
    """
    consent = ClientConsent.objects.create(
        user=user,
        application=application,
        family=family_of(code),
        scope=scope,
        resource=list(resource),
        narrowing=narrowing,
        redirect_uri=redirect_uri,
        authenticated=authenticated or timezone.now(),
        refreshes=refreshes,
    )
    _forget_spent(consent)
    return consent


def standing(family: UUID, application: Application) -> ClientConsent | None:
    """The consent that a code or refresh token of this client comes of, with its person's turn taken.

    Within the caller's transaction, until whose end the consent stands. None: it was withdrawn, or never was.
    """
    consents = ClientConsent.objects.filter(family=family, application=application)
    owner = consents.values_list("user_id", flat=True).first()
    if owner is None:
        return None
    take_turn(owner)
    return consents.select_related("user", "narrowing").first()


def caller(user: User, narrowing_id: int | None) -> Principal:
    """As whom a client acts that was let act for a person, with what its consent leaves."""
    return Principal(user_id=user.pk, user_type=user.user_type, narrowing_id=narrowing_id)


def withdraw(*, actor: Principal | None, door: str, user: User, application: Application) -> None:
    """End everything that a client has of a person: consents, codes, and tokens of every kind, on every door at once.

    `actor` is the person, or a superuser. Nothing happens where there is nothing to end.
    """
    with acting(actor, door=door):
        end_client_access(user, application)
        detail = {"client": application.client_id, "person": user.pk}
        record_write(actor, door=door, action="withdraw_client_consent", patient_ids=[], detail=detail)


def leave(*, actor: Principal, door: str, user: User, application: Application, reach: Reach) -> None:
    """Make less of what a client reaches: of what it reaches now, only this is left.

    It holds at once for every token that the client has. Raises InvalidInput when nothing would be left: then withdraw.
    """
    with acting(actor, door=door):
        take_turn(user.pk)
        consents = ClientConsent.objects.filter(user=user, application=application).select_related("narrowing")
        for narrowing in {consent.narrowing for consent in consents}:
            less = _less(user, narrowing, reach)
            consents.filter(narrowing=narrowing).update(narrowing=less)
            drop_unused([narrowing.pk] if narrowing else [])
        if not consents.filter(_reaches_something()).exists():
            raise InvalidInput("Leave it one at least, or withdraw everything.")
        detail = {"client": application.client_id, **reach}
        record_write(actor, door=door, action="narrow_client_consent", patient_ids=[], detail=detail)


def _less(user: User, narrowing: Narrowing | None, reach: Reach) -> Narrowing | None:
    now = caller(user, narrowing.pk if narrowing else None)
    studies = organizations = None
    if "studies" in reach:
        studies = _ids(Study.objects.visible_to(now).filter(pk__in=reach["studies"]))
    else:
        # Not one of which a study alone is left: of that the client knows no more than the name.
        named = Organization.objects.visible_to(now, Permission.STUDY_READ)
        organizations = _ids(named.filter(pk__in=reach["organizations"]))
    codes, patient = _codes_of(narrowing), narrowing.patient_id if narrowing else None
    return narrow(user, studies=studies, organizations=organizations, codes=codes, patient=patient)


def _ids(rows: Any) -> list[int]:
    return list(rows.values_list("pk", flat=True))


def _reaches_something() -> Exists:
    return Exists(Narrowing.objects.filter(pk=OuterRef("narrowing")).exclude(studies=None, organizations=None))


def _codes_of(narrowing: Narrowing | None) -> Mapping[int, str] | None:
    if narrowing is None or narrowing.every_code:
        return None
    return dict(narrowing.code_links.values_list("code_id", "letters"))


def _forget_spent(fresh: ClientConsent) -> None:
    live = RefreshToken.objects.filter(token_family=OuterRef("family"), revoked=None)
    spent = ClientConsent.objects.filter(
        ~Exists(live), user=fresh.user, application=fresh.application, given__lt=timezone.now() - _CODE_LIFETIME
    )
    forgotten = [consent for consent in spent if _says_no_more(consent, fresh)]
    AccessToken.objects.filter(consented__consent__in=forgotten).delete()
    ClientConsent.objects.filter(pk__in=[consent.pk for consent in forgotten]).delete()
    drop_unused([consent.narrowing_id for consent in forgotten if consent.narrowing_id])


def _says_no_more(consent: ClientConsent, fresh: ClientConsent) -> bool:
    return set(consent.scope.split()) <= set(fresh.scope.split()) and set(consent.resource) <= set(fresh.resource)
