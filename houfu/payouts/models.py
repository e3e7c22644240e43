"""Payouts as rows."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Beneficiary(models.Model):
    """An account at Alipay or a bank to which a merchant may be paid out."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    kind = models.TextField()
    purpose_class = models.TextField()
    holder = models.TextField()
    account_sealed = models.BinaryField()
    account_digest = models.BinaryField()
    account_tail = models.TextField()
    state = models.TextField()
    channel_state = models.TextField()
    registered_by = models.TextField()
    person = models.TextField()
    registered_at = models.DateTimeField()
    verified_person = models.TextField(null=True)
    usable_from = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "payouts_beneficiary"


class Payout(models.Model):
    """Money of a store on its way out."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.UUIDField()
    store_id = models.BigIntegerField()
    channel_account_id = models.BigIntegerField()
    beneficiary_id = models.BigIntegerField()
    kind = models.TextField()
    purpose = models.TextField()
    tax_category = models.TextField()
    amount_fen = models.BigIntegerField()
    fee_fen = models.BigIntegerField()
    waived = models.BooleanField()
    policy = models.TextField()
    state = models.TextField()
    code = models.TextField(default="")
    requested_by = models.TextField()
    person = models.TextField()
    staff_id = models.BigIntegerField(null=True)
    device = models.TextField(default="")
    chain = ArrayField(models.TextField(), default=list)
    aggregated_fen = models.BigIntegerField()
    hold_class = models.TextField(default="")
    requested_at = models.DateTimeField()
    business_day = models.DateField()
    due_at = models.DateTimeField()
    arrives_by = models.DateTimeField()
    next_action_at = models.DateTimeField(null=True)
    tries = models.SmallIntegerField(default=0)
    late_noted_at = models.DateTimeField(null=True)
    final_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "payouts_payout"

    @property
    def net_fen(self) -> int:
        return self.amount_fen - self.fee_fen


class JoinedPayout(models.Model):
    """An earlier payout with which one was judged as one, and what the two share (P9)."""

    pk = models.CompositePrimaryKey("merchant_id", "payout_id", "joined_id")
    merchant_id = models.BigIntegerField()
    payout_id = models.UUIDField()
    joined_id = models.UUIDField()
    amount_fen = models.BigIntegerField()
    shares = ArrayField(models.TextField())

    class Meta:
        managed = False
        db_table = "payouts_joined"


class Allocation(models.Model):
    """The part of a lot that a payout pays out."""

    pk = models.CompositePrimaryKey("merchant_id", "payout_id", "order_id")
    merchant_id = models.BigIntegerField()
    payout_id = models.UUIDField()
    order_id = models.TextField()
    amount_fen = models.BigIntegerField()
    generation = models.IntegerField()

    class Meta:
        managed = False
        db_table = "payouts_allocation"


class Attempt(models.Model):
    """The one request by which a payout is sent."""

    pk = models.CompositePrimaryKey("merchant_id", "payout_id")
    merchant_id = models.BigIntegerField()
    payout_id = models.UUIDField()
    request_no = models.TextField()
    worker = models.TextField()
    sent_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "payouts_attempt"


class StandingOrder(models.Model):
    """A store's wish to be paid out on every run day."""

    pk = models.CompositePrimaryKey("merchant_id", "store_id")
    merchant_id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    beneficiary_id = models.BigIntegerField()
    purpose = models.TextField()
    since = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "payouts_standing_order"


class Run(models.Model):
    """What became of a run day for a store."""

    pk = models.CompositePrimaryKey("merchant_id", "store_id", "run_day")
    merchant_id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    run_day = models.DateField()
    payout_id = models.UUIDField(null=True)
    reasons = ArrayField(models.TextField())
    ran_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "payouts_run"
