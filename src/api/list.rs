//! Lists: a page at a time, with a cursor for the next.
//!
//! Owns the parameters `limit` and `cursor` and the envelope of every list. Must not know what is listed. Key
//! invariant: a cursor means the same until the end of time: it is the place behind the last item that was
//! shown, not a count.
//!
//! # Shape
//! `{"items":[...],"next_cursor":"..."|null}`. A cursor is base64url, without padding, of a text of the
//! resource's choice.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;

use crate::api::invalid_parameter;
use crate::http::response::Response;
use crate::http::target::Target;
use crate::limits;

/// Which part of a list was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// How many items, 1 to `limits::PAGE_ITEMS_MAX`.
    pub(crate) limit: usize,
    /// Where the page before ended; `None` for the first.
    pub(crate) cursor: Option<String>,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    items: &'a [T],
    next_cursor: Option<String>,
}

impl Page {
    /// Reads `limit` and `cursor` of a query.
    ///
    /// # Errors
    /// 400 `invalid_parameter`.
    pub(crate) fn of(target: &Target<'_>) -> Result<Self, Response> {
        Ok(Self {
            limit: limit(target)?,
            cursor: cursor(target)?,
        })
    }

    /// How many items to look up: one more than are shown tells whether there is a next page.
    pub(crate) fn lookup(&self) -> usize {
        self.limit + 1
    }

    /// Where the page before ended, as the resource reads it.
    ///
    /// # Errors
    /// 400 `invalid_parameter` where it cannot.
    pub(crate) fn after<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Response> {
        let cursor = self.cursor.as_deref();
        cursor
            .map(|text| parse(text).ok_or_else(Self::bad_cursor))
            .transpose()
    }

    /// The cursor was not made by this list: for a resource that cannot read its text.
    pub(crate) fn bad_cursor() -> Response {
        invalid_parameter("cursor", "is not one that this list gave")
    }

    /// Answers with up to `limit` of `items`, of which [`Self::lookup`] were asked for; `place` is the text
    /// of the cursor behind an item.
    pub(crate) fn answer<T: Serialize>(&self, items: &[T], place: impl FnOnce(&T) -> String) -> Response {
        let shown = items.get(..self.limit).unwrap_or(items);
        let last = shown.last().filter(|_| items.len() > shown.len());
        answer(shown, last.map(place))
    }
}

/// Answers with a page of items; `next` is the text of the cursor behind them, where there may be more.
pub(crate) fn answer<T: Serialize>(items: &[T], next: Option<String>) -> Response {
    let envelope = Envelope {
        items,
        next_cursor: next.map(|place| URL_SAFE_NO_PAD.encode(place)),
    };
    Response::json(200, &envelope).field("Cache-Control", "no-store")
}

/// A member of a row that is a text, for a cursor.
pub(crate) fn text_of(row: &Value, member: &str) -> String {
    let text = row.get(member).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn limit(target: &Target<'_>) -> Result<usize, Response> {
    let refusal = || invalid_parameter("limit", "must be a number from 1 to 500");
    let Some(text) = target.parameter("limit").map_err(|_| refusal())? else {
        return Ok(limits::PAGE_ITEMS);
    };
    let limit = text
        .parse()
        .ok()
        .filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    limit
        .filter(|limit| (1..=limits::PAGE_ITEMS_MAX).contains(limit))
        .ok_or_else(refusal)
}

fn cursor(target: &Target<'_>) -> Result<Option<String>, Response> {
    let Some(text) = target.parameter("cursor").map_err(|_| Page::bad_cursor())? else {
        return Ok(None);
    };
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Page::bad_cursor())?;
    String::from_utf8(bytes).map(Some).map_err(|_| Page::bad_cursor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(query: &str, field: &str) {
        let target = Target::parse(query).unwrap();
        let refusal = Page::of(&target).unwrap_err();
        let problem: Value = serde_json::from_slice(refusal.body()).unwrap();
        assert_eq!(refusal.status, 400, "{query}");
        assert_eq!(
            (&problem["code"], &problem["field"]),
            (&"invalid_parameter".into(), &field.into())
        );
    }

    fn page(query: &str) -> Page {
        Page::of(&Target::parse(query).unwrap()).unwrap()
    }

    #[test]
    fn a_limit_is_1_to_500_and_100_where_none_is_given() {
        for (query, limit) in [
            ("/", 100),
            ("/?limit=", 100),
            ("/?limit=1", 1),
            ("/?limit=499", 499),
            ("/?limit=500", 500),
        ] {
            assert_eq!(page(query).limit, limit, "{query}");
        }
        for query in [
            "0",
            "501",
            "-1",
            "+1",
            "1.0",
            "x",
            "99999999999999999999999",
            "1&limit=1",
        ] {
            refused(&format!("/?limit={query}"), "limit");
        }
    }

    #[test]
    fn a_cursor_leads_to_the_next_page_until_there_is_none() {
        let all: Vec<u8> = (0..5).collect();
        let mut seen = Vec::new();
        let mut query = "/?limit=2".to_owned();
        loop {
            let page = page(&query);
            let from = page
                .cursor
                .as_ref()
                .map_or(0, |text| text.parse::<usize>().unwrap() + 1);
            let rows = &all[from..(from + page.lookup()).min(all.len())];
            let answer = page.answer(rows, ToString::to_string);
            let list: Value = serde_json::from_slice(answer.body()).unwrap();
            let items = list["items"].as_array().unwrap();
            assert!(items.len() <= 2);
            seen.extend(
                items
                    .iter()
                    .map(|item| u8::try_from(item.as_u64().unwrap()).unwrap()),
            );
            match list["next_cursor"].as_str() {
                Some(cursor) => query = format!("/?limit=2&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(seen, all);
        let empty = page("/").answer::<u8>(&[], ToString::to_string);
        assert_eq!(empty.body(), br#"{"items":[],"next_cursor":null}"#);
        let full = page("/?limit=5").answer(&all, ToString::to_string);
        assert!(
            full.body().ends_with(br#""next_cursor":null}"#),
            "exactly full is the last"
        );
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for cursor in ["!", "YQ==", "a", "_w", "YQ&cursor=YQ"] {
            refused(&format!("/?cursor={cursor}"), "cursor");
        }
        assert_eq!(page("/?cursor=").cursor, None);
    }
}
