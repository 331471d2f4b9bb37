//! Server-sent events as they arrive.

/// One event.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// The `id`, where the event has one.
    pub(super) id: Option<String>,
    /// The `data`, its lines joined.
    pub(super) data: String,
}

/// Takes bytes as they come and gives events as they are complete.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// Bytes of a line that is not complete.
    line: Vec<u8>,
    message: Message,
    has_data: bool,
}

impl Parser {
    /// The events that these bytes complete. An event that is cut off is never given.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Message> {
        let mut complete = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                complete.extend(self.line(&String::from_utf8_lossy(&line)));
            } else {
                self.line.push(*byte);
            }
        }
        complete
    }

    fn line(&mut self, line: &str) -> Option<Message> {
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            return std::mem::take(&mut self.has_data).then_some(message);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.message.id = Some(value.to_owned()),
            "data" => {
                if self.has_data {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(value);
                self.has_data = true;
            }
            // Comments, and what this client does not need.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_whole_however_they_arrive() {
        let text = "retry: 2000\n\n: heartbeat\n\nid: 7\nevent: X\ndata: {\"é\":1}\n\n\
                    data:a\r\ndata: b\r\n\r\nid: 9\ndata: cut";
        let expected = [
            Message {
                id: Some("7".to_owned()),
                data: "{\"é\":1}".to_owned(),
            },
            Message {
                id: None,
                data: "a\nb".to_owned(),
            },
        ];
        for size in [1, 2, 3, 7, 1000] {
            let mut parser = Parser::default();
            let pieces = text.as_bytes().chunks(size);
            let found: Vec<_> = pieces.flat_map(|piece| parser.push(piece)).collect();
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }
}
