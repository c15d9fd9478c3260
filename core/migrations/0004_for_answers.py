"""Who may know that a patient takes part in a study, and how a time is told: what the doors need for their answers."""

from django.db import migrations

from core.sql import run


class Migration(migrations.Migration):
    dependencies = [("core", "0003_database_rules")]

    operations = [
        run("access_enrolment_v1", reverse="DROP VIEW access_enrolment"),
        run("iso_8601_v1", reverse="DROP FUNCTION iso_8601"),
    ]
