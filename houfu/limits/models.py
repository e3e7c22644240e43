"""Limits as rows; the amounts are balances of the ledger."""

from django.db import models


class Pool(models.Model):
    """The shared limit of a group: how much it holds, and how far a member may reach into it."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    group_id = models.BigIntegerField()
    share = models.SmallIntegerField()
    limit_fen = models.BigIntegerField()
    state = models.TextField()
    opened_at = models.DateTimeField()
    filed_at = models.DateTimeField(null=True)
    dynamic = models.BooleanField(default=False)
    told_fen = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "limits_pool"


class Dynamic(models.Model):
    """How a pool is dynamic from an instant on, until the next version."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    pool_id = models.BigIntegerField()
    valid_from = models.DateTimeField()
    is_on = models.BooleanField()
    base_fen = models.BigIntegerField()
    floating_fen = models.BigIntegerField()
    auto_fen = models.BigIntegerField()
    place = models.TextField(null=True)
    set_by = models.TextField()

    class Meta:
        managed = False
        db_table = "limits_dynamic"


class Adjustment(models.Model):
    """A proposal to let more or less of a dynamic pool be used for a while."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    pool_id = models.BigIntegerField()
    kind = models.TextField()
    amount_fen = models.BigIntegerField()
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField()
    data_until = models.DateTimeField(null=True)
    reason = models.TextField()
    source = models.TextField()
    state = models.TextField()
    proposed_by = models.TextField()
    proposed_at = models.DateTimeField()
    decided_by = models.TextField(null=True)
    ended_by = models.TextField(null=True)
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "limits_adjustment"


class Bands(models.Model):
    """A table of time bands of a pool."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    pool_id = models.BigIntegerField()
    reason = models.TextField()
    source = models.TextField()
    state = models.TextField()
    proposed_by = models.TextField()
    proposed_at = models.DateTimeField()
    decided_by = models.TextField(null=True)
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "limits_bands"


class Band(models.Model):
    """One band of a table: what may be used between two times of the day."""

    pk = models.CompositePrimaryKey("merchant_id", "bands_id", "name")
    merchant_id = models.BigIntegerField()
    bands_id = models.BigIntegerField()
    name = models.TextField()
    opens = models.TimeField()
    closes = models.TimeField()
    limit_fen = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "limits_band"


class Member(models.Model):
    """A store's place in a pool, and what it put in."""

    pk = models.CompositePrimaryKey("merchant_id", "store_id")
    merchant_id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    pool_id = models.BigIntegerField()
    contributed_fen = models.BigIntegerField()
    joined_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "limits_member"


class Loan(models.Model):
    """A temporary loan of limit."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    amount_fen = models.BigIntegerField()
    repaid_fen = models.BigIntegerField()
    state = models.TextField()
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "limits_loan"


class Recovery(models.Model):
    """How far a store has earned its reduced limit back."""

    pk = models.CompositePrimaryKey("merchant_id", "store_id")
    merchant_id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    completed = models.BigIntegerField()
    booked_fen = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "limits_recovery"
