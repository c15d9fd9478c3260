"""A patient takes part in a study only while they belong to the organization that runs it."""

from django.db import migrations

from core.sql import run


class Migration(migrations.Migration):
    dependencies = [("core", "0004_for_answers")]

    operations = [
        run(
            "enrolment_v1",
            reverse="""
            DROP TRIGGER enrolment_finds_its_organization ON core_studypatient;
            DROP FUNCTION enrolment_find_organization;
            ALTER TABLE core_studypatient DROP COLUMN organization_id;
            ALTER TABLE core_study DROP CONSTRAINT study_with_its_organization;
            """,
        ),
    ]
