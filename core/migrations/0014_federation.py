from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0013_signing_keys")]

    operations = []
