"""pycrdt-websocket as its users run it: server.py PORT [DIRECTORY]. With a directory it stores there, in SQLite.

Rooms are made here, as its users do: the package's own server makes them without a store, and in 0.16.5 whoever
comes while a room is starting waits for ever.
"""

import logging
import sys
from pathlib import Path

import uvicorn
from anyio import Lock
from pycrdt.store import SQLiteYStore, YDocNotFound
from pycrdt.websocket import ASGIServer, WebsocketServer, YRoom, exception_logger


class Server(WebsocketServer):
    """Rooms that were started, and have loaded what is stored of them, before anybody is served."""

    def __init__(self, database):
        super().__init__(exception_handler=exception_logger)
        self.store = database and type("Store", (SQLiteYStore,), {"db_path": str(database)})
        self.starting = Lock()

    async def get_room(self, name):
        async with self.starting:
            if name not in self.rooms:
                store = self.store and self.store(path=name)
                room = YRoom(ready=store is None, ystore=store, exception_handler=exception_logger)
                await self.start_room(room)
                if store is not None:
                    await self.load(room, store)
                self.rooms[name] = room
            return self.rooms[name]

    async def load(self, room, store):
        await store.started.wait()
        try:
            await store.apply_updates(room.ydoc)
        except YDocNotFound:
            pass
        room.ready = True


def main():
    logging.disable(logging.CRITICAL)
    port, *directory = sys.argv[1:]
    server = Server(Path(directory[0]) / "pycrdt.sqlite" if directory else None)

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            async with server:
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await ASGIServer(server)(scope, receive, send)

    uvicorn.run(app, host="127.0.0.1", port=int(port), loop="uvloop", ws="websockets-sansio", log_level="critical",
                access_log=False, ws_per_message_deflate=False, ws_max_size=256 * 1024 * 1024)


main()
