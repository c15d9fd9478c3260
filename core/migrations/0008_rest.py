from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0007_sealed_audit")]

    operations = []
