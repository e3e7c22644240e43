"""Where channels leave their notices."""

from typing import Any

from django.http import HttpRequest
from ninja import Router

from houfu.channels import actions
from houfu.kernel.http import PROBLEMS, Out

router = Router(tags=["channels"])


class NoticeTaken(Out):
    new: bool


@router.post("/channels/{channel}/notices", auth=None, response={200: NoticeTaken, **PROBLEMS})
def notice(request: HttpRequest, channel: str) -> Any:
    """Keep a channel's notice, once its signature holds; what it says is asked about later."""
    return NoticeTaken(new=actions.take_notice(channel, request.headers, request.body))
