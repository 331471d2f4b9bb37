//! What a failed response means: the class of failure, and what to do about it.

use std::time::Duration;

use super::{complaint::Complaint, provider::ProviderError};

/// A response that is no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Failure {
    /// The response's status, or the one that it speaks of.
    pub(super) status: u16,
    /// How long it asks to wait.
    pub(super) after: Option<Duration>,
    /// Where it says that the endpoint is.
    pub(super) moved: Option<String>,
    pub(super) complaint: Complaint,
}

impl Failure {
    /// The failure of somebody behind an endpoint that is itself well.
    pub(super) fn passed_on(complaint: Complaint) -> Self {
        let is_status = |status: &u16| (400..600).contains(status);
        let status = complaint.status.filter(is_status);
        let status = status.or_else(|| complaint.code.parse().ok().filter(is_status));
        let named = match complaint.code.as_str() {
            "rate_limit_exceeded" | "rate_limit_error" => 429,
            "invalid_api_key" | "authentication_error" => 401,
            "invalid_request_error" => 400,
            _ => 502,
        };
        Self {
            status: status.unwrap_or(named),
            after: complaint.wait,
            moved: None,
            complaint,
        }
    }

    /// Whether it may be about how the question was put: some servers fail where they should
    /// refuse.
    pub(super) fn may_be_about_how(&self) -> bool {
        let refused = matches!(self.status, 400 | 415 | 422);
        let failed = matches!(self.status, 500 | 501) && !self.complaint.code.is_empty();
        (refused || failed) && !self.complaint.is_overflow() && !self.complaint.is_refusal()
    }

    /// The class of failure.
    pub(super) fn error(self) -> ProviderError {
        let said = self.said();
        let Self {
            after, complaint, ..
        } = &self;
        let after = *after;
        match self.status {
            400 | 402 | 403 | 429 if complaint.is_no_credit() => no_credit(&said),
            402 => no_credit(&said),
            400 | 403 | 422 | 451 if complaint.is_refusal() => ProviderError::Refused {
                reason: said,
                reported: super::usage::Reported::default(),
            },
            401 | 403 => ProviderError::Authentication {
                message: format!("{said}; set OPENAI_API_KEY to a key that may use the model"),
            },
            // To wait does not make the text shorter.
            429 if complaint.is_overflow() => ProviderError::ContextOverflow,
            429 => ProviderError::RateLimited { after },
            // Sent with a time by providers that are overloaded for a moment.
            503 if after.is_some() => ProviderError::RateLimited { after },
            413 => ProviderError::ContextOverflow,
            400..=599 if complaint.is_overflow() => ProviderError::ContextOverflow,
            408 | 409 | 425 | 500..=599 => ProviderError::Failed { message: said },
            300..=399 | 404 | 405 => unknown(&said),
            400 | 422 if complaint.is_unknown_model() => unknown(&said),
            _ => ProviderError::Rejected { message: said },
        }
    }

    /// The status, and the endpoint's words or where it is.
    fn said(&self) -> String {
        let status = reqwest::StatusCode::from_u16(self.status);
        let status = status.map_or_else(|_| self.status.to_string(), |status| status.to_string());
        let words = self.complaint.shown();
        match &self.moved {
            Some(place) => format!("{status}: it is at {place} now"),
            None if words.is_empty() || status.ends_with(&words) => status,
            // A page's title is its status once more.
            None if words.starts_with(&self.status.to_string()) => words,
            None => format!("{status}: {words}"),
        }
    }
}

fn unknown(said: &str) -> ProviderError {
    ProviderError::Unknown {
        message: format!(
            "{said}; check OPENAI_BASE_URL, which mostly ends in /v1, and KNOWLEDGE_LLM_MODEL"
        ),
    }
}

fn no_credit(said: &str) -> ProviderError {
    ProviderError::Authentication {
        message: format!("{said}; the account of OPENAI_API_KEY has no credit left"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failure(status: u16, code: &str, message: &str) -> Failure {
        let body = json!({ "error": { "code": code, "message": message } });
        Failure {
            status,
            complaint: Complaint::read(body.to_string().as_bytes(), None),
            ..Failure::default()
        }
    }

    /// The class of a failure, by its name.
    fn class(failure: Failure) -> String {
        let shown = format!("{:?}", failure.error());
        let end = shown.find([' ', '{']).unwrap_or(shown.len());
        shown[..end].to_owned()
    }

    #[test]
    fn each_failure_has_its_class() {
        for (status, code, message, expected) in [
            (401, "", "no", "Authentication"),
            (403, "", "no", "Authentication"),
            (403, "", "your input was flagged for violence", "Refused"),
            (402, "", "pay", "Authentication"),
            (429, "insufficient_quota", "pay", "Authentication"),
            (400, "", "Your credit balance is too low", "Authentication"),
            (429, "rate_limit_exceeded", "slower", "RateLimited"),
            (
                429,
                "rate_limit_exceeded",
                "Request too large for x",
                "ContextOverflow",
            ),
            (
                429,
                "ThrottlingException",
                "Too many tokens, please wait before trying again.",
                "RateLimited",
            ),
            (413, "", "Request Entity Too Large", "ContextOverflow"),
            (400, "context_length_exceeded", "long", "ContextOverflow"),
            (
                500,
                "internal",
                "Requested tokens exceed context window of 2",
                "ContextOverflow",
            ),
            (400, "content_filter", "filtered", "Refused"),
            (404, "", "model not found", "Unknown"),
            (405, "", "Method Not Allowed", "Unknown"),
            (301, "", "", "Unknown"),
            (400, "", "foo/bar is not a valid model ID", "Unknown"),
            (400, "", "messages must alternate", "Rejected"),
            (500, "", "boom", "Failed"),
            (503, "", "busy", "Failed"),
            (529, "overloaded_error", "Overloaded", "Failed"),
            (408, "", "late", "Failed"),
        ] {
            let failure = failure(status, code, message);
            assert_eq!(class(failure), expected, "{status} {code} {message}");
        }
        let busy = Failure {
            after: Some(Duration::from_secs(1)),
            ..failure(503, "", "busy")
        };
        assert_eq!(class(busy), "RateLimited");
    }

    #[test]
    fn what_a_router_passes_on_counts_as_what_it_is() {
        let of =
            |error: serde_json::Value| class(Failure::passed_on(Complaint::within(&error, None)));
        assert_eq!(of(json!({ "code": 502, "message": "m" })), "Failed");
        assert_eq!(
            of(json!({ "code": "401", "message": "m" })),
            "Authentication"
        );
        assert_eq!(
            of(json!({ "code": "rate_limit_exceeded", "message": "m" })),
            "RateLimited"
        );
        assert_eq!(of(json!({ "code": 7, "message": "m" })), "Failed");
        assert_eq!(of(json!("m")), "Failed");
    }

    #[test]
    fn a_failure_says_its_status_once() {
        let page = |title: &str| Failure {
            status: 502,
            complaint: Complaint::read(format!("<html><title>{title}</title>").as_bytes(), None),
            ..Failure::default()
        };
        assert_eq!(page("502 Bad Gateway").said(), "502 Bad Gateway");
        assert_eq!(page("Bad Gateway").said(), "502 Bad Gateway");
        assert_eq!(page("502 upstream").said(), "502 upstream");
        assert_eq!(page("gone").said(), "502 Bad Gateway: gone");
        let moved = Failure {
            status: 301,
            moved: Some("https://api.example.com/v1".to_owned()),
            ..Failure::default()
        };
        assert_eq!(
            moved.said(),
            "301 Moved Permanently: it is at https://api.example.com/v1 now"
        );
    }

    #[test]
    fn a_server_that_fails_where_it_should_refuse_is_asked_differently() {
        let form = "response_format type must be text";
        assert!(failure(400, "", form).may_be_about_how());
        assert!(failure(500, "server_error", form).may_be_about_how());
        assert!(
            !failure(500, "", "boom").may_be_about_how(),
            "a page, or nothing"
        );
        assert!(!failure(404, "", form).may_be_about_how());
        assert!(!failure(400, "", "maximum context length is 5").may_be_about_how());
    }
}
