"""Versions of resources, their former states, and where observations came from."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from core.sql import run


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
    ]
