//! The rows of webhooks.
//!
//! Owns their keys and values. Must not know the engine. Key invariant: the secret is in the row as it is,
//! since deliveries are signed with it. Tests are below.

use super::super::{Damage, SigningSecret, StoredWebhook, WebhookId};
use super::{Fields, Tag, board_key, push_text, seal, split_board_key, unseal};
use crate::ids::{BoardId, Subject};
use crate::time::UnixMillis;

/// The key of a webhook.
pub(crate) fn webhook_key(board: &BoardId, id: &WebhookId) -> Vec<u8> {
    board_key(board, id.as_str().as_bytes())
}

/// Words without commas, as one text.
pub(crate) fn join_words(words: &[String]) -> String {
    words.join(",")
}

/// The other way round.
pub(crate) fn split_words(text: &str) -> Vec<String> {
    let words = text.split(',').filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// The value of a webhook; its board and id are in the key.
pub(crate) fn encode_webhook(key: &[u8], webhook: &StoredWebhook) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    body.extend_from_slice(&webhook.secret.0);
    body.extend_from_slice(&webhook.created_at.0.to_le_bytes());
    push_text(&mut body, Some(webhook.created_by.as_str()));
    push_text(&mut body, Some(&webhook.url));
    push_text(&mut body, Some(&join_words(&webhook.types)));
    push_text(&mut body, Some(&join_words(&webhook.kinds)));
    seal(Tag::Webhook, key, &[&body])
}

/// Reads a webhook.
pub(crate) fn decode_webhook(key: &[u8], value: &[u8]) -> Result<StoredWebhook, Damage> {
    let mut fields = Fields(unseal(Tag::Webhook, key, value)?);
    let (_, id) = split_board_key(key)?;
    let id = std::str::from_utf8(id).ok().and_then(WebhookId::parse);
    let webhook = StoredWebhook {
        id: id.ok_or(Damage::Malformed)?,
        secret: SigningSecret(fields.array()?),
        created_at: UnixMillis(fields.u64()?),
        created_by: fields.parsed(Subject::parse)?,
        url: fields.parsed(|text| Some(text.to_owned()))?,
        types: fields.parsed(|text| Some(split_words(text)))?,
        kinds: fields.parsed(|text| Some(split_words(text)))?,
    };
    fields.end()?;
    Ok(webhook)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn webhooks_come_back_whole_and_no_damaged_one_does() {
        let board = BoardId::parse("a").unwrap();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (types, kinds) in [(&[][..], &[][..]), (&["item", "presence"], &["sticky"])] {
            let webhook = StoredWebhook {
                id: WebhookId::from_bytes([7; 12]),
                url: format!("https://h/{}", "a".repeat(limits::CLIENT_URL_BYTES_MAX - 10)),
                types: words(types),
                kinds: words(kinds),
                secret: SigningSecret([9; 32]),
                created_by: Subject::parse("user:alice").unwrap(),
                created_at: UnixMillis(5),
            };
            let key = webhook_key(&board, &webhook.id);
            let value = encode_webhook(&key, &webhook);
            assert_eq!(decode_webhook(&key, &value), Ok(webhook.clone()));
            for at in 0..value.len() {
                let mut rotten = value.clone();
                rotten[at] ^= 1;
                assert!(decode_webhook(&key, &rotten).is_err(), "{at}");
            }
            let shown = format!("{webhook:?}");
            assert!(!shown.contains("https") && !shown.contains("999"), "{shown}");
        }
    }
}
