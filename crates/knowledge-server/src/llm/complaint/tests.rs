use serde_json::json;

use super::*;

fn read(body: &Value) -> Complaint {
    Complaint::read(body.to_string().as_bytes(), None)
}

fn of(message: &str) -> Complaint {
    read(&json!({ "error": { "message": message } }))
}

#[test]
fn a_text_that_is_too_long_is_known_in_the_words_of_many() {
    for message in [
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
        "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
        "Requested tokens (5000) exceed context window of 2048",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048.",
        "Input is too long for requested model.",
        "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        "Range of input length should be [1, 30720]",
        "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000.",
        "Invalid request: Your request exceeded model token limit: 8192",
    ] {
        let complaint = of(message);
        assert!(complaint.is_overflow(), "{message}");
        assert!(
            !complaint.is_refusal() && !complaint.is_unknown_model(),
            "{message}"
        );
    }
    for message in [
        "Rate limit reached on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000.",
        "Too many tokens, please wait before trying again.",
        "You have exceeded your daily token limit.",
        "The token limit per minute of your plan is reached",
    ] {
        assert!(!of(message).is_overflow(), "{message}");
    }
}

#[test]
fn a_refusal_and_a_model_that_is_not_there_are_known() {
    let filtered = json!({ "error": { "code": "content_filter", "message": "filtered" } });
    assert!(read(&filtered).is_refusal());
    for message in [
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "Content Exists Risk",
        "Your chosen model requires moderation and your input was flagged for \"violence\"",
    ] {
        assert!(of(message).is_refusal(), "{message}");
    }
    for message in [
        "The model `x` does not exist or you do not have access to it.",
        "foo/bar is not a valid model ID",
        "Invalid model: x",
    ] {
        assert!(of(message).is_unknown_model(), "{message}");
        assert!(!of(message).is_refusal(), "{message}");
    }
    assert!(!of("the parameter does not exist").is_unknown_model());
}

#[test]
fn every_vendor_puts_its_words_elsewhere() {
    for (body, code, message) in [
        (
            json!({ "error": { "message": "m", "code": "c", "type": "t" } }),
            "c",
            "m",
        ),
        (
            json!({ "error": { "message": "m", "code": null, "type": "t" } }),
            "t",
            "m",
        ),
        (
            json!([{ "error": { "code": 400, "message": "m", "status": "INVALID_ARGUMENT" } }]),
            "INVALID_ARGUMENT",
            "m",
        ),
        (
            json!({ "object": "error", "message": "m", "type": "BadRequestError", "code": 400 }),
            "BadRequestError",
            "m",
        ),
        (
            json!({ "error": "m", "error_type": "validation" }),
            "validation",
            "m",
        ),
        (json!({ "error": "m", "code": "c" }), "c", "m"),
        (json!({ "detail": "m" }), "", "m"),
        (
            json!({ "detail": [{ "loc": ["body", "response_format", 0], "msg": "m", "input": "a text" }] }),
            "",
            "body.response_format: m",
        ),
        (
            json!({ "error": { "message": "m", "metadata": { "raw": "r" } } }),
            "",
            "m: r",
        ),
        (
            json!({ "message": "[{'msg': 'm', 'input': {'content': 'a text'}}]" }),
            "",
            "[{'msg': 'm', ",
        ),
        (json!([]), "", ""),
        (json!(7), "", ""),
    ] {
        let complaint = read(&body);
        assert_eq!(
            (complaint.code.as_str(), complaint.message.as_str()),
            (code, message),
            "{body}"
        );
    }
    assert_eq!(
        read(&json!({ "error": { "code": 502, "message": "m" } })).status,
        Some(502)
    );
}

#[test]
fn of_a_page_the_title_is_shown() {
    let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body></html>";
    assert_eq!(
        Complaint::read(page.as_bytes(), None).shown(),
        "502 Bad Gateway"
    );
    assert_eq!(Complaint::read(b"<html><body>", None).shown(), "");
    assert_eq!(
        Complaint::read(b"upstream\n\nfailed", None).shown(),
        "upstream failed"
    );
    assert_eq!(
        Complaint::read(b"\xff\xfe", None).shown(),
        "\u{fffd}\u{fffd}"
    );
}

#[test]
fn no_key_is_repeated() {
    let key = Secret::new("sk-a-key-of-mine");
    let body = json!({ "error": { "message": "Received API Key = sk-a-key-of-mine, hash 1", "code": "sk-a-key-of-mine" } });
    let complaint = Complaint::read(body.to_string().as_bytes(), Some(&key));
    assert!(
        !format!("{complaint:?}").contains("sk-a-key"),
        "{complaint:?}"
    );
    assert!(complaint.shown().contains("Received API Key = ***, hash"));
}

#[test]
fn a_limit_that_is_too_large_names_the_one_that_is_not() {
    for (message, sent, limit) in [
        (
            "max_tokens is too large: 5000. This model supports at most 4096 completion tokens, whereas you provided 5000.",
            5_000,
            Some(4_096),
        ),
        (
            "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
            16_384,
            Some(8_192),
        ),
        (
            "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for model-3-5",
            100_000,
            Some(8_192),
        ),
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            4_096,
            None,
        ),
        ("temperature must be at most 100", 4_096, None),
    ] {
        assert_eq!(of(message).limit_below(sent), limit, "{message}");
    }
}
