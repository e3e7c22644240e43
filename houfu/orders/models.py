"""Orders as rows; decisions are made in sql/ and rules.py."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Order(models.Model):
    """An order that was decided: accepted on its sources, or declined for its reasons."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.TextField()
    store_id = models.BigIntegerField()
    amount_fen = models.BigIntegerField()
    buyer = models.TextField(null=True)
    authorised_at = models.DateTimeField()
    batch = models.UUIDField()
    no = models.IntegerField()
    own_fen = models.BigIntegerField()
    pool_fen = models.BigIntegerField()
    temp_fen = models.BigIntegerField()
    tolerance_fen = models.BigIntegerField()
    pool_id = models.BigIntegerField(null=True)
    reasons = ArrayField(models.TextField(), null=True)
    state = models.TextField()
    state_before_dispute = models.TextField(null=True)
    open_own_fen = models.BigIntegerField()
    open_pool_fen = models.BigIntegerField()
    open_temp_fen = models.BigIntegerField()
    open_tolerance_fen = models.BigIntegerField()
    refunded_fen = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "orders_order"


class Event(models.Model):
    """A step of an order after its decision."""

    pk = models.CompositePrimaryKey("merchant_id", "order_id", "verb", "ref")
    merchant_id = models.BigIntegerField()
    order_id = models.TextField()
    verb = models.TextField()
    ref = models.TextField()
    batch = models.UUIDField()
    no = models.IntegerField()
    at = models.DateTimeField()
    fen = models.BigIntegerField()
    fee_fen = models.BigIntegerField()
    deficit_fen = models.BigIntegerField()
    recalled_fen = models.BigIntegerField()
    own_fen = models.BigIntegerField()
    pool_fen = models.BigIntegerField()
    temp_fen = models.BigIntegerField()
    tolerance_fen = models.BigIntegerField()
    note = models.TextField()

    class Meta:
        managed = False
        db_table = "orders_event"


class Evidence(models.Model):
    """What proves that the buyer has the goods."""

    pk = models.CompositePrimaryKey("merchant_id", "order_id", "kind", "person")
    merchant_id = models.BigIntegerField()
    order_id = models.TextField()
    kind = models.TextField()
    ref = models.TextField()
    person = models.TextField()
    at = models.DateTimeField()
    counts_at = models.DateTimeField()
    counted = models.BooleanField()
    recorded_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "orders_evidence"


class Lot(models.Model):
    """The money of a received order."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.TextField()
    store_id = models.BigIntegerField()
    channel_account_id = models.BigIntegerField()
    trust = models.TextField()
    received_at = models.DateTimeField()
    payment_due_at = models.DateTimeField()
    gross_fen = models.BigIntegerField()
    fee_fen = models.BigIntegerField()
    refunded_fen = models.BigIntegerField()
    lost_fen = models.BigIntegerField()
    deficit_fen = models.BigIntegerField()
    split_fen = models.BigIntegerField()
    disputed_fen = models.BigIntegerField()
    allocated_fen = models.BigIntegerField()
    offset_fen = models.BigIntegerField()
    settled_by = models.TextField(null=True)
    settled_at = models.DateTimeField(null=True)
    matures_at = models.DateTimeField(null=True)
    matured_at = models.DateTimeField(null=True)
    generation = models.IntegerField()
    left_fen = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "orders_lot"
