//! `GET /`: how to connect, until the page is there.

use crate::api::{Answer, Call};
use crate::http::response::Response;

/// A text for somebody who opens the address in a browser.
pub(crate) async fn get(_: Call<'_>) -> Answer {
    let text = format!(
        "Boardwire {version}\n\n\
         This server keeps Yjs documents in sync. A stock y-websocket client connects so:\n\n\
         \x20 import * as Y from 'yjs'\n\
         \x20 import {{ WebsocketProvider }} from 'y-websocket'\n\n\
         \x20 const doc = new Y.Doc()\n\
         \x20 new WebsocketProvider('ws://HOST:PORT/ws/canvas', 'my-board', doc, {{ params: {{ token: '<JWT>' }} }})\n\n\
         A token is made by your application, or on the command line by `boardwire token --help`.\n\
         Other paths: /health, /metrics, /v1/boards (docs/openapi.yaml describes them)\n",
        version = env!("CARGO_PKG_VERSION")
    );
    Ok(Response::text(200, text))
}
