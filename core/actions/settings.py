"""What the exchange tells the people who use it."""

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_email

from core.actions.acting import acting, record_write
from core.models import Setting
from core.policy.errors import InvalidInput
from core.policy.principal import Principal


def write_setting(*, actor: Principal, door: str, key: str, value: str) -> None:
    """An empty value brings the default back. The caller may do this (CATALOGUE_MANAGE). Raises InvalidInput."""
    _check(key, value)
    with acting(actor, door=door):
        if value:
            Setting.objects.update_or_create(key=key, defaults={"value": value})
        else:
            Setting.objects.filter(key=key).delete()
        record_write(actor, door=door, action="write_setting", patient_ids=[])


def _check(key: str, value: str) -> None:
    try:
        if value and key.endswith("_url"):
            URLValidator(schemes=["https"])(value)
        if value and key.endswith("_email"):
            validate_email(value)
    except ValidationError as error:
        kind = "an https URL" if key.endswith("_url") else "an e-mail address"
        raise InvalidInput(f"value: {key} is {kind}.") from error
