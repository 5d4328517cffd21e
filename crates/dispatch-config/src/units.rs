//! Quantities with their unit in the value: `"10 MiB"`, `"15s"`, `"10/s"`.

use std::time::Duration;

use crate::Rate;

const SIZES: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

const SPANS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// `"10 MiB"` as bytes.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (count, unit) = split(text)?;
    let (_, bytes) = SIZES.iter().find(|(name, _)| *name == unit)?;
    count.checked_mul(*bytes)
}

/// `"15s"` as time.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let (count, unit) = split(text)?;
    let (_, millis) = SPANS.iter().find(|(name, _)| *name == unit)?;
    count.checked_mul(*millis).map(Duration::from_millis)
}

/// `"10/s"`, `"600/m"`, `"3/5s"`.
pub(crate) fn rate(text: &str) -> Option<Rate> {
    let (count, per) = text.split_once('/')?;
    let count = count.trim().parse().ok().filter(|count| *count > 0)?;
    let per = per.trim();
    let per =
        if per.starts_with(|c: char| c.is_ascii_digit()) { span(per)? } else { span(&format!("1{per}"))? };
    (!per.is_zero()).then_some(Rate { count, per })
}

/// What was perhaps meant by a size that is none: the same number with a unit that exists.
pub(crate) fn size_meant(text: &str) -> Option<String> {
    let (count, unit) = split(text)?;
    let unit = match unit.to_ascii_lowercase().as_str() {
        "" | "b" | "byte" | "bytes" => "B",
        "k" | "kb" | "kib" => "KiB",
        "m" | "mb" | "mib" | "mbyte" | "megabytes" => "MiB",
        "g" | "gb" | "gib" => "GiB",
        _ => return None,
    };
    Some(format!("{count} {unit}"))
}

/// What was perhaps meant by a span that is none.
pub(crate) fn span_meant(text: &str) -> Option<String> {
    let (count, unit) = split(text)?;
    let unit = match unit.to_ascii_lowercase().as_str() {
        "ms" | "msec" | "millis" | "milliseconds" => "ms",
        "" | "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        _ => return None,
    };
    Some(format!("{count}{unit}"))
}

/// What was perhaps meant by a rate that is none: `"10 per second"`, `"10/sec"`, `"10"`.
pub(crate) fn rate_meant(text: &str) -> Option<String> {
    let digits = text.trim().find(|c: char| !c.is_ascii_digit()).unwrap_or(text.trim().len());
    let (count, rest) = text.trim().split_at(digits);
    let unit = rest.trim().trim_start_matches('/').trim_start_matches("per").trim();
    let meant = span_meant(&format!("1{unit}"))?;
    (!count.is_empty()).then(|| format!("{count}/{}", &meant[1..]))
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    Some((count.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes_spans_and_rates() {
        assert_eq!(size("10 MiB"), Some(10 << 20));
        assert_eq!(size("10MB"), Some(10_000_000));
        assert_eq!(span("15s"), Some(Duration::from_secs(15)));
        assert_eq!(span("30 d"), Some(Duration::from_secs(30 * 86_400)));
        assert_eq!(rate("10/s"), Some(Rate { count: 10, per: Duration::from_secs(1) }));
        assert_eq!(rate("3/5s"), Some(Rate { count: 3, per: Duration::from_secs(5) }));
    }

    #[test]
    fn refuses_what_has_no_unit_or_is_too_much() {
        for text in ["", "10", "MiB", "-1 B", "1.5 MiB", "10 mib", "99999999999999 GiB"] {
            assert_eq!(size(text), None, "{text:?}");
        }
        for text in ["", "15", "s", "15 sec", "1h30m", "-1s"] {
            assert_eq!(span(text), None, "{text:?}");
        }
        for text in ["", "10", "/s", "0/s", "10/0s", "10/x", "1.5/s"] {
            assert_eq!(rate(text), None, "{text:?}");
        }
    }

    #[test]
    fn guesses_what_was_meant() {
        assert_eq!(size_meant("10 mb").as_deref(), Some("10 MiB"));
        assert_eq!(span_meant("15 sec").as_deref(), Some("15s"));
        assert_eq!(rate_meant("10 per second").as_deref(), Some("10/s"));
        assert_eq!(rate_meant("10").as_deref(), Some("10/s"));
        assert_eq!(rate_meant("often"), None);
    }
}
