"""The kernel's own rows: which instance this is, and answers kept for repeated requests."""

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
