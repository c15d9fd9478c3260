"""/data_sources: what sends data, the same for everybody; superusers keep it."""

from typing import Any

from rest_framework import serializers

from core.actions import data_sources
from core.api.codes import CodeAnswer, CodeList, CodeReference, code_of
from core.api.serializers import CamelCaseModel, IdListField, PageQuery
from core.api.views import DOOR, RestView, operation
from core.models import CodeableConcept, DataSource
from core.models.data_source import DataSourceQuerySet
from core.models.fetch import check_keeps_catalogue, fetch
from core.policy.checks import no_such
from core.policy.errors import NotVisible
from core.policy.permissions import Permission


class DataSourceAnswer(CamelCaseModel):
    supported_scopes = CodeAnswer(many=True)

    class Meta:
        model = DataSource
        fields = ("id", "name", "type", "supported_scopes")


class DataSourceBody(CamelCaseModel):
    supported_scope_ids = IdListField(
        required=False, allow_empty=True, help_text="Ids of codes: all kinds of data that it sends."
    )

    class Meta:
        model = DataSource
        fields = ("name", "type", "supported_scope_ids")


class DataSourceQuery(PageQuery):
    search = serializers.CharField(required=False, help_text="Only names that contain this.")
    type = serializers.ChoiceField(DataSource.Type.choices, required=False)


class DataSourceView(RestView):
    def data_sources(self) -> DataSourceQuerySet:
        return DataSource.objects.visible_to(self.principal).prefetch_related("supported_scopes")

    def kept(self, pk: int) -> DataSource:
        return fetch(DataSource.objects.all(), pk, self.principal, Permission.CATALOGUE_MANAGE)

    def supported(self) -> dict[str, Any]:
        """The kinds of data that the body names, if it names any."""
        ids: list[int] | None = self.body.pop("supported_scope_ids", None)
        if ids is None:
            return {}
        codes = {code.pk: code for code in CodeableConcept.objects.visible_to(self.principal).filter(pk__in=ids)}
        if unknown := sorted(set(ids) - codes.keys()):
            raise NotVisible(no_such("code", unknown[0]))
        return {"supported_scopes": list(codes.values())}


class DataSourceList(DataSourceView):
    @operation("Device.s", query=DataSourceQuery, answer=DataSourceAnswer, counted=True)
    def get(self) -> Any:
        return self.data_sources().filter(**self.conditions(search="name__icontains", type="type"))

    @operation("Device.c", body=DataSourceBody, answer=DataSourceAnswer, status=201)
    def post(self) -> Any:
        check_keeps_catalogue(self.principal)
        supported = self.supported()
        new = data_sources.create_data_source(actor=self.principal, door=DOOR, **self.body, **supported)
        return fetch(self.data_sources(), new.pk, self.principal)


class DataSourceDetail(DataSourceView):
    @operation("Device.r", answer=DataSourceAnswer)
    def get(self, pk: int) -> Any:
        return fetch(self.data_sources(), pk, self.principal)

    @operation("Device.u", body=DataSourceBody, answer=DataSourceAnswer)
    def put(self, pk: int) -> Any:
        return self._change(pk)

    @operation("Device.u", body=DataSourceBody, answer=DataSourceAnswer)
    def patch(self, pk: int) -> Any:
        return self._change(pk)

    @operation("Device.d")
    def delete(self, pk: int) -> None:
        data_sources.delete_data_source(actor=self.principal, door=DOOR, data_source=self.kept(pk))

    def _change(self, pk: int) -> DataSource:
        source, supported = self.kept(pk), self.supported()
        data_sources.update_data_source(
            actor=self.principal, door=DOOR, data_source=source, changes=self.body, **supported
        )
        return fetch(self.data_sources(), pk, self.principal)


class AllScopes(CodeList):
    """Every kind of data that a data source can support: the same as /codes."""


class SupportedScopes(DataSourceView):
    @operation("Device.r", query=PageQuery, answer=CodeAnswer, counted=True)
    def get(self, pk: int) -> Any:
        source = fetch(DataSource.objects.all(), pk, self.principal)
        codes = CodeableConcept.objects.visible_to(self.principal)
        return codes.filter(pk__in=source.scope_links.values("code"))

    @operation("Device.u", body=CodeReference, answer=DataSourceAnswer)
    def post(self, pk: int) -> Any:
        source, code = self.kept(pk), code_of(self.body, self.principal)
        data_sources.add_supported_scope(actor=self.principal, door=DOOR, data_source=source, code=code)
        return fetch(self.data_sources(), pk, self.principal)

    @operation("Device.u", body=CodeReference)
    def delete(self, pk: int) -> None:
        source, code = self.kept(pk), code_of(self.body, self.principal)
        if not data_sources.remove_supported_scope(actor=self.principal, door=DOOR, data_source=source, code=code):
            raise NotVisible(f"Data source {pk} does not support scope {code.pk}.")
