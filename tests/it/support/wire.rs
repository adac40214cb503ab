//! The bytes of the Yjs protocols, written and read apart from the server's own code.

/// One message of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A state vector.
    Step1(Vec<u8>),
    /// An update that answers a step 1.
    Step2(Vec<u8>),
    /// An update.
    Update(Vec<u8>),
    /// Awareness entries: id, clock, state.
    Awareness(Vec<(u64, u64, String)>),
    /// Permission denied, with words.
    Denied(String),
}

pub(crate) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value % 0x80) as u8 | 0x80);
        value /= 0x80;
    }
    out.push(value as u8);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn message(kinds: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = kinds.to_vec();
    put_bytes(&mut out, body);
    out
}

pub(crate) fn step_1(state_vector: &[u8]) -> Vec<u8> {
    message(&[0, 0], state_vector)
}

pub(crate) fn step_2(update: &[u8]) -> Vec<u8> {
    message(&[0, 1], update)
}

pub(crate) fn update(update: &[u8]) -> Vec<u8> {
    message(&[0, 2], update)
}

/// The message of awareness entries: id, clock, JSON.
pub(crate) fn awareness(entries: &[(u64, u64, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    put_number(&mut body, entries.len() as u64);
    for (id, clock, state) in entries {
        put_number(&mut body, *id);
        put_number(&mut body, *clock);
        put_bytes(&mut body, state.as_bytes());
    }
    message(&[1], &body)
}

/// Reads one WebSocket message of the server, which holds exactly one protocol message.
#[track_caller]
pub(crate) fn parse(bytes: &[u8]) -> Message {
    let mut reader = Reader(bytes);
    let message = match reader.number() {
        0 => match reader.number() {
            0 => Message::Step1(reader.bytes().to_vec()),
            1 => Message::Step2(reader.bytes().to_vec()),
            2 => Message::Update(reader.bytes().to_vec()),
            other => panic!("sync message of kind {other}"),
        },
        1 => {
            let mut body = Reader(reader.bytes());
            let count = body.number();
            let entries = (0..count)
                .map(|_| (body.number(), body.number(), body.text()))
                .collect();
            assert!(body.0.is_empty(), "bytes after the awareness entries");
            Message::Awareness(entries)
        }
        2 => {
            assert_eq!(reader.number(), 0, "only denials are sent as auth messages");
            Message::Denied(reader.text())
        }
        other => panic!("message of type {other}"),
    };
    assert!(reader.0.is_empty(), "more than one message in a frame");
    message
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let (first, rest) = self.0.split_first().expect("a number");
            self.0 = rest;
            value |= u64::from(first & 0x7F) << shift;
            if first & 0x80 == 0 {
                return value;
            }
        }
        panic!("a number that does not end")
    }

    fn bytes(&mut self) -> &'a [u8] {
        let length = usize::try_from(self.number()).unwrap();
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }

    fn text(&mut self) -> String {
        String::from_utf8(self.bytes().to_vec()).expect("UTF-8")
    }
}
