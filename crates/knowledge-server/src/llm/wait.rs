//! How long a provider asks to wait, in all the places where providers say so.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};
use serde_json::Value;

/// Nobody waits for longer than a day before it asks again.
const LONGEST: Duration = Duration::from_hours(24);

/// What the headers of a failed response say.
pub(super) struct Waits {
    /// How long it asks to wait.
    pub(super) asked: Option<Duration>,
    /// When the limits are filled again, where it is them that failed it: they are sent with
    /// everything, and of an outage they say nothing.
    pub(super) limits: Option<Duration>,
}

/// Reads the headers of a failed response.
pub(super) fn of_headers(status: StatusCode, headers: &HeaderMap, now: DateTime<Utc>) -> Waits {
    let is_limited = status == StatusCode::TOO_MANY_REQUESTS;
    Waits {
        asked: asked(headers, now),
        limits: is_limited.then(|| of_limits(headers)).flatten(),
    }
}

/// `Retry-After` in either of its forms, OpenAI's finer one.
fn asked(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let header = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = header("retry-after-ms").and_then(|text| seconds(text, 0.001));
    millis.or_else(|| {
        let text = header(RETRY_AFTER.as_str())?;
        seconds(text, 1.0).or_else(|| until(text, now))
    })
}

/// When the limits that are spent are filled again, as headers say; of limits none of which is said
/// to be spent, the first that is filled again.
fn of_limits(headers: &HeaderMap) -> Option<Duration> {
    let header = |name: String| headers.get(name)?.to_str().ok().map(str::trim);
    let limits: Vec<(bool, Duration)> = ["-requests", "-tokens", ""]
        .into_iter()
        .filter_map(|of| {
            let reset = span(header(format!("x-ratelimit-reset{of}"))?)?;
            let is_spent = header(format!("x-ratelimit-remaining{of}")) == Some("0");
            Some((is_spent, reset))
        })
        .collect();
    let spent = limits.iter().filter(|(is_spent, _)| *is_spent);
    let all = limits.iter().map(|(_, reset)| *reset);
    spent.map(|(_, reset)| *reset).max().or_else(|| all.min())
}

/// What Google's `details` say: `{"retryDelay": "34s"}`.
pub(super) fn of_details(details: &Value) -> Option<Duration> {
    let details = details.as_array()?.iter();
    let mut delays = details.filter_map(|detail| detail.get("retryDelay")?.as_str());
    delays.find_map(span)
}

/// What the words of a complaint say: `Please try again in 6m1.5s.`
pub(super) fn of_words(words: &str) -> Option<Duration> {
    let (_, rest) = words.split_once("try again in ")?;
    let end = rest.find(|char: char| !char.is_ascii_alphanumeric() && char != '.');
    span(rest[..end.unwrap_or(rest.len())].trim_end_matches('.'))
}

/// A number of units of so many seconds; none where it is no length of time.
fn seconds(text: &str, unit: f64) -> Option<Duration> {
    let seconds = text.parse::<f64>().ok()? * unit;
    if seconds.is_nan() || seconds <= 0.0 {
        return None;
    }
    Some(
        Duration::try_from_secs_f64(seconds)
            .unwrap_or(LONGEST)
            .min(LONGEST),
    )
}

/// The time until a moment that is to come.
fn until(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    let wait = (date.to_utc() - now).to_std().ok()?;
    (!wait.is_zero()).then(|| wait.min(LONGEST))
}

/// `1m30.5s`, `20ms`, `7.66s`; a number alone are seconds.
fn span(text: &str) -> Option<Duration> {
    if let Some(seconds) = seconds(text, 1.0) {
        // Some say the moment instead, counted from 1970.
        return (seconds < LONGEST).then_some(seconds);
    }
    let mut rest = text;
    let mut whole = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|char: char| !char.is_ascii_alphabetic());
        let (unit, tail) = tail.split_at(letters.unwrap_or(tail.len()));
        let unit = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        whole = whole.saturating_add(seconds(number, unit).unwrap_or_default());
        rest = tail;
    }
    (!whole.is_zero()).then(|| whole.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = reqwest::header::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        });
        pairs.collect()
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_nonsense() {
        let now = DateTime::from_timestamp(1_000_000_000, 0).unwrap();
        let after = |text: &str| {
            let wait = asked(&headers(&[("retry-after", text)]), now);
            wait.map(|wait| wait.as_secs_f64())
        };
        for (text, expected) in [
            ("2", Some(2.0)),
            (" 0.5 ", Some(0.5)),
            ("Sun, 09 Sep 2001 01:46:50 GMT", Some(10.0)),
            ("Sun, 09 Sep 2001 01:46:30 GMT", None),
            ("09 Sep 2301 01:46:30 GMT", Some(86_400.0)),
            ("100000000000000", Some(86_400.0)),
            ("18446744073709551615", Some(86_400.0)),
            ("1e300", Some(86_400.0)),
            ("inf", Some(86_400.0)),
            ("-5", None),
            ("0", None),
            ("NaN", None),
            ("soon", None),
        ] {
            assert_eq!(after(text), expected, "{text}");
        }
        let both = [("retry-after", "2"), ("retry-after-ms", "1234.5")];
        assert_eq!(
            asked(&headers(&both), now),
            Some(Duration::from_micros(1_234_500))
        );
    }

    #[test]
    fn the_limit_that_is_spent_counts() {
        let of = |pairs: &[(&'static str, &str)]| {
            of_limits(&headers(pairs)).map(|wait| wait.as_secs_f64())
        };
        let (requests, tokens) = (
            ("x-ratelimit-reset-requests", "1m0s"),
            ("x-ratelimit-reset-tokens", "1.5s"),
        );
        assert_eq!(
            of(&[requests, tokens, ("x-ratelimit-remaining-tokens", "0")]),
            Some(1.5)
        );
        assert_eq!(
            of(&[requests, tokens, ("x-ratelimit-remaining-requests", "0")]),
            Some(60.0)
        );
        assert_eq!(of(&[requests, tokens]), Some(1.5));
        assert_eq!(of(&[("x-ratelimit-reset", "30")]), Some(30.0));
        assert_eq!(
            of(&[("x-ratelimit-reset", "1790000000000")]),
            None,
            "a moment"
        );
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn an_outage_is_none_of_the_limits() {
        let now = DateTime::from_timestamp(1_000_000_000, 0).unwrap();
        let sent = headers(&[("x-ratelimit-reset-tokens", "1.5s")]);
        let limits = |status| of_headers(status, &sent, now).limits;
        let limited = limits(StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(limited, Some(Duration::from_millis(1_500)));
        assert_eq!(limits(StatusCode::SERVICE_UNAVAILABLE), None);
    }

    #[test]
    fn words_and_details_say_it_too() {
        let words = |text: &str| of_words(text).map(|wait| wait.as_secs_f64());
        assert_eq!(
            words("Limit 30000. Please try again in 6m1.5s. Visit"),
            Some(361.5)
        );
        assert_eq!(words("please try again in 20ms."), Some(0.02));
        assert_eq!(words("Please try again in a moment"), None);
        assert_eq!(words("Please retry"), None);
        let details = serde_json::json!([{ "@type": "Help" }, { "retryDelay": "34s" }]);
        assert_eq!(of_details(&details), Some(Duration::from_secs(34)));
    }
}
