"""Elements of FHIR resources that no column holds are kept beside the columns."""

from django.db import migrations, models

HELP = "Elements of the FHIR resource that no column holds, as they were sent; what a column says wins."


def kept_by(model_name: str) -> migrations.AddField:
    field = models.JSONField(blank=True, default=dict, editable=False, help_text=HELP)
    return migrations.AddField(model_name=model_name, name="fhir_extra", field=field)


class Migration(migrations.Migration):
    dependencies = [("core", "0008_rest")]

    operations = [
        *map(kept_by, ["organization", "practitioner", "patient", "study", "datasource"]),
        migrations.AddField(
            model_name="observation",
            name="fhir_extra",
            field=models.JSONField(blank=True, editable=False, help_text=HELP, null=True),
        ),
    ]
