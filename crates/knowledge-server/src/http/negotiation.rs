//! What a GraphQL client wants to read.

use axum::http::{HeaderMap, header};

/// A media type that GraphQL is answered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `application/json`: 200 whatever the document was like, as old clients expect.
    Json,
    /// `application/graphql-response+json`: the status says whether the document was valid.
    GraphqlResponse,
    /// `text/event-stream`: one event a result.
    EventStream,
}

/// The formats that a client accepts, the best first; JSON when it does not say, none when it
/// accepts no format that there is.
pub(super) fn accepted(headers: &HeaderMap) -> Vec<Format> {
    let mut ranges: Vec<(f32, &str)> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(range)
        .collect();
    if !headers.contains_key(header::ACCEPT) {
        return vec![Format::Json];
    }
    ranges.sort_by(|left, right| right.0.total_cmp(&left.0));
    let mut formats = Vec::new();
    for format in ranges.into_iter().filter_map(|(_, range)| format(range)) {
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    formats
}

/// A media range with its weight; one of weight 0 is not accepted.
fn range(text: &str) -> Option<(f32, &str)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?;
    let weight = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
        .map_or(1.0, |(_, weight)| weight.trim().parse().unwrap_or(0.0));
    (weight > 0.0).then_some((weight, range))
}

fn format(range: &str) -> Option<Format> {
    match range.to_ascii_lowercase().as_str() {
        "application/graphql-response+json" => Some(Format::GraphqlResponse),
        "application/json" | "application/*" | "*/*" => Some(Format::Json),
        "text/event-stream" | "text/*" => Some(Format::EventStream),
        _ => None,
    }
}

/// Whether the body is `application/json`, its parameters aside.
///
/// A browser sends no other type to another origin without asking, which is what keeps foreign
/// pages from steering batches.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn accept(value: &'static str) -> Vec<Format> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(value));
        accepted(&headers)
    }

    #[test]
    fn the_best_accepted_format_comes_first() {
        use Format::{EventStream, GraphqlResponse, Json};
        assert_eq!(accepted(&HeaderMap::new()), [Json]);
        assert_eq!(accept("*/*"), [Json]);
        assert_eq!(
            accept("application/graphql-response+json; charset=utf-8, application/json; q=0.9"),
            [GraphqlResponse, Json]
        );
        assert_eq!(
            accept("application/json;q=0.1, text/event-stream"),
            [EventStream, Json]
        );
        assert_eq!(accept("application/json;q=0, text/html"), []);
        assert_eq!(accept(",;,q=1"), []);
    }
}
