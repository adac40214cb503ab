//! Files of y-sweet: `data.ysweet`.
//!
//! Owns what such a file is. Must not know Yjs. Key invariants: reading is strict and total, and takes no
//! memory by a length that was only announced. Tests are below; fuzz body: `fuzzing::ysweet`.
//!
//! ```text
//! file  = number of entries (u64 le), of each its key and its value, in the order of keys
//! bytes = length (u64 le), bytes
//! key   = 0, 1, document (4 bytes), 0                      the state, as one update
//!       | 0, 1, document (4 bytes), 2, number (u32 be), 0  an update since
//!       | others                                           what is derived from these, and names
//! ```
//! (y-sweet's y-sweet-core/src/sync_kv.rs, and src/keys.rs of yrs-kvstore 0.3, which it stores with.)

/// The name of the file in the directory of a document.
pub const FILE: &str = "data.ysweet";

/// Reads the updates of a file, in the order in which they join.
///
/// # Errors
/// It is no such file, in words.
pub fn read(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let cut = || "it is no file of y-sweet, or is cut off".to_owned();
    let entries = number(&mut bytes).ok_or_else(cut)?;
    let (mut state, mut updates) = (None, Vec::new());
    let mut document = None;
    for _ in 0..entries {
        let key = piece(&mut bytes).ok_or_else(cut)?;
        let value = piece(&mut bytes).ok_or_else(cut)?;
        let [0, 1, of @ ..] = key else { continue };
        let Some((of, rest)) = of.split_first_chunk::<4>() else {
            continue;
        };
        match rest {
            [0] => state = Some(value.to_vec()),
            // They come in their order, as keys do.
            [2, _, _, _, _, 0] => updates.push(value.to_vec()),
            _ => continue,
        }
        if *document.get_or_insert(*of) != *of {
            return Err("it has more than one document".to_owned());
        }
    }
    if !bytes.is_empty() {
        return Err("it is no file of y-sweet: there is something behind its end".to_owned());
    }
    let all: Vec<Vec<u8>> = state.into_iter().chain(updates).collect();
    match all.is_empty() {
        true => Err("it has no document".to_owned()),
        false => Ok(all),
    }
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*head))
}

fn piece<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(bytes)?).ok()?;
    let (piece, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(entries: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut bytes = (entries.len() as u64).to_le_bytes().to_vec();
        for piece in entries.iter().flat_map(|(key, value)| [key, value]) {
            bytes.extend_from_slice(&(piece.len() as u64).to_le_bytes());
            bytes.extend_from_slice(piece);
        }
        bytes
    }

    const NAME: (&[u8], &[u8]) = (&[0, 0, b'd', b'o', b'c', 0], &[0, 0, 0, 1]);
    const STATE: (&[u8], &[u8]) = (&[0, 1, 0, 0, 0, 1, 0], b"state");
    const VECTOR: (&[u8], &[u8]) = (&[0, 1, 0, 0, 0, 1, 1], b"vector");
    const UPDATE: (&[u8], &[u8]) = (&[0, 1, 0, 0, 0, 1, 2, 0, 0, 0, 7, 0], b"update");

    #[test]
    fn the_state_comes_first_and_then_the_updates() {
        let read_of = |entries: &[(&[u8], &[u8])]| read(&file(entries));
        let (state, update) = (b"state".to_vec(), b"update".to_vec());
        assert_eq!(
            read_of(&[NAME, STATE, VECTOR, UPDATE]),
            Ok(vec![state.clone(), update.clone()])
        );
        assert_eq!(read_of(&[NAME, STATE]), Ok(vec![state]));
        assert_eq!(read_of(&[NAME, UPDATE]), Ok(vec![update]));
    }

    #[test]
    fn what_is_no_such_file_is_refused_wherever_it_is_cut() {
        let whole = file(&[NAME, STATE, UPDATE]);
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
        let more = [&whole[..], &[0]].concat();
        assert!(read(&more).unwrap_err().contains("behind its end"));
        assert!(read(&file(&[NAME])).unwrap_err().contains("no document"));
        let other: (&[u8], &[u8]) = (&[0, 1, 0, 0, 0, 2, 0], b"state");
        assert!(
            read(&file(&[STATE, other]))
                .unwrap_err()
                .contains("more than one")
        );
        // Lengths that are only announced.
        assert!(read(&[0xff; 8]).is_err());
        assert!(read(&[&1_u64.to_le_bytes()[..], &[0xff; 8]].concat()).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic_or_wait() {
        let whole = file(&[NAME, STATE, VECTOR, UPDATE]);
        for at in 0..whole.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                // Whatever it is, it is read to an end.
                drop(read(&changed));
            }
        }
    }
}
