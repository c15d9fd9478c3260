"""Changing the keys that tokens are signed with, without surprising anybody who keeps the published ones."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from oauth2_provider.models import AccessToken, IDToken

from core.models.signing_key import Algorithm, SigningKey, key_ring
from core.policy.errors import InvalidInput

JWKS_SECONDS = 300
"""How long whoever verifies may keep the published keys before looking again."""

SHORTEST_OVERLAP = timedelta(minutes=15)
"""A cache in between and the verifier's own may each keep them for JWKS_SECONDS; and clocks differ."""


@transaction.atomic
def rotate(algorithm: Algorithm, *, overlap: timedelta) -> SigningKey:
    """A new key: published at once, signing after the overlap. Those before it of its algorithm go on verifying.

    They do so until the last token that they can have signed has run out. Raises InvalidInput for an overlap shorter
    than SHORTEST_OVERLAP.
    """
    if overlap < SHORTEST_OVERLAP:
        minutes = SHORTEST_OVERLAP // timedelta(minutes=1)
        raise InvalidInput(f"The overlap is at least {minutes} minutes; a leaked key is replaced with --now.")
    former = _published_under_lock(algorithm)
    new = SigningKey.new(algorithm, active_from=timezone.now() + overlap)
    new.save()
    for key in former:
        if key.verify_until is None:
            key.verify_until = new.active_from + timedelta(seconds=settings.LONGEST_TOKEN_SECONDS)
            key.save()
    return new


@transaction.atomic
def replace_at_once(algorithm: Algorithm) -> SigningKey:
    """For a key that has leaked: nothing that the former keys of this algorithm signed is worth anything any longer.

    Every signed token ends, whoever signed it: which key it was is not kept. Clients refresh them, as they would in an
    hour at most.
    """
    former = _published_under_lock(algorithm)
    now = timezone.now()
    new = SigningKey.new(algorithm, active_from=now)
    new.save()
    for key in former:
        key.verify_until = now
        key.save()
    past = now - timedelta(hours=1)  # by any clock, and by that of a transaction that began a while ago
    AccessToken.objects.filter(expires__gt=past).exclude(resource=[]).update(expires=past)
    IDToken.objects.filter(expires__gt=past).update(expires=past)
    prune()
    return new


def prune() -> None:
    """Forget keys that verify nothing any longer; of the environment's key the row stays, or it would count again."""
    kid = SigningKey.of_the_environment().kid
    SigningKey.objects.filter(verify_until__lte=timezone.now()).exclude(kid=kid).delete()


def _published_under_lock(algorithm: Algorithm) -> list[SigningKey]:
    """Two who rotate at once take turns, at the row of the environment's key."""
    environments = SigningKey.of_the_environment()
    SigningKey.objects.bulk_create([environments], ignore_conflicts=True)
    SigningKey.objects.select_for_update().get(kid=environments.kid)
    return [key for key in key_ring() if key.algorithm == algorithm and key.is_published]
