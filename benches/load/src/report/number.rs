//! Numbers as people read them.
//!
//! Owns how a figure is printed. Key invariant: a share below one is never printed as 100 %.

/// What a figure counts, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Millis,
    Micros,
    Bytes,
    Share,
    PerSecond,
    Plain,
}

impl Unit {
    /// Of a figure by its name in the file.
    pub(crate) fn of(name: &str) -> Self {
        let has = |part: &str| name.split('_').any(|word| word == part);
        if has("bytes") {
            Self::Bytes
        } else if has("us") {
            Self::Micros
        } else if has("ms") {
            Self::Millis
        } else if has("share") || name == "within_limit" {
            Self::Share
        } else if name.ends_with("per_second") {
            Self::PerSecond
        } else {
            Self::Plain
        }
    }

    /// A number of this unit, with the unit.
    pub(crate) fn print(self, number: f64) -> String {
        match self {
            Self::Millis if number >= 10_000.0 => format!("{} s", digits(number / 1e3)),
            Self::Millis => format!("{} ms", digits(number)),
            Self::Micros => format!("{} us", digits(number)),
            Self::Bytes => {
                let (size, name) = byte_unit(number);
                format!("{} {name}", digits(number / size))
            }
            Self::Share => format!("{} %", percent(number)),
            Self::PerSecond => format!("{} /s", digits(number)),
            Self::Plain => digits(number),
        }
    }
}

/// In what a number of bytes is told, by the largest of them.
pub(crate) fn byte_unit(bytes: f64) -> (f64, &'static str) {
    match bytes {
        b if b >= 1e9 => (1e9, "GB"),
        b if b >= 1e6 => (1e6, "MB"),
        b if b >= 1e3 => (1e3, "kB"),
        _ => (1.0, "bytes"),
    }
}

/// Three digits that count, all of a whole number, and commas between thousands.
pub(crate) fn digits(number: f64) -> String {
    if !number.is_finite() {
        return "-".to_owned();
    }
    let size = number.abs();
    if size >= 1e15 || (size > 0.0 && size < 1e-6) {
        return format!("{number:.1e}");
    }
    let whole = (number - number.round()).abs() <= f64::EPSILON * size;
    let decimals = match size {
        _ if whole => 0,
        s if s >= 100.0 => 0,
        s if s >= 1.0 => 2 - s.log10() as usize,
        s => 2 + (-s.log10()).ceil() as usize,
    };
    grouped(&format!("{number:.decimals$}"))
}

/// The number of a tick: as it is, without zeros that say nothing.
pub(crate) fn tick(number: f64) -> String {
    if number >= 1e15 || (number > 0.0 && number < 1e-6) {
        return format!("{number:e}");
    }
    let text = format!("{number:.9}");
    grouped(text.trim_end_matches('0').trim_end_matches('.'))
}

/// The number of a tick in few letters.
pub(crate) fn short_tick(number: f64) -> String {
    match number {
        n if n >= 1e6 => format!("{}M", tick(n / 1e6)),
        n if n >= 1e3 => format!("{}k", tick(n / 1e3)),
        n => tick(n),
    }
}

fn grouped(text: &str) -> String {
    let whole = text.split('.').next().unwrap_or_default().len();
    let mut told = String::new();
    for (at, digit) in text.chars().enumerate() {
        let left = whole.saturating_sub(at);
        let after_digit = told.ends_with(|last: char| last.is_ascii_digit());
        if at < whole && left.is_multiple_of(3) && after_digit {
            told.push(',');
        }
        told.push(digit);
    }
    told
}

/// Percent of a share. Near the whole it has as many digits as it takes to see what is missing.
fn percent(share: f64) -> String {
    let missing = 100.0 - share * 100.0;
    if !(missing > 0.0 && missing < 10.0) {
        return digits(share * 100.0);
    }
    let decimals = ((1.0 - missing.log10()).floor() as usize).clamp(1, 8);
    let unit = 10_f64.powi(decimals as i32);
    // Down, so that it cannot become 100; the small part is for shares that binary numbers miss.
    let down = (share * 100.0 * unit + 1e-6).floor() / unit;
    format!("{:.decimals$}", down.min(100.0 - 1.0 / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_count() {
        for (number, told) in [
            (0.0, "0"),
            (0.6, "0.600"),
            (0.0123, "0.0123"),
            (1.204, "1.20"),
            (23.46, "23.5"),
            (234.6, "235"),
            (9_800.0, "9,800"),
            (1_234_567.0, "1,234,567"),
            (-1_234.0, "-1,234"),
            (-123.0, "-123"),
            (1e-9, "1.0e-9"),
            (1e300, "1.0e300"),
            (f64::NAN, "-"),
            (f64::INFINITY, "-"),
        ] {
            assert_eq!(digits(number), told, "{number}");
        }
    }

    #[test]
    fn a_share_below_one_is_never_told_as_all() {
        for (share, told) in [
            (1.0, "100 %"),
            (0.99996, "99.996 %"),
            (0.999_999_99, "99.999999 %"),
            (0.999_999_999_999, "99.99999999 %"),
            (0.998, "99.8 %"),
            (0.95, "95.0 %"),
            (0.012, "1.20 %"),
            (1.93, "193 %"),
            (0.0, "0 %"),
        ] {
            assert_eq!(Unit::Share.print(share), told, "{share}");
        }
    }

    #[test]
    fn a_figure_has_the_unit_that_its_name_says() {
        for (name, number, told) in [
            ("p99_ms", 1.25, "1.25 ms"),
            ("at_once_max_ms", 12_500.0, "12.5 s"),
            ("cpu_us_per_delivery", 12.2, "12.2 us"),
            ("cpu_ms_per_join", 3.5, "3.50 ms"),
            ("written_bytes_per_update", 6_451.0, "6.45 kB"),
            ("memory_end_bytes", 24_100_000.0, "24.1 MB"),
            ("bytes_per_connection", 340.0, "340 bytes"),
            ("own_cpu_share", 0.02, "2 %"),
            ("within_limit", 1.0, "100 %"),
            ("deliveries_per_second", 49_000.0, "49,000 /s"),
            ("syscalls_per_delivery", 1.1, "1.10"),
            ("closed", 2.0, "2"),
        ] {
            assert_eq!(Unit::of(name).print(number), told, "{name}");
        }
    }

    #[test]
    fn ticks_have_no_zeros_that_say_nothing() {
        for (number, told) in [
            (0.05, "0.05"),
            (20.0, "20"),
            (1_000.0, "1,000"),
            (0.0, "0"),
            (1e-7, "1e-7"),
        ] {
            assert_eq!(tick(number), told);
        }
        for (number, told) in [(500.0, "500"), (20_000.0, "20k"), (5e6, "5M"), (1e9, "1,000M")] {
            assert_eq!(short_tick(number), told);
        }
    }
}
