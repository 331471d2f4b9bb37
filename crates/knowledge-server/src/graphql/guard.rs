//! What is checked of a request before the schema sees it.

use async_graphql::{
    Positioned, Request, ServerError,
    parser::types::{
        DocumentOperations, ExecutableDocument, OperationType, Selection, SelectionSet,
    },
};

/// Brackets within brackets; the parser recurses on them, and its stack is finite.
const MAX_NESTING: usize = 64;

/// Aliases of one document; without a limit one request could ask the same thing endlessly.
const MAX_ALIASES: usize = 256;

/// The kind of the operation that a request runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Query,
    Mutation,
    Subscription,
}

/// Parses the document of a request and says what it would run.
pub(crate) fn prepare(mut request: Request) -> Result<(Request, Operation), ServerError> {
    if nesting(&request.query) > MAX_NESTING {
        return Err(refused("the document is nested too deeply"));
    }
    let name = request.operation_name.clone();
    let document = request.parsed_query()?;
    if aliases(document) > MAX_ALIASES {
        return Err(refused("the document has too many aliases"));
    }
    let operation = operation(document, name.as_deref())?;
    Ok((request, operation))
}

fn refused(message: &str) -> ServerError {
    ServerError::new(message, None)
}

fn operation(document: &ExecutableDocument, name: Option<&str>) -> Result<Operation, ServerError> {
    let chosen = match (&document.operations, name) {
        // The schema refuses a name that a single anonymous operation does not have.
        (DocumentOperations::Single(operation), _) => Some(operation),
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name),
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.values().next()
        }
        (DocumentOperations::Multiple(_), None) => {
            return Err(refused(
                "the document has several operations; name one in `operationName`",
            ));
        }
    };
    let Some(operation) = chosen else {
        return Err(refused("the document has no operation of that name"));
    };
    Ok(match operation.node.ty {
        OperationType::Query => Operation::Query,
        OperationType::Mutation => Operation::Mutation,
        OperationType::Subscription => Operation::Subscription,
    })
}

fn aliases(document: &ExecutableDocument) -> usize {
    let operations = document
        .operations
        .iter()
        .map(|(_, operation)| &operation.node.selection_set);
    let fragments = document
        .fragments
        .values()
        .map(|fragment| &fragment.node.selection_set);
    operations.chain(fragments).map(aliases_in).sum()
}

fn aliases_in(set: &Positioned<SelectionSet>) -> usize {
    let count = |item: &Positioned<Selection>| match &item.node {
        Selection::Field(field) => {
            usize::from(field.node.alias.is_some()) + aliases_in(&field.node.selection_set)
        }
        Selection::InlineFragment(fragment) => aliases_in(&fragment.node.selection_set),
        Selection::FragmentSpread(_) => 0,
    };
    set.node.items.iter().map(count).sum()
}

/// The deepest nesting of brackets outside strings and comments.
fn nesting(query: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let mut rest = query.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            b'#' => rest = after_line(tail),
            b'"' => rest = after_string(tail),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
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
        assert_eq!(nesting("{ a(x: [1]) { b } }"), 3);
        assert_eq!(nesting(r#"{ a(x: "{{{\"{{") }"#), 2);
        assert_eq!(nesting("{ a # {{{\n }"), 1);
        assert_eq!(nesting(r#"{ a(x: """{{ \""" {{""") }"#), 2);
        assert_eq!(nesting("\"\"\""), 0);
    }

    #[test]
    fn a_bottomless_document_is_refused_not_parsed() {
        for bracket in ["{a", "{a(b:[", "["] {
            let error = prepare(Request::new(bracket.repeat(200_000))).unwrap_err();
            assert!(error.message.contains("deeply"), "{}", error.message);
        }
    }

    #[test]
    fn a_flood_of_aliases_is_refused() {
        let fields: Vec<_> = (0..300).map(|n| format!("a{n}: __typename")).collect();
        let flood = format!("{{ {} }}", fields.join(" "));
        assert!(prepare(Request::new(flood)).is_err());
    }

    #[test]
    fn the_named_operation_decides() {
        let document = "query A { __typename } mutation B { __typename }";
        let request = Request::new(document).operation_name("B");
        assert_eq!(prepare(request).unwrap().1, Operation::Mutation);
        assert!(prepare(Request::new(document)).is_err());
        assert!(prepare(Request::new(document).operation_name("C")).is_err());
    }
}
