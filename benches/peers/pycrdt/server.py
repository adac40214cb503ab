"""pycrdt-websocket as its users run it: server.py PORT [DIRECTORY]. With a directory it stores there, in SQLite.

The server of the package makes rooms without a store; a room with one is made and loaded here, as its users do.
"""

import logging
import sys
from pathlib import Path

import uvicorn
from anyio import Lock
from pycrdt.store import SQLiteYStore, YDocNotFound
from pycrdt.websocket import ASGIServer, WebsocketServer, YRoom, exception_logger


class Storing(WebsocketServer):
    """Rooms that load what is stored of them before anybody is served."""

    def __init__(self, database):
        super().__init__(exception_handler=exception_logger)
        self.store = type("Store", (SQLiteYStore,), {"db_path": str(database)})
        self.loading = Lock()

    async def get_room(self, name):
        async with self.loading:
            if name not in self.rooms:
                store = self.store(path=name)
                room = YRoom(ready=False, ystore=store, exception_handler=exception_logger)
                await self.start_room(room)
                await store.started.wait()
                try:
                    await store.apply_updates(room.ydoc)
                except YDocNotFound:
                    pass
                room.ready = True
                self.rooms[name] = room
            return self.rooms[name]


def main():
    logging.disable(logging.CRITICAL)
    port, *directory = sys.argv[1:]
    if directory:
        server = Storing(Path(directory[0]) / "pycrdt.sqlite")
    else:
        server = WebsocketServer(exception_handler=exception_logger)

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            async with server:
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await ASGIServer(server)(scope, receive, send)

    uvicorn.run(app, host="127.0.0.1", port=int(port), loop="uvloop", ws="websockets", log_level="critical",
                access_log=False, ws_per_message_deflate=False, ws_max_size=256 * 1024 * 1024)


main()
