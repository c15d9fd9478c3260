"""What REST needs beside the rest: finding a patient by e-mail, and when an answer was given in the consent history."""

import django.db.models.functions.text
from django.db import migrations, models

from core.sql import run

CONSENT_REMEMBER_V1 = """
CREATE OR REPLACE FUNCTION consent_remember() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept core_studypatientscopeconsent := COALESCE(NEW, OLD);
BEGIN
    INSERT INTO core_consenthistory
        (recorded, study_id, patient_id, code_id, before, after, user_id, client_id, method)
    VALUES (
        clock_timestamp(), kept.study_id, kept.patient_id, kept.code_id, OLD.consented, NEW.consented,
        NULLIF(current_setting('jhe.user_id', true), '')::bigint,
        COALESCE(current_setting('jhe.client_id', true), ''),
        COALESCE(current_setting('jhe.method', true), '')
    );
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0007_sealed_audit")]

    operations = [
        run("access_practitioner_v1", reverse="DROP VIEW access_practitioner"),
        run("access_catalogue_v1", reverse="DROP VIEW access_catalogue"),
        migrations.CreateModel(
            name="PractitionerAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
                ("practitioner_id", models.BigIntegerField()),
            ],
            options={"db_table": "access_practitioner", "managed": False},
        ),
        migrations.CreateModel(
            name="CatalogueAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
            ],
            options={"db_table": "access_catalogue", "managed": False},
        ),
        migrations.CreateModel(
            name="EnrolmentAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
                ("study_id", models.BigIntegerField()),
                ("patient_id", models.BigIntegerField()),
            ],
            options={"db_table": "access_enrolment", "managed": False},
        ),
        migrations.AddIndex(
            model_name="patient",
            index=models.Index(django.db.models.functions.text.Upper("telecom_email"), name="patient_by_email"),
        ),
        migrations.AddField(
            model_name="consenthistory", name="consented_time", field=models.DateTimeField(null=True)
        ),
        run("consent_v2", reverse=CONSENT_REMEMBER_V1),
    ]
