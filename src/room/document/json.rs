//! The shared types of an open document as JSON, written as they are read.
//!
//! Owns [`write()`]. Must not know boards. Key invariants: beside the document there is never more than what
//! was written so far and one text; what is written is bounded by whoever gives the writer. Members and
//! attributes are in the order of their names. XML is written as yrs writes it, but not in one piece for each
//! level. Tests: `document/tests.rs`.

use std::fmt::{self, Display as _, Write as _};
use std::io;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use yrs::types::text::YChange;
use yrs::{Any, Array, Doc, GetString, Map, Out, ReadTxn, Text, Transact, Xml as _, XmlFragment};

use crate::update::gate::{Root, RootContent};

/// Writes the shared types by name.
///
/// # Errors
/// Those of the writer; and where yrs gives a number that is none.
pub(super) fn write(doc: &Doc, roots: &[Root], out: impl io::Write) -> Result<(), serde_json::Error> {
    let mut shared = Vec::new();
    for root in roots {
        let name = root.name.as_str();
        let top = match root.content {
            _ if root.has_entries => Out::YMap(doc.get_or_insert_map(name)),
            RootContent::None => continue,
            RootContent::Array => Out::YArray(doc.get_or_insert_array(name)),
            RootContent::Text => Out::YText(doc.get_or_insert_text(name)),
            RootContent::Xml => Out::YXmlFragment(doc.get_or_insert_xml_fragment(name)),
        };
        shared.push((name, top));
    }
    let transaction = doc.transact();
    let mut serializer = serde_json::Serializer::new(out);
    let mut map = serializer.serialize_map(Some(shared.len()))?;
    for (name, top) in &shared {
        map.serialize_entry(name, &Node(top, &transaction))?;
    }
    SerializeMap::end(map)
}

/// A value or shared type as JSON.
struct Node<'a, T>(&'a Out, &'a T);

impl<T: ReadTxn> Serialize for Node<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(out, transaction) = *self;
        match out {
            Out::Any(any) => Plain(any).serialize(serializer),
            Out::YText(text) => serializer.serialize_str(&text.get_string(transaction)),
            Out::YArray(array) => {
                let mut seq = serializer.serialize_seq(None)?;
                for value in array.iter(transaction) {
                    seq.serialize_element(&Node(&value, transaction))?;
                }
                seq.end()
            }
            Out::YMap(map) => {
                let mut members = serializer.serialize_map(None)?;
                for (name, value) in sorted(map.iter(transaction)) {
                    members.serialize_entry(name, &Node(&value, transaction))?;
                }
                members.end()
            }
            Out::YXmlElement(_) | Out::YXmlFragment(_) | Out::YXmlText(_) => {
                serializer.collect_str(&Xml(out, transaction))
            }
            // The gate lets none of them through.
            Out::YDoc(_) | Out::UndefinedRef(_) => serializer.serialize_none(),
        }
    }
}

/// A value as JSON: buffers as base64, all else as yrs writes it.
struct Plain<'a>(&'a Any);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Any::Buffer(bytes) => serializer.collect_str(&Base64Display::new(bytes, &STANDARD)),
            Any::Array(values) => serializer.collect_seq(values.iter().map(Plain)),
            Any::Map(members) => {
                let members = sorted(members.iter().map(|(name, any)| (name.as_str(), any)));
                serializer.collect_map(members.into_iter().map(|(name, any)| (name, Plain(any))))
            }
            any => any.serialize(serializer),
        }
    }
}

/// Members in the order of their names.
fn sorted<'a, V>(members: impl Iterator<Item = (&'a str, V)>) -> Vec<(&'a str, V)> {
    let mut members: Vec<_> = members.collect();
    members.sort_unstable_by(|a, b| a.0.cmp(b.0));
    members
}

/// XML, or a value within it, as text.
struct Xml<'a, T>(&'a Out, &'a T);

impl<T: ReadTxn> fmt::Display for Xml<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(out, transaction) = *self;
        match out {
            Out::Any(any) => any.fmt(f),
            Out::YText(text) => f.write_str(&text.get_string(transaction)),
            Out::YArray(array) => {
                f.write_char('[')?;
                for (n, value) in array.iter(transaction).enumerate() {
                    f.write_str(if n > 0 { ", " } else { "" })?;
                    Xml(&value, transaction).fmt(f)?;
                }
                f.write_char(']')
            }
            Out::YMap(map) => {
                f.write_char('{')?;
                for (n, (name, value)) in sorted(map.iter(transaction)).into_iter().enumerate() {
                    write!(f, "{}{name}: ", if n > 0 { ", " } else { "" })?;
                    Xml(&value, transaction).fmt(f)?;
                }
                f.write_char('}')
            }
            Out::YXmlElement(element) => {
                let tag = element.tag();
                write!(f, "<{tag}")?;
                for (name, value) in sorted(element.attributes(transaction)) {
                    write!(f, " {name}=\"{}\"", Xml(&value, transaction))?;
                }
                f.write_char('>')?;
                write_children(element, transaction, f)?;
                write!(f, "</{tag}>")
            }
            Out::YXmlFragment(fragment) => write_children(fragment, transaction, f),
            Out::YXmlText(text) => {
                for piece in text.diff(transaction, YChange::identity) {
                    let marks = piece.attributes.as_deref();
                    let marks = marks.into_iter().flatten().map(|(name, any)| (&**name, any));
                    write_piece(&sorted(marks), &piece.insert, f)?;
                }
                Ok(())
            }
            Out::YDoc(_) | Out::UndefinedRef(_) => Ok(()),
        }
    }
}

fn write_children<T: ReadTxn>(
    parent: &impl XmlFragment,
    transaction: &T,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    for child in parent.children(transaction) {
        Xml(&Out::from(child), transaction).fmt(f)?;
    }
    Ok(())
}

/// A piece of an XML text in the formats that hold there; types in it are not shown.
fn write_piece(marks: &[(&str, &Any)], insert: &Out, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (name, value) in marks {
        write!(f, "<{name}")?;
        if let Any::Map(members) = value {
            for (name, any) in sorted(members.iter().map(|(name, any)| (name.as_str(), any))) {
                write!(f, " {name}=\"{any}\"")?;
            }
        }
        f.write_char('>')?;
    }
    if let Out::Any(any) = insert {
        any.fmt(f)?;
    }
    for (name, _) in marks.iter().rev() {
        write!(f, "</{name}>")?;
    }
    Ok(())
}
