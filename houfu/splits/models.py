"""Splits as rows."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Party(models.Model):
    """A supplier or carrier that may get parts of a merchant's orders, under a contract."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    relation = models.TextField()
    kind = models.TextField()
    purpose_class = models.TextField()
    holder = models.TextField()
    account_sealed = models.BinaryField()
    account_digest = models.BinaryField()
    account_tail = models.TextField()
    contract = models.TextField()
    valid_from = models.DateField()
    valid_until = models.DateField()
    version = models.IntegerField()
    waits = models.BooleanField()
    state = models.TextField()
    registered_by = models.TextField()
    person = models.TextField()
    registered_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "splits_party"


class Binding(models.Model):
    """Whether a channel gives a party parts of what an account is credited."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    party_id = models.BigIntegerField()
    channel_account_id = models.BigIntegerField()
    state = models.TextField()
    asked_at = models.DateTimeField()
    next_action_at = models.DateTimeField(null=True)
    tries = models.SmallIntegerField(default=0)

    class Meta:
        managed = False
        db_table = "splits_binding"


class Cap(models.Model):
    """The channel's own cap on what it gives of an order to others."""

    pk = models.CompositePrimaryKey("merchant_id", "channel_account_id")
    merchant_id = models.BigIntegerField()
    channel_account_id = models.BigIntegerField()
    permille = models.SmallIntegerField()
    said_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "splits_cap"


class Rule(models.Model):
    """How a store's orders are divided from an instant on."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    state = models.TextField()
    not_before = models.DateTimeField()
    begins_at = models.DateTimeField(null=True)
    proposed_by = models.TextField()
    person = models.TextField()
    proposed_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "splits_rule"


class Share(models.Model):
    """What a party gets by a rule: per mille of the net, or a fixed amount."""

    pk = models.CompositePrimaryKey("merchant_id", "rule_id", "place")
    merchant_id = models.BigIntegerField()
    rule_id = models.BigIntegerField()
    place = models.SmallIntegerField()
    party_id = models.BigIntegerField()
    permille = models.SmallIntegerField(null=True)
    fixed_fen = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "splits_share"


class Division(models.Model):
    """What became of the net of a settled order that a rule was in force for."""

    pk = models.CompositePrimaryKey("merchant_id", "order_id")
    merchant_id = models.BigIntegerField()
    order_id = models.TextField()
    store_id = models.BigIntegerField()
    rule_id = models.BigIntegerField()
    batch = models.UUIDField()
    no = models.IntegerField()
    at = models.DateTimeField()
    net_fen = models.BigIntegerField()
    cap_permille = models.SmallIntegerField()
    split_fen = models.BigIntegerField()
    kept_fen = models.BigIntegerField()
    kept_for = ArrayField(models.TextField())

    class Meta:
        managed = False
        db_table = "splits_division"


class Split(models.Model):
    """One call at the channel: parts of one order."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    order_id = models.TextField()
    no = models.SmallIntegerField()
    store_id = models.BigIntegerField()
    channel_account_id = models.BigIntegerField()
    state = models.TextField()
    code = models.TextField(default="")
    made_at = models.DateTimeField()
    next_action_at = models.DateTimeField(null=True)
    tries = models.SmallIntegerField(default=0)
    final_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "splits_split"


class Part(models.Model):
    """What one party gets of one order."""

    pk = models.CompositePrimaryKey("merchant_id", "split_id", "place")
    merchant_id = models.BigIntegerField()
    split_id = models.BigIntegerField()
    place = models.SmallIntegerField()
    party_id = models.BigIntegerField()
    amount_fen = models.BigIntegerField()
    off_fen = models.BigIntegerField(default=0)
    sent_fen = models.BigIntegerField(null=True)
    recalled_fen = models.BigIntegerField(default=0)
    returned_fen = models.BigIntegerField(default=0)
    state = models.TextField()
    code = models.TextField(default="")

    class Meta:
        managed = False
        db_table = "splits_part"

    @property
    def held_fen(self) -> int:
        """What the party has of it, or is to get, and was not asked to give back."""
        return 0 if self.state == "denied" else self.amount_fen - self.off_fen - self.recalled_fen


class Return(models.Model):
    """What of a part is to come back for a refund."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    split_id = models.BigIntegerField()
    place = models.SmallIntegerField()
    order_id = models.TextField()
    refund_ref = models.TextField()
    amount_fen = models.BigIntegerField()
    state = models.TextField()
    code = models.TextField(default="")
    made_at = models.DateTimeField()
    next_action_at = models.DateTimeField(null=True)
    tries = models.SmallIntegerField(default=0)
    final_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "splits_return"


class Attempt(models.Model):
    """The one request by which a split was sent, or a part asked back."""

    pk = models.CompositePrimaryKey("merchant_id", "request_no")
    merchant_id = models.BigIntegerField()
    request_no = models.TextField()
    split_id = models.BigIntegerField(null=True)
    return_id = models.BigIntegerField(null=True)
    worker = models.TextField()
    sent_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "splits_attempt"


class Watch(models.Model):
    """What a partner was last told of a store's limits, as a digest."""

    pk = models.CompositePrimaryKey("merchant_id", "store_id")
    merchant_id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    digest = models.BinaryField()
    looked_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "splits_watch"
