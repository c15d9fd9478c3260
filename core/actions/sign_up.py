"""People sign up with a code that an administrator or an organization's manager gave them.

A code gives what its maker may give, at the moment when it is used: a manager who has left gives nothing any more.
"""

import hashlib
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import get_random_string

from core.actions.acting import acting, record_write
from core.actions.organizations import add_member
from core.models import Organization, SignUp, SignUpCode, User
from core.policy.errors import InvalidInput, NotVisible
from core.policy.permissions import Permission
from core.policy.principal import Principal

DOOR = "accounts"
LIFETIME = timedelta(days=7)
LONGEST = timedelta(days=90)
MOST_USES = 1_000

_LENGTH = 24
_NO_SUCH_CODE = "This code is not good for this e-mail, or not any more: check both, or ask for a new one."
_NOT_YOURS = "No organization of which you manage the practitioners: name one of yours, with a role."


def make_sign_up_code(
    *,
    maker: User,
    door: str,
    organization: Organization | None = None,
    role: str = "",
    email: str = "",
    uses: int = 1,
    lifetime: timedelta = LIFETIME,
) -> tuple[SignUpCode, str]:
    """A code for `uses` people, or for the one with `email`; the text of it is returned once and kept nowhere.

    Raises NotVisible where the maker may not give the role (PRACTITIONER_MANAGE); without an organization, only
    superusers make one. Raises InvalidInput for other bounds than 1 to 1,000 uses and 90 days.
    """
    if not (0 < uses <= MOST_USES and timedelta(0) < lifetime <= LONGEST):
        raise InvalidInput(f"A code is for 1 to {MOST_USES} people and for {LONGEST.days} days at most.")
    if (organization is None) is not (role == ""):
        raise InvalidInput("Choose both an organization and a role, or neither.")
    if not _may_give(maker, organization):
        raise NotVisible(_NOT_YOURS)
    text = get_random_string(_LENGTH)
    actor = _principal(maker)
    with acting(actor, door=door):
        code = SignUpCode.objects.create(
            code_hash=_hash(text),
            organization=organization,
            role=role,
            email=email.strip().lower(),
            uses_left=1 if email else uses,
            expires=timezone.now() + lifetime,
            maker=maker,
        )
        record_write(actor, door=door, action="make_sign_up_code", patient_ids=[])
    return code, text


def organizations_to_invite_to(user: User) -> QuerySet[Organization]:
    """Those whose roles they may give: they manage its practitioners."""
    return Organization.objects.visible_to(_principal(user), Permission.PRACTITIONER_MANAGE)


@transaction.atomic
def redeem_sign_up_code(*, code: str, email: str) -> SignUpCode:
    """One use of a code, which is gone then; of two who come at once for the last one, one gets it.

    Raises NotVisible, with one sentence for whatever is wrong.
    """
    found = SignUpCode.objects.select_for_update(of=("self",)).select_related("maker", "organization")
    held = found.filter(code_hash=_hash(code), uses_left__gt=0, expires__gt=timezone.now()).first()
    if held is None or held.email not in ("", email.lower()) or not _may_give(held.maker, held.organization):
        raise NotVisible(_NO_SUCH_CODE)
    held.uses_left -= 1
    held.save(update_fields=["uses_left"])
    return held


@transaction.atomic
def finish_sign_up(user: User) -> None:
    """Gives somebody whose e-mail is verified now the role of the code that they signed up with, once."""
    pending = SignUp.objects.select_for_update(of=("self",)).select_related("code__maker", "code__organization")
    sign_up = pending.filter(user=user).first()
    if sign_up is None:
        return
    code = sign_up.code
    if code.organization is not None and _may_give(code.maker, code.organization):
        maker = _principal(code.maker)
        with acting(maker, door=DOOR):
            add_member(user=user, organization=code.organization, role=code.role)
            record_write(maker, door=DOOR, action="sign_up", patient_ids=[], detail={"user": user.pk})
    sign_up.delete()


def _may_give(maker: User, organization: Organization | None) -> bool:
    if not maker.is_active or organization is None:
        return maker.is_active and maker.is_superuser
    return organizations_to_invite_to(maker).filter(pk=organization.pk).exists()


def _principal(user: User) -> Principal:
    return Principal(user_id=user.pk, user_type=user.user_type)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
