from django.db import migrations

from houfu.kernel.migration import run


class Migration(migrations.Migration):
    initial = True
    dependencies = [("limits", "0001_initial"), ("buyers", "0001_initial")]
    operations = run(
        "orders",
        "tables.sql",
        "orders_lines_v1.sql",
        "orders_record_v1.sql",
        "orders_decide_v1.sql",
        "orders_authorise_v1.sql",
        "orders_write_v1.sql",
        "orders_settle_v1.sql",
        "orders_mature_v1.sql",
        "orders_first_lots_v1.sql",
        "orders_allocate_v1.sql",
        "orders_free_v1.sql",
        "orders_free_lines_v1.sql",
        "orders_split_v1.sql",
    )
