"""Start the simulated channel: `python -m houfu.channels.simulator.server --home DIR`, on 127.0.0.1 alone."""

import argparse
import json
import socket
import sys
from pathlib import Path

import uvicorn

from houfu.channels.simulator.server.app import Channel, build


def main() -> None:
    """Read the options, say on which port it listens, and serve until SIGTERM."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--home", type=Path, required=True, help="where its store and keys lie")
    options.add_argument("--clients", type=Path, required=True, help="folder of its clients' public keys")
    options.add_argument("--port", type=int, default=0, help="0 for any that is free")
    options.add_argument("--notify", default="", help="where notices go")
    options.add_argument("--clock", type=Path, help="file with the instant at which it believes to be")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--by-hand", action="store_true", help="do due work only when /control/work asks for it")
    chosen = options.parse_args()
    channel = Channel(chosen.home, chosen.clients, chosen.notify, chosen.clock, chosen.seed, chosen.by_hand)
    # Named as TCP, so that asyncio sends small answers without waiting for more.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", chosen.port))
        sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
        sys.stdout.flush()
        config = uvicorn.Config(build(channel), log_level="critical", timeout_graceful_shutdown=1, lifespan="on")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
