"""/settings: what the exchange tells the people who use it. Everybody reads it, superusers write it."""

from typing import Any

from rest_framework import serializers

from core.actions.settings import write_setting
from core.api.serializers import CamelCase, page_of
from core.api.views import DOOR, RestView, operation
from core.models import CatalogueAccess, Setting
from core.policy.checks import no_such
from core.policy.errors import NotVisible, PermissionDenied
from core.policy.permissions import Permission


class SettingAnswer(CamelCase):
    key = serializers.ChoiceField(list(Setting.DEFAULTS))
    value = serializers.CharField(allow_blank=True, help_text="As it was set, or its default.")


class SettingBody(CamelCase):
    value = serializers.CharField(allow_blank=True, max_length=500, help_text="Empty: the default again.")


class SettingList(RestView):
    """All of them, on one page."""

    @operation("Organization.s", answer=page_of(SettingAnswer))
    def get(self) -> Any:
        results = [{"key": key, "value": value} for key, value in Setting.all_values().items()]
        return {"count": len(results), "next": None, "previous": None, "results": results}


class SettingDetail(RestView):
    @operation("Organization.r", answer=SettingAnswer)
    def get(self, key: str) -> Any:
        return self._setting(key)

    @operation("Organization.u", body=SettingBody, answer=SettingAnswer)
    def put(self, key: str) -> Any:
        return self._write(key, self.body["value"])

    @operation("Organization.u", body=SettingBody, answer=SettingAnswer)
    def patch(self, key: str) -> Any:
        return self._write(key, self.body.get("value", self._setting(key)["value"]))

    @operation("Organization.d")
    def delete(self, key: str) -> None:
        """The default again."""
        self._write(key, "")

    def _setting(self, key: str) -> dict[str, str]:
        if key not in Setting.DEFAULTS:
            raise NotVisible(no_such("setting", key))
        return {"key": key, "value": Setting.all_values()[key]}

    def _write(self, key: str, value: str) -> dict[str, str]:
        self._setting(key)
        if not CatalogueAccess.granting(self.principal, Permission.CATALOGUE_MANAGE).exists():
            raise PermissionDenied(f"Your role does not include {Permission.CATALOGUE_MANAGE}.")
        write_setting(actor=self.principal, door=DOOR, key=key, value=value)
        return self._setting(key)
