"""The scopes that clients may ask for: those of the settings, and SMART's for each type of resource (v2, granular)."""

from django.conf import settings
from oauth2_provider.scopes import SettingsScopes

from core.policy.scopes import every_resource_scope, resource_scopes, sentence_of

ALL_SCOPES: dict[str, str] = {scope: sentence_of(scope) for scope in every_resource_scope()}
ALL_SCOPES |= settings.OAUTH2_PROVIDER["SCOPES"]
"""Each with what the consent page says of it."""

LISTED_SCOPES = list(dict.fromkeys((*settings.OAUTH2_PROVIDER["SCOPES"], *resource_scopes(("rs", "cruds")))))
"""What SMART clients are told of: naming all combinations of letters would help nobody."""

NOT_OFFERED = (
    "A scope is one of this server's metadata, or user or patient, a slash, a type of resource or *, a dot, and of the "
    "letters cruds some, in this order. There is no scope for system, and none with a query."
)
"""In the characters that RFC 6749 §5.2 allows."""


class Scopes(SettingsScopes):
    """The library's metadata goes on listing those of the settings; the validator accepts all of them."""

    def get_all_scopes(self) -> dict[str, str]:
        return ALL_SCOPES
