//! Small forms of text that several modules show or store.

use std::{error::Error, fmt::Write as _};

/// An error with its causes, on one line; what an error repeats of its cause is said once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            let _ = write!(text, ": {said}");
        }
        cause = error.source();
    }
    text
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Layer {
        #[error("it failed")]
        Plain(#[source] io::Error),
        #[error("layer: {0}")]
        Repeats(#[source] io::Error),
    }

    #[test]
    fn a_cause_is_said_once() {
        let why = || io::Error::other("why");
        assert_eq!(chain(&Layer::Plain(why())), "it failed: why");
        assert_eq!(chain(&Layer::Repeats(why())), "layer: why");
    }
}
