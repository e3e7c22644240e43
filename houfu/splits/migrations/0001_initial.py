from django.db import migrations

from houfu.kernel.migration import run


class Migration(migrations.Migration):
    initial = True
    dependencies = [("orders", "0001_initial"), ("channels", "0001_initial")]
    operations = run("splits", "tables.sql", "splits_divide_v1.sql")
