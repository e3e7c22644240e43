from django.db import migrations

from houfu.kernel.migration import run


class Migration(migrations.Migration):
    initial = True
    dependencies = [("kernel", "0001_initial"), ("history", "0001_initial")]
    operations = run("merchants", "merchants_uscc_valid_v1.sql", "tables.sql")
