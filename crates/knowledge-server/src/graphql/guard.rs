//! What is checked of a request before the schema sees it.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Name, Positioned, Request, Response, ServerError,
    parser::types::{
        DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection,
        SelectionSet,
    },
};

use super::{form::Form, shape::Shapes};

/// Brackets within brackets; the parser recurses on them, and its stack is finite.
const MAX_NESTING: usize = 64;

/// Bytes of one name; a name that the schema does not have is compared with all that it has.
const MAX_NAME: usize = 1_000;

/// Aliases of one document; without a limit one request could ask the same thing endlessly.
const MAX_ALIASES: usize = 256;

/// Fields of one document with its fragments spread out; each fragment that spreads another twice
/// doubles them, so a short document could be endless.
const MAX_FIELDS: usize = 20_000;

/// The kind of the operation that a request runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Reads.
    Query,
    /// Changes.
    Mutation,
    /// Watches.
    Subscription,
}

/// A request that was parsed and may be run.
#[derive(Debug)]
pub struct Prepared {
    request: Request,
    document: Arc<Document>,
}

/// A parsed document with what a request chose of it.
#[derive(Debug)]
pub(super) struct Document {
    parsed: ExecutableDocument,
    operation_name: Option<String>,
    operation: Operation,
}

impl Prepared {
    /// What it would run.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.document.operation
    }

    pub(super) fn document(&self) -> Arc<Document> {
        Arc::clone(&self.document)
    }

    pub(super) fn into_request(self) -> Request {
        self.request
    }
}

impl Document {
    /// Puts a response into the shape that the document asks for.
    pub(super) fn restore(&self, shapes: &Shapes, response: &mut Response) {
        let root = match self.operation {
            Operation::Query => "Query",
            Operation::Mutation => "Mutation",
            Operation::Subscription => "Subscription",
        };
        if let Ok(chosen) = chosen(&self.parsed, self.operation_name.as_deref()) {
            let set = &chosen.selection_set.node;
            shapes.restore(&self.parsed, set, root, response);
        }
    }
}

/// Parses the document of a request and says what it would run.
///
/// # Errors
/// The document does not parse, asks for too much by its form alone, or does not say which of its
/// operations to run.
pub fn prepare(mut request: Request) -> Result<Prepared, ServerError> {
    let form = Form::of(&request.query);
    if form.nesting > MAX_NESTING {
        return Err(refused("the document is nested too deeply"));
    }
    if form.name > MAX_NAME {
        return Err(refused(
            "the document has a name or a number that is too long",
        ));
    }
    let document = request.parsed_query()?.clone();
    if aliases(&document) > MAX_ALIASES {
        return Err(refused("the document has too many aliases"));
    }
    if Spreads::new(&document).fields() > MAX_FIELDS {
        return Err(refused("the document asks for too much, or for itself"));
    }
    let operation = match chosen(&document, request.operation_name.as_deref())?.ty {
        OperationType::Query => Operation::Query,
        OperationType::Mutation => Operation::Mutation,
        OperationType::Subscription => Operation::Subscription,
    };
    let document = Arc::new(Document {
        parsed: document,
        operation_name: request.operation_name.clone(),
        operation,
    });
    Ok(Prepared { request, document })
}

fn refused(message: &str) -> ServerError {
    ServerError::new(message, None)
}

/// The operation that a request runs.
fn chosen<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, ServerError> {
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
    chosen
        .map(|operation| &operation.node)
        .ok_or_else(|| refused("the document has no operation of that name"))
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

/// Counts the fields of a document with its fragments spread out.
struct Spreads<'a> {
    document: &'a ExecutableDocument,
    /// The fields of fragments that were counted; none while a fragment is being counted.
    known: HashMap<&'a Name, Option<usize>>,
}

impl<'a> Spreads<'a> {
    fn new(document: &'a ExecutableDocument) -> Self {
        Self {
            document,
            known: HashMap::new(),
        }
    }

    /// The most that any of its operations asks for; without end when a fragment spreads itself.
    fn fields(mut self) -> usize {
        let document = self.document;
        let operations = document.operations.iter();
        operations
            .map(|(_, operation)| self.of(&operation.node.selection_set.node))
            .max()
            .unwrap_or(0)
    }

    fn of(&mut self, set: &'a SelectionSet) -> usize {
        set.items.iter().fold(0, |sum, item| {
            sum.saturating_add(match &item.node {
                Selection::Field(field) => {
                    self.of(&field.node.selection_set.node).saturating_add(1)
                }
                Selection::InlineFragment(fragment) => self.of(&fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => self.spread(&spread.node.fragment_name.node),
            })
        })
    }

    fn spread(&mut self, name: &'a Name) -> usize {
        if let Some(known) = self.known.get(name) {
            return known.unwrap_or(usize::MAX);
        }
        // The schema refuses a fragment that is not there.
        let Some(fragment) = self.document.fragments.get(name) else {
            return 0;
        };
        self.known.insert(name, None);
        let fields = self.of(&fragment.node.selection_set.node);
        self.known.insert(name, Some(fields));
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bottomless_document_is_refused_not_parsed() {
        for bracket in ["{a", "{a(b:[", "["] {
            let error = prepare(Request::new(bracket.repeat(200_000))).unwrap_err();
            assert!(error.message.contains("deeply"), "{}", error.message);
        }
    }

    #[test]
    fn a_name_without_an_end_is_refused() {
        let error = prepare(Request::new(format!("{{ {} }}", "x".repeat(2_000)))).unwrap_err();
        assert!(error.message.contains("too long"), "{}", error.message);
        let text = format!("{{ a(x: \"{}\") }}", "x".repeat(2_000));
        assert!(prepare(Request::new(text)).is_ok());
    }

    #[test]
    fn a_flood_of_aliases_is_refused() {
        let fields: Vec<_> = (0..300).map(|n| format!("a{n}: __typename")).collect();
        let flood = format!("{{ {} }}", fields.join(" "));
        assert!(prepare(Request::new(flood)).is_err());
    }

    #[test]
    fn fragments_that_multiply_or_spread_themselves_are_refused() {
        let bomb: Vec<_> = (0..30)
            .map(|n| format!("fragment F{n} on Query {{ ...F{0} ...F{0} }}", n + 1))
            .collect();
        let last = "fragment F30 on Query { __typename }";
        let bomb = format!("{{ ...F0 }} {} {last}", bomb.join(" "));
        assert!(prepare(Request::new(bomb)).is_err());
        let cycle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }";
        assert!(prepare(Request::new(cycle)).is_err());
        let fair = "{ ...A ...A } fragment A on Query { __typename }";
        assert!(prepare(Request::new(fair)).is_ok());
    }

    #[test]
    fn the_named_operation_decides() {
        let document = "query A { __typename } mutation B { __typename }";
        let request = Request::new(document).operation_name("B");
        assert_eq!(prepare(request).unwrap().operation(), Operation::Mutation);
        assert!(prepare(Request::new(document)).is_err());
        assert!(prepare(Request::new(document).operation_name("C")).is_err());
    }
}
