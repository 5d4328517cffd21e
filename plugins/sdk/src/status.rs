//! What an HTTP status means where the provider's own code is not known.

use std::time::UNIX_EPOCH;

use crate::Refusal;

/// The refusal of a status that is not a success.
///
/// | status | refusal | why |
/// |---|---|---|
/// | 408, 425, 503 | deferred | the server says that it did not do it |
/// | 429 | throttled | |
/// | 401, 402, 403 | account | key, credit or rights |
/// | 405, 407, 411, 426, 501, 505 | account | the request was made wrongly: the next message would fare the same |
/// | 400, 404, 409, 413, 414, 415, 422, other 4xx | content | this message, and perhaps not the next. A 404 may be a wrong URL as well as an unknown number; one message must not take the backend out of service |
/// | 500, 502, 504, other 5xx | unknown | it may have been done before it failed |
/// | 1xx, 3xx | account | nothing at this address takes messages |
///
/// `words` are the provider's, for a person.
pub fn refusal(status: u16, retry_after_ms: Option<u64>, words: &str) -> Refusal {
    let message = if words.is_empty() {
        format!("the provider answered {status}")
    } else {
        format!("the provider answered {status}: {words}")
    };
    let code = status;
    match status {
        408 | 425 | 503 => Refusal::deferred(code, message).after(retry_after_ms),
        429 => Refusal::throttled(code, message).after(retry_after_ms),
        401..=403 | 405 | 407 | 411 | 426 | 501 | 505 => Refusal::account(code, message),
        400..=499 => Refusal::content(code, message),
        500..=599 => Refusal::unknown(code, message),
        _ => Refusal::account(code, message),
    }
}

/// The wait that a `Retry-After` value asks for, in milliseconds: seconds, or a date from which `now_ms` is taken. None
/// where it is neither. A date that has passed is no wait.
pub fn retry_after_ms(value: &str, now_ms: u64) -> Option<u64> {
    let value = value.trim();
    // Some providers send fractions, which the standard does not know.
    if let Ok(seconds) = value.parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0).then_some((seconds * 1000.0) as u64);
    }
    Some(date_ms(value)?.saturating_sub(now_ms))
}

/// A date as HTTP and mail write it (`Sun, 22 Nov 2026 00:01:00 GMT`, or `+0000`), in milliseconds since the Unix epoch.
pub fn date_ms(value: &str) -> Option<u64> {
    let value = value.trim();
    let date = match value.strip_suffix(" +0000") {
        Some(start) => httpdate::parse_http_date(&format!("{start} GMT")),
        None => httpdate::parse_http_date(value),
    };
    u64::try_from(date.ok()?.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// A date as JSON APIs write it (RFC 3339: `2026-11-22T00:01:00.5Z`, or with an offset such as `-05:00`), in milliseconds
/// since the Unix epoch. None where it is none, or lies before 1970.
pub fn instant_ms(value: &str) -> Option<u64> {
    let value = value.trim();
    let (date, rest) = value.split_at_checked(19)?;
    let number = |at: std::ops::Range<usize>| date.get(at)?.parse::<u32>().ok();
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| date.as_bytes()[*at] != *mark) || !b"Tt ".contains(&date.as_bytes()[10])
    {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 {
        return None;
    }
    // Days since 1970 by the calendar that begins in March, so that a leap day is a year's last.
    let (from_march, of_year) = if month > 2 { (month - 3, year) } else { (month + 9, year - 1) };
    let leaps = of_year / 4 - of_year / 100 + of_year / 400;
    let days = i64::from(of_year * 365 + leaps + (153 * from_march + 2) / 5 + day) - 719_469;
    let seconds = days * 86_400 + i64::from(hour * 3600 + minute.min(59) * 60 + second.min(59));
    let digits = rest
        .strip_prefix('.')
        .map_or("", |rest| &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())]);
    let zone = rest.strip_prefix('.').map_or(rest, |rest| &rest[digits.len()..]);
    let milliseconds: i64 = format!("{digits:0<3}").get(..3)?.parse().ok()?;
    u64::try_from((seconds - offset(zone)?) * 1000 + milliseconds).ok()
}

/// The seconds that a zone is ahead: `Z`, `+01:00`, `-0500`.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits.replace(':', "")),
        ("-", digits) => (-1, digits.replace(':', "")),
        _ => return None,
    };
    let (hours, minutes) = digits.split_at_checked(2)?;
    Some(sign * (hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        let table: &[(u16, &str)] = &[
            (302, "rejected-account"),
            (400, "rejected-content"),
            (401, "rejected-account"),
            (402, "rejected-account"),
            (403, "rejected-account"),
            (404, "rejected-content"),
            (405, "rejected-account"),
            (408, "deferred"),
            (409, "rejected-content"),
            (413, "rejected-content"),
            (415, "rejected-content"),
            (422, "rejected-content"),
            (429, "throttled"),
            (500, "unknown"),
            (502, "unknown"),
            (503, "deferred"),
            (504, "unknown"),
            (599, "unknown"),
        ];
        for (status, kind) in table {
            assert_eq!(refusal(*status, None, "").kind(), *kind, "{status}");
        }
    }

    #[test]
    fn waits() {
        // 2026-11-22 00:00:00 UTC
        let now = 1_795_305_600_000;
        let wait = |value| retry_after_ms(value, now);
        assert_eq!(wait("120"), Some(120_000));
        assert_eq!(wait(" 1.5 "), Some(1_500));
        assert_eq!(wait("Sun, 22 Nov 2026 00:01:00 GMT"), Some(60_000));
        assert_eq!(wait("Sat, 21 Nov 2026 00:01:00 GMT"), Some(0));
        assert_eq!(wait("Sun, 22 Nov 2026 00:01:00 +0000"), Some(60_000));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-3"), None);
        assert_eq!(wait("inf"), None);
    }
    #[test]
    fn dates() {
        let table = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-22T00:00:00Z", Some(1_795_305_600_000)),
            ("2026-11-22T00:00:00.123Z", Some(1_795_305_600_123)),
            ("2026-11-22T00:00:00.1234567Z", Some(1_795_305_600_123)),
            ("2026-11-22T00:00:00.5Z", Some(1_795_305_600_500)),
            ("2026-11-21T19:00:00-05:00", Some(1_795_305_600_000)),
            ("2026-11-22 01:00:00+0100", Some(1_795_305_600_000)),
            ("2024-02-29T12:00:00Z", Some(1_709_208_000_000)),
            ("2000-03-01T00:00:00Z", Some(951_868_800_000)),
            ("1969-12-31T23:59:59Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-11-22T00:00:00", None),
            ("2026-11-22T00:00:00ñ", None),
            ("ñ026-11-22T00:00:00Z", None),
            ("", None),
        ];
        for (text, ms) in table {
            assert_eq!(instant_ms(text), ms, "{text}");
        }
    }
}
