//! The strict walk over a whole update.
//!
//! Owns [`scan`] and its result, the places of the sections. Must not know what a board holds. Key invariant:
//! bytes that pass decode in stock Yjs 13 and 14 without an error, so later walks need not check them again.
//! Tests: `scan/tests` below and the mutations in `tests/algebra`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::any::PROTO;
use super::structs::{Id, Kind, Parent, Struct, read_struct};
use super::{Budget, Budgets, Reason, Refused, Rules};
use crate::lib0::Reader;
use crate::limits;
use crate::meter::Meter;

/// The structs of one client in an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// The client.
    pub client: u64,
    /// The clock of the first struct.
    pub clock: u32,
    /// The clock after the last struct.
    pub end_clock: u32,
    /// Structs, at least 1.
    pub count: u32,
    /// Byte offset of the first struct.
    pub start: usize,
    /// Byte offset after the last struct.
    pub end: usize,
}

/// Where things stand in an update that was scanned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The sections that hold structs, as they follow in the bytes; each client once.
    pub sections: Vec<Section>,
    /// Byte offset of the delete set.
    pub deletes: usize,
    /// Whether a Skip stands in it: a hole by itself.
    pub has_skip: bool,
    /// Whether nothing is in it that a tidy encoder would leave out.
    pub is_tidy: bool,
}

/// Walks over an update and checks all of it that can be checked without knowing the board.
///
/// Spends a step for each struct and range, and for the bytes.
///
/// # Errors
/// [`Refused::Malformed`] for what stock Yjs would throw on or read differently, [`Refused::OverBudget`] for
/// a value that nests too deep or for more clients than a board may have, [`Refused::TooCostly`].
pub fn scan(bytes: &[u8], budgets: &Budgets, meter: &mut Meter) -> Result<Outline, Refused> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(Budget::Bytes.into());
    }
    meter.spend_bytes(bytes.len())?;
    let mut reader = Reader::new(bytes);
    let mut outline = Outline {
        is_tidy: true,
        ..Outline::default()
    };
    for _ in 0..reader.count()? {
        match scan_section(&mut reader, &mut outline.has_skip, (budgets.rules, meter))? {
            Some(section) => outline.sections.push(section),
            None => outline.is_tidy = false,
        }
        if outline.sections.len() > budgets.clients {
            return Err(Budget::Clients.into());
        }
    }
    check_unique(&outline.sections)?;
    outline.deletes = reader.position();
    scan_deletes(&mut reader, (budgets.rules, meter))?;
    if !reader.rest().is_empty() {
        return Err(Reason::TrailingBytes.into());
    }
    Ok(outline)
}

fn scan_section(
    reader: &mut Reader<'_>,
    has_skip: &mut bool,
    (rules, meter): (Rules, &mut Meter),
) -> Result<Option<Section>, Refused> {
    let count = reader.count()?;
    let client = reader.number()?;
    let clock = reader.clock()?;
    let start = reader.position();
    let mut end_clock = clock;
    for _ in 0..count {
        let it = read_struct::<true>(reader)?;
        meter.spend(1)?;
        let names_proto = it.names_proto || it.key == Some(PROTO);
        if names_proto && rules == Rules::Strangers {
            return Err(Reason::ProtoMember.into());
        }
        check_references(
            &it,
            Id {
                client,
                clock: end_clock,
            },
        )?;
        *has_skip |= it.kind == Kind::Skip;
        end_clock = end_of(end_clock, it.len)?;
    }
    let end = reader.position();
    Ok((count > 0).then_some(Section {
        client,
        clock,
        end_clock,
        count,
        start,
        end,
    }))
}

/// The clock after `len` clocks from `clock` on.
fn end_of(clock: u32, len: u32) -> Result<u32, Reason> {
    match clock.checked_add(len) {
        Some(end) if u64::from(end) <= limits::CLOCK_MAX => Ok(end),
        _ => Err(Reason::NumberTooLarge),
    }
}

/// References to the own client are to earlier clocks: Yjs throws on any other, whatever else it knows.
fn check_references(it: &Struct<'_>, own: Id) -> Result<(), Reason> {
    let parent = match it.parent {
        Parent::Item(id) => Some(id),
        _ => None,
    };
    let later = |id: Id| id.client == own.client && id.clock >= own.clock;
    if [it.origin, it.right, parent].into_iter().flatten().any(later) {
        return Err(Reason::SelfReference);
    }
    Ok(())
}

fn check_unique(sections: &[Section]) -> Result<(), Reason> {
    // Yjs writes them in descending order.
    if sections.is_sorted_by(|a, b| a.client > b.client) {
        return Ok(());
    }
    let clients = sections.iter().map(|s| s.client).collect();
    are_unique(clients).then_some(()).ok_or(Reason::DuplicateClient)
}

fn are_unique(mut clients: Vec<u64>) -> bool {
    clients.sort_unstable();
    clients.is_sorted_by(|a, b| a < b)
}

/// A delete set. Stock clients write the ranges of a client in ascending order and joined; Yjs writes the
/// clients in descending order, yrs in another.
fn scan_deletes(reader: &mut Reader<'_>, (rules, meter): (Rules, &mut Meter)) -> Result<(), Refused> {
    let start = *reader;
    let mut last = u64::MAX;
    let mut descends = true;
    for _ in 0..reader.count()? {
        let client = reader.number()?;
        meter.spend(1)?;
        descends &= client < last;
        last = client;
        let mut at = 0;
        for _ in 0..reader.count()? {
            let (start, end) = read_range(reader)?;
            meter.spend(1)?;
            if start < at && rules == Rules::Strangers {
                return Err(Reason::UnsortedDeletes.into());
            }
            at = end;
        }
    }
    if descends || rules == Rules::Stored || are_unique(clients_of_deletes(start)?) {
        Ok(())
    } else {
        Err(Reason::UnsortedDeletes.into())
    }
}

/// The clients of a delete set that was scanned.
fn clients_of_deletes(mut reader: Reader<'_>) -> Result<Vec<u64>, Refused> {
    let mut clients = Vec::new();
    for _ in 0..reader.count()? {
        clients.push(reader.number()?);
        for _ in 0..reader.count()? {
            read_range(&mut reader)?;
        }
    }
    Ok(clients)
}

/// Reads one range of a delete set.
///
/// # Errors
/// [`Reason::ZeroLength`], [`Reason::NumberTooLarge`], [`Reason::Truncated`].
pub fn read_range(reader: &mut Reader<'_>) -> Result<(u32, u32), Reason> {
    let start = reader.clock()?;
    let len = reader.clock()?;
    if len == 0 {
        return Err(Reason::ZeroLength);
    }
    Ok((start, end_of(start, len)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> Refused {
        scan(bytes, &Budgets::default(), &mut Meter::unbounded()).unwrap_err()
    }

    #[test]
    fn an_update_is_laid_out_by_client() {
        let bytes = [
            2, 2, 9, 5, 0, 3, 0, 4, 1, 7, 0, 4, 1, 1, b'r', 2, b'h', b'i', 1, 9, 1, 5, 2,
        ];
        let outline = scan(&bytes, &Budgets::default(), &mut Meter::unbounded()).unwrap();
        let of = |client, clock, end_clock, count, start, end| Section {
            client,
            clock,
            end_clock,
            count,
            start,
            end,
        };
        assert_eq!(outline.sections, [of(9, 5, 12, 2, 4, 8), of(7, 0, 2, 1, 11, 18)]);
        assert_eq!(
            (outline.deletes, outline.has_skip, outline.is_tidy),
            (18, false, true)
        );
    }

    #[test]
    fn every_prefix_of_an_update_is_truncated() {
        let bytes = [
            2, 2, 9, 5, 0, 3, 0, 4, 1, 7, 0, 4, 1, 1, b'r', 2, b'h', b'i', 1, 9, 1, 5, 2,
        ];
        for end in 0..bytes.len() {
            let got = refused(&bytes[..end]);
            assert_eq!(got, Refused::Malformed(Reason::Truncated), "prefix of {end}");
        }
    }

    #[test]
    fn updates_that_decoders_disagree_on_are_refused() {
        let table: [(&[u8], Reason); 15] = [
            (&[0, 0, 0], Reason::TrailingBytes),
            (&[2, 1, 9, 0, 0, 1, 1, 9, 1, 0, 1, 0], Reason::DuplicateClient),
            (
                &[3, 1, 9, 0, 0, 1, 1, 8, 0, 0, 1, 1, 9, 1, 0, 1, 0],
                Reason::DuplicateClient,
            ),
            (&[1, 1, 9, 0, 0x84, 9, 0, 1, b'x', 0], Reason::SelfReference),
            (&[1, 1, 9, 5, 0x44, 9, 6, 1, b'x', 0], Reason::SelfReference),
            (&[1, 1, 9, 5, 4, 0, 9, 5, 1, b'x', 0], Reason::SelfReference),
            (&[0, 1, 9, 1, 5, 0], Reason::ZeroLength),
            // A range twice, an overlap, descending ranges; a client twice, apart from and beside one
            // another.
            (&[0, 1, 9, 2, 0, 2, 0, 2], Reason::UnsortedDeletes),
            (&[0, 1, 9, 2, 0, 2, 1, 2], Reason::UnsortedDeletes),
            (&[0, 1, 9, 2, 4, 1, 0, 1], Reason::UnsortedDeletes),
            (&[0, 2, 9, 1, 0, 1, 9, 1, 2, 1], Reason::UnsortedDeletes),
            (
                &[0, 3, 9, 1, 0, 1, 8, 1, 0, 1, 9, 1, 2, 1],
                Reason::UnsortedDeletes,
            ),
            (
                &[
                    1, 1, 2, 0, 0x28, 1, 1, b'm', 1, b'k', 1, 118, 1, 9, b'_', b'_', b'p', b'r', b'o', b't',
                    b'o', b'_', b'_', 116, 0, 0,
                ],
                Reason::ProtoMember,
            ),
            // The same as a map key.
            (
                &[
                    1, 1, 2, 0, 0x28, 1, 1, b'm', 9, b'_', b'_', b'p', b'r', b'o', b't', b'o', b'_', b'_', 1,
                    126, 0,
                ],
                Reason::ProtoMember,
            ),
            (
                &[1, 1, 9, 0xff, 0xff, 0xff, 0xff, 7, 0, 1, 0],
                Reason::NumberTooLarge,
            ),
        ];
        for (bytes, reason) in table {
            assert_eq!(refused(bytes), Refused::Malformed(reason), "{bytes:?}");
        }
    }

    #[test]
    fn what_was_accepted_once_stays_readable_and_clients_delete_in_any_order() {
        let read = |bytes: &[u8], budgets: &Budgets| scan(bytes, budgets, &mut Meter::unbounded()).map(drop);
        let twice = [0, 2, 9, 1, 0, 1, 9, 2, 0, 1, 0, 1];
        assert_eq!(read(&twice, &Budgets::UNBOUNDED), Ok(()));
        assert!(read(&twice, &Budgets::default()).is_err());
        for clients in [[7, 8, 9], [9, 8, 7], [8, 9, 7]] {
            let [a, b, c] = clients;
            let bytes = [0, 3, a, 2, 0, 1, 1, 1, b, 0, c, 1, 4, 1];
            assert_eq!(read(&bytes, &Budgets::default()), Ok(()), "{clients:?}");
        }
    }

    #[test]
    fn the_steps_are_linear_in_the_bytes() {
        // The smallest structs, ranges and clients there are.
        let gc = [&[1, 0x90, 0x4e, 9, 0][..], &[0, 1].repeat(10_000), &[0]].concat();
        let clients = [&[0, 100][..], &(0..100).flat_map(|c| [c, 0]).collect::<Vec<u8>>()].concat();
        for (bytes, at_least) in [(gc, 10_000), (clients, 100)] {
            let mut meter = Meter::unbounded();
            assert!(scan(&bytes, &Budgets::default(), &mut meter).is_ok());
            assert!(meter.spent() >= at_least && meter.spent() <= bytes.len() as u64);
        }
        let mut meter = Meter::new(10);
        let many = [&[1, 100, 9, 0][..], &[0, 1].repeat(100), &[0]].concat();
        assert_eq!(
            scan(&many, &Budgets::default(), &mut meter),
            Err(Refused::TooCostly)
        );
    }

    #[test]
    fn more_clients_than_the_budget_are_refused() {
        let budgets = Budgets {
            clients: 2,
            ..Budgets::default()
        };
        for (n, fits) in [(1u8, true), (2, true), (3, false)] {
            let mut bytes = vec![n];
            for client in 0..n {
                bytes.extend_from_slice(&[1, client, 0, 0, 1]);
            }
            bytes.push(0);
            assert_eq!(
                scan(&bytes, &budgets, &mut Meter::unbounded()).is_ok(),
                fits,
                "{n} clients"
            );
        }
    }
}
