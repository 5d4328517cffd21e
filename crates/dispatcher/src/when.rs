//! Times as a person types and reads them.

use std::time::Duration;

use dispatch_model::Timestamp;

/// `15m`, `2h`, `3d` (ago) or RFC 3339, to a time.
pub(crate) fn parse(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(span) = humantime::parse_duration(text) {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        return Ok(Timestamp::from_millis(now.as_millis().saturating_sub(span)));
    }
    let at = humantime::parse_rfc3339_weak(text)
        .map_err(|_| format!("{text}: expected 15m, 2h, 3d (ago), or a time such as 2026-11-22T18:00:00Z"))?;
    let since = at.duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Ok(Timestamp::from_millis(0).plus(since))
}

/// A time for a table: to the second, UTC.
pub(crate) fn short(at: Timestamp) -> String {
    at.to_string().get(..19).unwrap_or_default().replace('T', " ")
}

/// A span for a person: two units at most.
pub(crate) fn span(span: Duration) -> String {
    let (seconds, millis) = (span.as_secs(), span.subsec_millis());
    match seconds {
        0 => format!("{millis} ms"),
        1..=9 => format!("{seconds}.{} s", millis / 100),
        10..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A later time, seen from now: `in 5 s`, or `now`.
pub(crate) fn until(at: Timestamp, now: Timestamp) -> String {
    match at.since(now) {
        Duration::ZERO => "now".to_owned(),
        wait => format!("in {}", span(wait)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_ago_and_a_date_is_a_date() {
        let now = Timestamp::from_millis(1_795_392_059_007);
        assert_eq!(parse("2h", now).unwrap().as_millis(), 1_795_392_059_007 - 7_200_000);
        assert_eq!(parse("2026-11-22T23:20:59Z", now).unwrap().as_millis(), 1_795_389_659_000);
        assert!(parse("yesterday", now).unwrap_err().contains("15m"));
    }

    #[test]
    fn spans_read_well() {
        for (millis, text) in [
            (12, "12 ms"),
            (2_500, "2.5 s"),
            (61_000, "61 s"),
            (7_260_000, "2 h 1 min"),
            (180_000_000, "2 d 2 h"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }
}
