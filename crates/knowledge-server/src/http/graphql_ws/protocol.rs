//! The messages and the close codes.

use std::borrow::Cow;

use async_graphql::ServerError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::http::graphql::{Parameters, Rendered};

/// What a client says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ClientMessage {
    ConnectionInit {
        payload: Option<Map<String, Value>>,
    },
    Ping {
        payload: Option<Map<String, Value>>,
    },
    Pong {
        #[serde(rename = "payload")]
        _payload: Option<Map<String, Value>>,
    },
    Subscribe {
        id: String,
        payload: Parameters,
    },
    Complete {
        id: String,
    },
}

/// What the server says.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerMessage<'a> {
    ConnectionAck,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Map<String, Value>>,
    },
    Next {
        id: &'a str,
        payload: Rendered<'a>,
    },
    Error {
        id: &'a str,
        payload: &'a [ServerError],
    },
    Complete {
        id: &'a str,
    },
}

/// Why the server closes a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Close {
    GoingAway,
    InvalidMessage(&'static str),
    Unauthorized,
    Forbidden,
    SubprotocolNotAcceptable,
    InitTimeout,
    SubscriberExists(String),
    TooManyInits,
    Internal,
}

impl Close {
    pub(super) fn code(&self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::InvalidMessage(_) => 4400,
            Self::Unauthorized => 4401,
            Self::Forbidden => 4403,
            Self::SubprotocolNotAcceptable => 4406,
            Self::InitTimeout => 4408,
            Self::SubscriberExists(_) => 4409,
            Self::TooManyInits => 4429,
            Self::Internal => 4500,
        }
    }

    /// The reason in the words of the protocol; a close frame has room for 123 bytes.
    pub(super) fn reason(&self) -> Cow<'static, str> {
        match self {
            Self::GoingAway => "Going away".into(),
            Self::InvalidMessage(what) => (*what).into(),
            Self::Unauthorized => "Unauthorized".into(),
            Self::Forbidden => "Forbidden".into(),
            Self::SubprotocolNotAcceptable => "Subprotocol not acceptable".into(),
            Self::InitTimeout => "Connection initialisation timeout".into(),
            Self::SubscriberExists(id) => {
                let id: String = id.chars().take(20).collect();
                format!("Subscriber for {id} already exists").into()
            }
            Self::TooManyInits => "Too many initialisation requests".into(),
            Self::Internal => "Internal server error".into(),
        }
    }
}

/// Reads a message.
pub(super) fn read(text: &str) -> Result<ClientMessage, Close> {
    match serde_json::from_str(text) {
        Ok(ClientMessage::Subscribe { id, .. } | ClientMessage::Complete { id })
            if id.is_empty() =>
        {
            Err(Close::InvalidMessage("Invalid message: the id is empty"))
        }
        Ok(message) => Ok(message),
        Err(_) => Err(Close::InvalidMessage("Invalid message")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_fit_into_a_close_frame() {
        let reason = Close::SubscriberExists("é".repeat(500))
            .reason()
            .into_owned();
        assert!(reason.len() <= 123, "{reason}");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"type":"hello"}"#,
            r#"{"type":"connection_init","payload":1}"#,
            r#"{"type":"ping","payload":[]}"#,
            r#"{"type":"subscribe"}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{__typename}"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{__typename}"}}"#,
            r#"{"type":"subscribe","id":"1","payload":{}}"#,
        ] {
            assert_eq!(
                read(text).err().map(|close| close.code()),
                Some(4400),
                "{text}"
            );
        }
    }
}
