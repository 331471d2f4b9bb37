//! What a document is like, told before it is parsed: the parser recurses, and errors are worded
//! by comparing names.

/// What strings and comments hold does not count.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    /// The deepest nesting of brackets.
    pub(super) nesting: usize,
    /// The longest name or number, in bytes.
    pub(super) name: usize,
}

impl Form {
    pub(super) fn of(query: &str) -> Self {
        let mut form = Self::default();
        let (mut depth, mut name) = (0_usize, 0_usize);
        let mut rest = query.as_bytes();
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            name = match byte {
                b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => name + 1,
                _ => 0,
            };
            match byte {
                b'{' | b'[' | b'(' => depth += 1,
                b'}' | b']' | b')' => depth = depth.saturating_sub(1),
                b'#' => rest = after_line(tail),
                b'"' => rest = after_string(tail),
                _ => {}
            }
            form.nesting = form.nesting.max(depth);
            form.name = form.name.max(name);
        }
        form
    }
}

fn after_line(rest: &[u8]) -> &[u8] {
    let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    end.map_or(&[], |end| &rest[end..])
}

/// What follows a string whose opening quote has been read.
fn after_string(rest: &[u8]) -> &[u8] {
    if let Some(block) = rest.strip_prefix(br#""""#) {
        return after_block(block);
    }
    let mut escaped = false;
    for (index, byte) in rest.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' | b'\n' => return &rest[index + 1..],
            _ => {}
        }
    }
    &[]
}

/// What follows a block string whose opening quotes have been read.
fn after_block(mut rest: &[u8]) -> &[u8] {
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix(br#"\""""#) {
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix(br#"""""#) {
            return tail;
        } else {
            rest = &rest[1..];
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let nesting = |query| Form::of(query).nesting;
        assert_eq!(nesting("{ a(x: [1]) { b } }"), 3);
        assert_eq!(nesting(r#"{ a(x: "{{{\"{{") }"#), 2);
        assert_eq!(nesting("{ a # {{{\n }"), 1);
        assert_eq!(nesting(r#"{ a(x: """{{ \""" {{""") }"#), 2);
        assert_eq!(nesting("\"\"\""), 0);
    }

    #[test]
    fn names_are_as_long_as_they_are_outside_of_strings_and_comments() {
        let name = |query: &str| Form::of(query).name;
        assert_eq!(name("{ ab(x: \"abcdef\") # abcdef\n c_2 }"), 3);
        assert_eq!(name("{}"), 0);
    }
}
