"""Versions of resources, their former states, and where observations came from."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now

from core.sql import run

VERSIONED = (
    "organization",
    "practitioner",
    "practitionerorganization",
    "patient",
    "study",
    "datasource",
    "observation",
)
NEWLY_DATED = ("practitionerorganization", "datasource")


def _version_id(model_name: str) -> migrations.AddField:
    field = models.PositiveIntegerField(db_default=1, editable=False)
    return migrations.AddField(model_name=model_name, name="version_id", field=field)


def _last_updated(model_name: str) -> migrations.AddField | migrations.AlterField:
    operation = migrations.AddField if model_name in NEWLY_DATED else migrations.AlterField
    field = models.DateTimeField(db_default=Now(), editable=False)
    return operation(model_name=model_name, name="last_updated", field=field)

_NO_HISTORY = """
DROP TRIGGER history_is_append_only ON core_resourcehistory;
DROP FUNCTION history_of_part, history_of_new_identifiers, history_touch, history_keep, history_resume CASCADE;
DROP FUNCTION history_add, history_parts;
ALTER TABLE core_organization DROP COLUMN version_xact;
ALTER TABLE core_practitioner DROP COLUMN version_xact;
ALTER TABLE core_practitionerorganization DROP COLUMN version_xact;
ALTER TABLE core_patient DROP COLUMN version_xact;
ALTER TABLE core_study DROP COLUMN version_xact;
ALTER TABLE core_datasource DROP COLUMN version_xact;
ALTER TABLE core_observation DROP COLUMN version_xact;
DROP FUNCTION history_began_now;
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0005_enrolment")]

    operations = [
        migrations.CreateModel(
            name="Ingest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("recorded", models.DateTimeField()),
                ("user_id", models.BigIntegerField(help_text="Nobody for a command on the machine itself.", null=True)),
                ("client_id", models.TextField(blank=True)),
                ("door", models.TextField(help_text="rest, fhir, web, import or command")),
                ("activity", models.TextField(help_text="The interaction or the command.")),
                (
                    "patient_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), help_text="Whose observations they are.", size=None
                    ),
                ),
                ("recorded_count", models.IntegerField(help_text="Observations of the batch that were new.")),
                ("known_count", models.IntegerField(help_text="Observations of the batch that were there already.")),
                ("first_observation_id", models.BigIntegerField()),
                ("last_observation_id", models.BigIntegerField()),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["recorded", "id"], name="ingest_by_time")],
            },
        ),
        migrations.AddField(
            model_name="observation",
            name="ingest",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="core.ingest",
            ),
        ),
        run("append_only_ingest_v1", reverse="DROP TRIGGER ingest_is_append_only ON core_ingest"),
        *[_version_id(model_name) for model_name in VERSIONED],
        *[_last_updated(model_name) for model_name in VERSIONED],
        migrations.CreateModel(
            name="ResourceHistory",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("resource_type", models.TextField(help_text="The name of the model.")),
                ("resource_id", models.BigIntegerField()),
                ("version_id", models.IntegerField()),
                ("last_updated", models.DateTimeField(help_text="When the version began.")),
                ("ended_at", models.DateTimeField(help_text="When the next version began.")),
                (
                    "content",
                    models.JSONField(help_text="The columns, and the parts in lists. Null: deleted.", null=True),
                ),
                ("patient_id", models.BigIntegerField(null=True)),
                ("code_id", models.BigIntegerField(null=True)),
                ("user_id", models.BigIntegerField(null=True)),
                ("client_id", models.TextField(blank=True)),
            ],
            options={
                "verbose_name_plural": "resource history",
                "ordering": ["-last_updated", "-id"],
                "indexes": [
                    models.Index(fields=["resource_type", "last_updated", "id"], name="history_by_time"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=["resource_type", "resource_id", "version_id"], name="history_version_once"
                    )
                ],
            },
        ),
        run("history_v1", reverse=_NO_HISTORY),
        run("access_deleted_v1", reverse="DROP VIEW access_deleted"),
        migrations.CreateModel(
            name="DeletedAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
                ("resource_type", models.TextField()),
                ("resource_id", models.BigIntegerField()),
            ],
            options={"db_table": "access_deleted", "managed": False},
        ),
    ]
