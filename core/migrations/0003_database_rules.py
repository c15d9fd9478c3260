"""What the database itself decides: constraints that Django cannot say, the access views, the audit function, the
MCP server's role."""

from django.db import migrations

from core.sql import run


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0002_study_clients"),
        ("oauth2_provider", "0022_refreshtoken_token_family_index"),
    ]

    operations = [
        run("first_ids_v1", reverse=migrations.RunSQL.noop),
        run(
            "organization_v1",
            reverse="""
            DROP TRIGGER organization_tree_without_loop ON core_organization;
            DROP FUNCTION organization_refuse_loop;
            """,
        ),
        run(
            "consent_v1",
            reverse="""
            DROP TRIGGER consent_stays_where_it_is ON core_studypatientscopeconsent;
            DROP TRIGGER consent_change_is_remembered ON core_studypatientscopeconsent;
            DROP TRIGGER consent_is_remembered ON core_studypatientscopeconsent;
            DROP FUNCTION consent_refuse_move;
            DROP FUNCTION consent_remember;
            ALTER TABLE core_studypatientscopeconsent
                DROP CONSTRAINT consent_of_an_enrolled_patient, DROP CONSTRAINT consent_to_a_requested_scope;
            """,
        ),
        run(
            "append_only_v1",
            reverse="""
            DROP TRIGGER consent_history_is_append_only ON core_consenthistory;
            DROP TRIGGER audit_is_append_only ON core_auditevent;
            DROP FUNCTION refuse_change;
            """,
        ),
        run("audit_v1", reverse="DROP FUNCTION audit_record"),
        run("access_organization_v1", reverse="DROP VIEW access_organization"),
        run("access_study_v1", reverse="DROP VIEW access_study"),
        run("access_patient_v1", reverse="DROP VIEW access_patient"),
        run("access_observation_v1", reverse="DROP VIEW access_observation"),
        run("access_token_v1", reverse="DROP VIEW access_token"),
        run(
            "consent_page_v1",
            reverse="ALTER TABLE oauth2_provider_application DROP CONSTRAINT client_asks_everybody",
        ),
        # The role belongs to the whole server, so it stays; what it may do here goes.
        run("role_jhe_mcp_v1", reverse="DROP OWNED BY jhe_mcp"),
    ]
