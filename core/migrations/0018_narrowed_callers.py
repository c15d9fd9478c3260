"""A job reads and writes no more than the token that asked for it; persons are looked up where it is cheap to plan."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from core.sql import run


class Migration(migrations.Migration):
    dependencies = [("core", "0017_client_consents")]

    operations = [
        migrations.AddField(
            "narrowing",
            "job",
            models.OneToOneField(
                help_text="The one job that this is for, and that it goes with.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="narrowing",
                to="core.bulkjob",
            ),
        ),
        migrations.AddField(
            "bulkjob",
            "permissions",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(),
                help_text="What that token can do at most; null: everything.",
                null=True,
                size=None,
            ),
        ),
        migrations.CreateModel(
            name="PersonOrganizationAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
                ("organization_id", models.BigIntegerField()),
            ],
            options={"db_table": "person_organization", "managed": False},
        ),
        migrations.CreateModel(
            name="PersonStudyAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
                ("study_id", models.BigIntegerField()),
            ],
            options={"db_table": "person_study", "managed": False},
        ),
        migrations.CreateModel(
            name="PersonPatientAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
                ("patient_id", models.BigIntegerField()),
            ],
            options={"db_table": "person_patient", "managed": False},
        ),
        migrations.CreateModel(
            name="PersonEnrolmentAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
                ("study_id", models.BigIntegerField()),
                ("patient_id", models.BigIntegerField()),
            ],
            options={"db_table": "person_enrolment", "managed": False},
        ),
        migrations.CreateModel(
            name="PersonObservationAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
                ("patient_id", models.BigIntegerField()),
                ("study_id", models.BigIntegerField(null=True)),
                ("code_id", models.BigIntegerField()),
            ],
            options={"db_table": "person_observation", "managed": False},
        ),
        run("person_observations_v1", reverse="DROP FUNCTION person_observations"),
    ]
