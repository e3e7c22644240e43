from django.db import migrations

from houfu.kernel.migration import run


class Migration(migrations.Migration):
    initial = True
    dependencies = [("merchants", "0001_initial"), ("people", "0001_initial")]
    operations = run("approvals", "approvals_signature_lawful_v1.sql", "tables.sql")
