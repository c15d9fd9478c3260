"""A resource as it once was, made again from what its history keeps."""

from collections.abc import Mapping
from typing import Any

from django.db import models

Parts = dict[str, models.QuerySet[models.Model]]


def former_instance(model: type[models.Model], content: Mapping[str, Any], database: str | None) -> Any:
    """An instance of `model`: its columns and its parts are those of `content`.

    The parts are put where Django itself keeps what was prefetched, so that both are read alike.
    """
    instance: Any = _row(model, content, database)
    parts = _parts(instance, content, database)
    instance._prefetched_objects_cache = parts | _linked(model, parts)
    return instance


def _row(model: type[models.Model], content: Mapping[str, Any], database: str | None) -> models.Model:
    """In jsonb a date is a string. A column that is younger than the content has its default."""
    fields = model._meta.concrete_fields
    values = [
        field.to_python(content[field.attname]) if field.attname in content else field.get_default() for field in fields
    ]
    return model.from_db(database, [field.attname for field in fields], values)


def _parts(instance: models.Model, content: Mapping[str, Any], database: str | None) -> Parts:
    """The rows that belonged to it, by the name of the reverse relation."""
    parts: Parts = {}
    for relation in instance._meta.related_objects:
        name = relation.get_accessor_name()
        if name and name in content:
            rows = [_row(relation.related_model, part, database) for part in content[name]]
            for row in rows:
                setattr(row, relation.field.name, instance)
            parts[name] = getattr(instance, name).all()
            parts[name]._result_cache = rows
    return parts


def _linked(model: type[models.Model], parts: Parts) -> Parts:
    """What the parts link to, by the name of the many-to-many relation: as it is now, if it still is."""
    linked: Parts = {}
    for field in model._meta.many_to_many:
        for links in parts.values():
            if links.model is field.remote_field.through:
                ids = [getattr(link, field.m2m_reverse_name()) for link in links]
                linked[field.name] = field.related_model._default_manager.filter(pk__in=ids)
    return linked
