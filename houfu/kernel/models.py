"""The kernel's own rows: which instance this is, and the keys by which merchants' data is sealed."""

from django.db import models

from houfu.kernel import arrays as arrays  # the driver must know of them before the first connection


class Instance(models.Model):
    """The one row that says whose database this is."""

    only_one = models.BooleanField(primary_key=True)
    id = models.UUIDField()
    kind = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "kernel_instance"


class DataKey(models.Model):
    """A key by which a merchant's data is sealed, wrapped by key number `kek` of its ring."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.UUIDField()
    ring = models.TextField()
    state = models.TextField()
    kek = models.IntegerField()
    wrapped = models.BinaryField(null=True)
    made_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "kernel_data_key"
