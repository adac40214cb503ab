//! `GET /v1/boards/{board}/presence`: who is connected.

use boardwire::ids::Level;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::socket::path;
use crate::support::tokens::Token;
use crate::support::{SOON, until};

fn present(api: &Api) -> Vec<Value> {
    api.list("/v1/boards/b/presence", 2)
}

#[test]
fn connections_are_listed_with_subject_level_and_state() {
    let server = Server::start();
    let admin = Api::admin(&server);
    let mut editor = Client::join(&server, "b", 1);
    assert_eq!(present(&admin)[0]["subject"], "user:user-1");
    editor.announce(&[(1, 5, r#"{"name":"Ada","cursor":{"x":1.5}}"#)]);
    let mut viewers: Vec<Client> = (2..4)
        .map(|id| {
            let mut viewer = Client::offline(id);
            viewer.connect(
                server.address(),
                &path("b", &Token::of("v").with("b", Level::View).sign()),
            );
            viewer.sync();
            viewer
        })
        .collect();
    let named = json!({"name": "Ada", "cursor": {"x": 1.5}});
    until(SOON, || {
        let all = present(&admin);
        all.len() == 3 && all[0]["state"] == named
    });
    for item in present(&admin) {
        let keys: Vec<&String> = item.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            ["clients", "connected_at", "level", "name", "state", "subject"]
        );
        assert!(item["connected_at"].as_str().unwrap().ends_with('Z'));
    }
    let levels: Vec<Value> = present(&admin).iter().map(|item| item["level"].clone()).collect();
    assert_eq!(levels, ["edit", "view", "view"]);
    viewers.clear();
    until(SOON, || present(&admin).len() == 1);
    editor.cut();
    until(SOON, || present(&admin).is_empty());
}

#[test]
fn asking_does_not_load_a_board() {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    assert_eq!(present(&alice), [] as [Value; 0]);
    assert_eq!(server.rooms(), 0);
}
