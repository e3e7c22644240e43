"""What may happen to an endpoint and to a delivery, from where."""

from functools import partial

from houfu.kernel import states

ENDPOINT = states.table(
    disable=("active", "disabled"),
    enable=("disabled", "active"),
    remove=("active disabled", "removed"),
)
move_endpoint = partial(states.apply, ENDPOINT)

DELIVERY = states.table(
    deliver=("pending", "delivered"),
    give_up=("pending", "given_up"),
    replay=("delivered given_up", "pending"),
)
move_delivery = partial(states.apply, DELIVERY)
