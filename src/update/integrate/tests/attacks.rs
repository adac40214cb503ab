//! States that take seconds in stock Yjs or yrs cost more than is allowed, and what is not quadratic does
//! not.

use super::*;

/// `n` embeds of a client in the text `t`, each after the one before; the first one after nothing.
fn chain(client: u64, n: u32) -> impl Iterator<Item = Written> {
    (0..n).map(move |clock| {
        let mut bytes = Vec::new();
        if clock == 0 {
            bytes.extend([5, 1, 1, b't']);
        } else {
            bytes.push(0x85);
            id(&mut bytes, Some((client, clock - 1)));
        }
        put_blob(&mut bytes, b"0");
        Written::new(client, 1, bytes)
    })
}

/// `n` embeds of a client in the text `t`, the first after `origin`, so that it must come later, the others
/// after nothing.
fn loose(client: u64, n: u32, origin: (u64, u32)) -> impl Iterator<Item = Written> {
    (0..n).map(move |clock| {
        let mut bytes = vec![0x85];
        if clock == 0 {
            id(&mut bytes, Some(origin));
        } else {
            bytes = vec![5, 1, 1, b't'];
        }
        put_blob(&mut bytes, b"0");
        Written::new(client, 1, bytes)
    })
}

/// `n` values of the key `k`, each without knowledge of the others, or before the first one.
fn entries(client: u64, n: u32, first: Option<(u64, u32)>) -> impl Iterator<Item = Written> {
    (0..n).map(move |clock| {
        let right = first.filter(|_| clock > 0);
        let mut bytes = vec![0x28 | if right.is_some() { 0x40 } else { 0 }];
        id(&mut bytes, right);
        if right.is_none() {
            bytes.extend([1, 1, b'm', 1, b'k']);
        }
        bytes.extend([1, 126]);
        Written::new(client, 1, bytes)
    })
}

/// `n` single letters of a client after the same origin, the first one after `first`.
fn letters(client: u64, n: u32, first: (u64, u32)) -> impl Iterator<Item = Written> {
    (0..n).map(move |clock| {
        let mut bytes = vec![0x84];
        id(&mut bytes, Some(if clock == 0 { first } else { (1, 0) }));
        bytes.extend([1, b'x']);
        Written::new(client, 1, bytes)
    })
}

/// `marks` keys opened in the text `t` one after the other, then `pieces` embeds, or one text of twice as
/// many letters.
fn marked(marks: u32, pieces: u32, text: Option<()>) -> impl Iterator<Item = Written> {
    let marks = (0..marks).map(|clock| {
        let mut bytes = Vec::new();
        if clock == 0 {
            bytes.extend([6, 1, 1, b't']);
        } else {
            bytes.push(0x86);
            id(&mut bytes, Some((1, clock - 1)));
        }
        put_blob(&mut bytes, format!("{clock:x}").as_bytes());
        put_blob(&mut bytes, b"1");
        Written::new(1, 1, bytes)
    });
    let last = marks.len() as u32 - 1;
    let embeds = (0..if text.is_some() { 0 } else { pieces }).map(move |n| {
        let mut bytes = vec![0x85];
        id(&mut bytes, Some((1, last + n)));
        put_blob(&mut bytes, b"0");
        Written::new(1, 1, bytes)
    });
    let letters = text.map(|()| {
        let mut bytes = vec![0x84];
        id(&mut bytes, Some((1, last)));
        put_blob(&mut bytes, "x".repeat(2 * pieces as usize).as_bytes());
        Written::new(1, 2 * pieces, bytes)
    });
    marks.chain(embeds).chain(letters)
}

#[test]
fn states_that_hang_browsers_cost_more_than_is_allowed() {
    let origin = chain(1, 1);
    let every_second = vec![(1, (0..3_000).map(|n| (3_000 + 2 * n, 3_001 + 2 * n)).collect())];
    let table = [
        (
            "a chain and loose items that pass it",
            put_state(chain(1, 6_000).chain(loose(2, 6_000, (1, 5_999))), &[]),
        ),
        ("values of one key", put_state(entries(1, 40_000, None), &[])),
        (
            "values before the first",
            put_state(entries(1, 40_000, Some((1, 0))), &[]),
        ),
        (
            "letters with one origin",
            put_state(
                origin
                    .chain(letters(2, 5_000, (1, 0)))
                    .chain(letters(3, 5_000, (2, 4_999))),
                &[],
            ),
        ),
        ("marks x embeds", put_state(marked(6_000, 6_000, None), &[])),
        (
            "marks x pieces between deletions",
            put_state(marked(3_000, 3_000, Some(())), &every_second),
        ),
    ];
    for (name, state) in table {
        let (_, steps) = print(name, &state);
        assert_eq!(
            bounded(&state),
            Err(Exhausted),
            "{name}: {steps} steps, {} bytes",
            state.len()
        );
    }
}

#[test]
fn a_state_is_refused_one_step_beyond_what_is_allowed() {
    let state = put_state(chain(1, 50).chain(loose(2, 50, (1, 49))), &[]);
    let outline = scan(&state, &Budgets::UNBOUNDED, &mut Meter::unbounded()).unwrap();
    let (work, steps) = work_of(&state);
    for (allowed, fits) in [(steps - 1, false), (steps, true), (steps + 1, true)] {
        let found = integration_work(&state, &outline, &[], &mut Meter::new(allowed));
        assert_eq!(
            found,
            if fits { Ok(work) } else { Err(Exhausted) },
            "{allowed} of {steps} steps"
        );
    }
}

#[test]
fn a_state_may_cost_so_much_for_its_bytes_and_never_more_than_the_most() {
    let most = limits::INTEGRATION_STEPS_MAX;
    let edge = ((most - limits::INTEGRATION_STEPS) / limits::INTEGRATION_STEPS_PER_BYTE) as usize;
    let table = [
        (0, limits::INTEGRATION_STEPS),
        (1, limits::INTEGRATION_STEPS + limits::INTEGRATION_STEPS_PER_BYTE),
        (edge - 1, most - limits::INTEGRATION_STEPS_PER_BYTE),
        (edge, most),
        (edge + 1, most),
        (usize::MAX, most),
    ];
    for (bytes, steps) in table {
        for (spent, fits) in [(steps - 1, true), (steps, true), (steps + 1, false)] {
            assert_eq!(
                meter(bytes).spend(spent).is_ok(),
                fits,
                "{spent} steps for {bytes} bytes"
            );
        }
    }
}

#[test]
fn what_is_passed_depends_on_what_was_there_before() {
    // Whoever loads all at once has the letters of the higher client first, and passes none.
    let structs = || chain(1, 1).chain(letters(2, 5_000, (1, 0)));
    let state = put_state(structs().chain(letters(3, 5_000, (1, 0))), &[]);
    let outline = scan(&state, &Budgets::UNBOUNDED, &mut Meter::unbounded()).unwrap();
    assert!(work_of(&state).0.passed < 10_000);
    assert!(bounded(&state).is_ok());
    // Whoever has those of the lower one passes them for each.
    let work = integration_work(&state, &outline, &[(1, 1), (2, 5_000)], &mut Meter::unbounded()).unwrap();
    assert!(work.passed > 25_000_000, "{work:?}");
    let found = integration_work(&state, &outline, &[(1, 1), (2, 5_000)], &mut meter(state.len()));
    assert_eq!(found, Err(Exhausted));
    // What came before is integrated in the same order as if it were all.
    let found = integration_work(
        &state,
        &outline,
        &[(1, 1), (2, 5_000), (3, 5_000)],
        &mut Meter::unbounded(),
    );
    assert_eq!(found, Ok(work_of(&state).0));
}

#[test]
fn marks_count_for_each_piece_of_text_that_is_left() {
    let count = |structs: Vec<Written>, deletes: &[(u64, Vec<(u32, u32)>)]| {
        work_of(&put_state(structs.into_iter(), deletes)).0.marks
    };
    assert_eq!(count(marked(3, 4, None).collect(), &[]), 12);
    // The second key is gone, and so is one embed.
    assert_eq!(
        count(marked(3, 4, None).collect(), &[(1, vec![(1, 2), (4, 5)])]),
        6
    );
    // Ten letters in one piece; then in three.
    assert_eq!(count(marked(3, 5, Some(())).collect(), &[]), 3);
    assert_eq!(
        count(marked(3, 5, Some(())).collect(), &[(1, vec![(5, 7), (9, 10)])]),
        9
    );
    assert_eq!(count(marked(3, 5, Some(())).collect(), &[(1, vec![(3, 13)])]), 0);
    // Closed again, before what follows.
    let mut closes = vec![0x86, 1, 2];
    put_blob(&mut closes, b"0");
    put_blob(&mut closes, b" null ");
    let mut after = vec![0x85, 1, 3];
    put_blob(&mut after, b"0");
    let structs = marked(3, 0, None).chain([Written::new(1, 1, closes), Written::new(1, 1, after)]);
    assert_eq!(count(structs.collect(), &[]), 2);
}

#[test]
fn what_refers_to_nothing_joins_nothing() {
    // A neighbour of an unknown client, one beyond the end, a parent that is a value, two that go round in a
    // circle.
    let table: [&[u8]; 4] = [
        &[1, 1, 1, 0, 0x84, 9, 0, 1, b'x', 0],
        &[
            2, 1, 2, 0, 0x84, 1, 7, 1, b'x', 1, 1, 0, 4, 1, 1, b't', 1, b'x', 0,
        ],
        &[1, 2, 1, 0, 8, 1, 1, b'a', 1, 126, 4, 0, 1, 0, 1, b'x', 0],
        &[2, 1, 2, 0, 0x84, 1, 0, 1, b'x', 1, 1, 0, 0x84, 2, 0, 1, b'x', 0],
    ];
    for (state, listed) in table.into_iter().zip([0, 1, 1, 0]) {
        let lists = naive::lists(state);
        assert_eq!(lists.iter().map(Vec::len).sum::<usize>(), listed, "{state:?}");
    }
}
