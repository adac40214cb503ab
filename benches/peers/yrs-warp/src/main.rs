//! yrs-warp as a server: `peer-yrs-warp PORT`. One broadcast group for each path, as its README shows for one
//! room.
//!
//! It keeps boards in memory only, since the crate has no store.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt;
use tokio::sync::Mutex;
use warp::ws::{WebSocket, Ws};
use warp::{Filter, Reply};
use yrs::Doc;
use yrs::sync::Awareness;
use yrs_warp::broadcast::BroadcastGroup;
use yrs_warp::ws::{WarpSink, WarpStream};

/// How many messages a reader may be behind. One that is further behind gets nothing any more, and is not
/// told. A board takes memory for as many from its start.
const CAPACITY: usize = 1024;

type Rooms = Arc<Mutex<HashMap<String, Arc<BroadcastGroup>>>>;

async fn group(rooms: &Rooms, name: String) -> Arc<BroadcastGroup> {
    let mut rooms = rooms.lock().await;
    if let Some(group) = rooms.get(&name) {
        return group.clone();
    }
    let awareness = Arc::new(Awareness::new(Doc::new()));
    let group = Arc::new(BroadcastGroup::new(awareness, CAPACITY).await);
    rooms.insert(name, group.clone());
    group
}

async fn serve(socket: WebSocket, group: Arc<BroadcastGroup>) {
    let (sink, stream) = socket.split();
    let sink = Arc::new(Mutex::new(WarpSink::from(sink)));
    // How a connection ends is nobody's concern here.
    drop(group.subscribe(sink, WarpStream::from(stream)).completed().await);
}

async fn upgrade(name: String, ws: Ws, rooms: Rooms) -> Result<impl Reply, warp::Rejection> {
    let group = group(&rooms, name).await;
    Ok(ws.on_upgrade(move |socket| serve(socket, group)))
}

#[tokio::main]
async fn main() {
    let port = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .expect("a port is wanted");
    let rooms = Rooms::default();
    let routes = warp::path::param::<String>()
        .and(warp::ws())
        .and(warp::any().map(move || rooms.clone()))
        .and_then(upgrade);
    warp::serve(routes).run(([127, 0, 0, 1], port)).await;
}
