//! `GET /v1/boards/{board}/events`: what happens on a board, as it happens, as server-sent events.
//!
//! Owns the parameters and the answer's head. Must not know how events come to be. Key invariant: it counts
//! as a connection, and whatever changes once it is answered is told. Tests: tests/it/events.rs.
//!
//! # Source
//! The HTML standard, 9.2 (server-sent events).

use crate::api::{Answer, Call, failed_content, invalid_parameter};
use crate::http::head::Method;
use crate::http::response::Response;
use crate::http::target::Target;
use crate::items;
use crate::limits;
use crate::net::admission;
use crate::net::events::Stream;
use crate::room::feed::Filter;

/// Follows the board.
pub(crate) async fn get(mut call: Call<'_>) -> Answer {
    let granted = call.granted().await?;
    let filter = filter(call.request.target)?;
    let head = Response::new(200)
        .with_stream("text/event-stream")
        .field("Cache-Control", "no-store")
        // nginx would gather what comes in pieces.
        .field("X-Accel-Buffering", "no");
    if call.request.head.method == Method::Head {
        return Ok(head);
    }
    // One that this server never gave, whatever it is, leads to a reset.
    let sent = call
        .request
        .head
        .values("last-event-id")
        .find(|id| !id.is_empty());
    let last_seen = sent.map(|id| String::from_utf8_lossy(id).into_owned());
    let place = call.shell.doors.admit(call.request.address);
    let place = place.map_err(admission::problem)?;
    let follower = call
        .boards()
        .follow(granted.clone(), filter, last_seen, limits::EVENTS_KEPT)
        .await;
    let follower = follower.map_err(failed_content)?;
    let stream = Stream::new(
        (call.shell, call.request.id.connection),
        granted,
        (follower, place),
    );
    call.stream(stream);
    Ok(head)
}

/// Which events are wanted: all, where nothing is said.
fn filter(target: &Target<'_>) -> Result<Filter, Response> {
    let words = |name: &'static str| {
        let text = target
            .parameter(name)
            .map_err(|_| invalid_parameter(name, "is given twice"))?;
        let words = text.map(|text| text.split(',').collect::<Vec<_>>());
        Ok::<_, Response>(words.unwrap_or_default())
    };
    let (topics, kinds) = (words("types")?, words("kinds")?);
    if topics.iter().any(|topic| !matches!(*topic, "item" | "presence")) {
        return Err(invalid_parameter(
            "types",
            "must be item, presence, or both with a comma",
        ));
    }
    if !kinds.iter().all(|kind| items::is_type(kind)) {
        return Err(invalid_parameter("kinds", "must be types of items, with commas"));
    }
    let wants = |topic| topics.is_empty() || topics.contains(&topic);
    Ok(Filter {
        items: wants("item"),
        presence: wants("presence"),
        kinds: kinds.into_iter().map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_what_there_is_and_nothing_means_all() {
        let of = |query: &str| filter(&Target::parse(&format!("/v1/boards/b/events{query}")).unwrap());
        let all = of("").unwrap();
        assert!(all.items && all.presence && all.kinds.is_empty());
        let one = of("?types=presence").unwrap();
        assert!(!one.items && one.presence);
        let both = of("?types=item,presence&kinds=sticky,frame").unwrap();
        assert!(both.items && both.presence);
        assert_eq!(both.kinds, ["sticky", "frame"]);
        for query in [
            "?types=items",
            "?types=item,",
            "?kinds=stickies",
            "?kinds=,",
            "?types=item&types=item",
        ] {
            let refused = of(query).unwrap_err();
            assert_eq!(refused.status, 400, "{query}");
        }
    }
}
