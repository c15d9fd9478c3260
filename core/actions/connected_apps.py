"""Which clients a person lets act for them: their consents, put together by client."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.db.models import Max, Q
from oauth2_provider.models import Application, RefreshToken

from core.models import ClientConsent, Narrowing, Study, User
from core.policy.principal import Principal


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """`last_token`: when it last got tokens. `narrowings`: what it reaches, None among them if that is everything."""

    client: Application
    scopes: list[str]
    resources: list[str]
    since: datetime
    last_token: datetime | None
    narrowings: list[Narrowing | None]

    def callers(self, user: User) -> list[Principal]:
        """As whom it acts, for the access views."""
        ids = {narrowing.pk if narrowing else None for narrowing in self.narrowings}
        return [Principal(user_id=user.pk, user_type=user.user_type, narrowing_id=pk) for pk in ids]

    def studies(self, user: User) -> list[Study] | None:
        """Those that it is narrowed to, as far as the person reaches them; None where it reaches all of theirs."""
        if any(narrowing is None or narrowing.everywhere for narrowing in self.narrowings):
            return None
        reached = Q.create(
            [Q(pk__in=Study.objects.visible_to(caller).values("pk")) for caller in self.callers(user)], connector=Q.OR
        )
        return list(Study.objects.filter(reached).order_by("pk"))


def connected_apps(user: User, consents: Iterable[ClientConsent] | None = None) -> Iterator[ConnectedApp]:
    """All of a person's, by the name of the client; or those of some of their consents."""
    if consents is None:
        consents = ClientConsent.objects.filter(user=user).select_related("application", "narrowing")
    last = dict(RefreshToken.objects.filter(user=user).values_list("application").annotate(Max("created")).order_by())
    ordered = sorted(consents, key=lambda consent: (consent.application.name, consent.application_id, consent.pk))
    for client, of_client in groupby(ordered, key=lambda consent: consent.application):
        theirs = list(of_client)
        yield ConnectedApp(
            client=client,
            scopes=list(dict.fromkeys(scope for consent in theirs for scope in consent.scope.split())),
            resources=list(dict.fromkeys(resource for consent in theirs for resource in consent.resource)),
            since=theirs[0].given,
            last_token=last.get(client.pk),
            narrowings=[consent.narrowing for consent in theirs],
        )
