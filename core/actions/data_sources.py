"""The catalogue of what sends data. It is the same for all organizations, so superusers keep it."""

from collections.abc import Iterable, Mapping

from core.actions.acting import acting
from core.models import CodeableConcept, DataSource, DataSourceSupportedScope, Observation
from core.policy.errors import Conflict
from core.policy.principal import Principal


def create_data_source(
    *,
    actor: Principal,
    door: str,
    name: str,
    type: str = DataSource.Type.PERSONAL_DEVICE,  # noqa: A002 - the field's name
    supported_scopes: Iterable[CodeableConcept] = (),
) -> DataSource:
    """A new data source. The caller has CATALOGUE_MANAGE, here and below."""
    with acting(actor, door=door):
        source = DataSource.objects.create(name=name, type=type)
        source.supported_scopes.set(supported_scopes)
        return source


def update_data_source(
    *,
    actor: Principal,
    door: str,
    data_source: DataSource,
    changes: Mapping[str, object],
    supported_scopes: Iterable[CodeableConcept] | None = None,
) -> DataSource:
    """Change columns, and with `supported_scopes` which kinds of data it sends, all of them."""
    with acting(actor, door=door):
        for name, value in changes.items():
            setattr(data_source, name, value)
        data_source.save(update_fields=list(changes))
        if supported_scopes is not None:
            data_source.supported_scopes.set(supported_scopes)
        return data_source


def delete_data_source(*, actor: Principal, door: str, data_source: DataSource) -> None:
    """Delete what no observation names. Raises Conflict otherwise: where data came from is not forgotten."""
    with acting(actor, door=door):
        locked = DataSource.objects.select_for_update().get(pk=data_source.pk)
        if Observation.objects.filter(data_source=locked).exists():
            raise Conflict(f"Data source {locked.pk} has sent observations, which name it: it stays.")
        locked.delete()


def add_supported_scope(*, actor: Principal, door: str, data_source: DataSource, code: CodeableConcept) -> None:
    with acting(actor, door=door):
        DataSourceSupportedScope.objects.get_or_create(data_source=data_source, code=code)


def remove_supported_scope(*, actor: Principal, door: str, data_source: DataSource, code: CodeableConcept) -> bool:
    """False if it did not support it."""
    with acting(actor, door=door):
        ended, _ = DataSourceSupportedScope.objects.filter(data_source=data_source, code=code).delete()
        return ended > 0
