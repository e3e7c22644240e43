"""Serving the door: put together, and closed in the right order."""

import socket

import uvicorn

from houfu.kernel import db
from houfu.limits.live import Live
from houfu.orders import actions
from houfu.orders.intake.app import Door
from houfu.orders.intake.coalesce import Coalescer
from houfu.orders.intake.front import Front
from houfu.orders.intake.quick import Protocol

GRACE = 8  # seconds that requests have to end once the process is told to


def door(web_url: str, **coalescing: float) -> Door:
    """Return the door as an ASGI application.

    Args:
        web_url: where the web process answers.
        coalescing: how orders are gathered, as Coalescer has it.
    """
    coalescer = Coalescer(lambda asked: actions.decide(asked=asked), **coalescing)  # type: ignore[arg-type]
    return Door(coalescer, Front(web_url), Live(db.conninfo))


def serve(app: Door, port: int) -> None:
    """Serve the door on 127.0.0.1 until told to stop; what waits then is decided first."""
    server(app, port).run()


def server(app: Door, port: int) -> "Server":
    """Return a server for the door on 127.0.0.1, not yet running."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, loop="uvloop", http=Protocol, ws="none", lifespan="on", log_config=None,
        access_log=False, server_header=False, proxy_headers=False, timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE,
    )  # fmt: skip
    return Server(config, app)


class Server(uvicorn.Server):
    """A server whose application hears of the end before the last requests are waited for."""

    def __init__(self, config: uvicorn.Config, app: Door) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.refuse_more()
        await super().shutdown(sockets)
