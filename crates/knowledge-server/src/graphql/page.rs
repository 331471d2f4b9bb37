//! Connections: arguments, cursors and the objects around nodes.

use async_graphql::{Result, SimpleObject};
use knowledge_domain::ids::{BatchId, EntityId, OntologyId, QuestionId};
use uuid::Uuid;

use super::{
    batch::Batch, document::BatchDocument, duplicates::PossibleDuplicate, entity::Entity,
    error::bad_input, ontology::Ontology, parity::ParityCheck, relation::Relation,
};
use crate::store::read::{Page, PageRequest, RelationPlace};

const DEFAULT_FIRST: i32 = 50;
const MAX_FIRST: i32 = 500;

/// What a cursor points behind, by the connection that it belongs to.
///
/// Clients see `entity:0a1b…`; a cursor of one connection is refused by another.
pub(super) trait Key: Sized {
    const KIND: &'static str;

    fn write(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

macro_rules! uuid_key {
    ($id:ident, $kind:literal) => {
        impl Key for $id {
            const KIND: &'static str = $kind;

            fn write(&self) -> String {
                self.uuid().simple().to_string()
            }

            fn read(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(Self::from_uuid)
            }
        }
    };
}

uuid_key!(BatchId, "batch");
uuid_key!(EntityId, "entity");
uuid_key!(OntologyId, "ontology");
uuid_key!(QuestionId, "question");

/// A document's position.
impl Key for u32 {
    const KIND: &'static str = "document";

    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        // A column of 32 bits with a sign holds the position.
        text.parse().ok().filter(|key| i32::try_from(*key).is_ok())
    }
}

/// Where a batch first states the relation.
impl Key for RelationPlace {
    const KIND: &'static str = "relation";

    fn write(&self) -> String {
        format!("{}.{}", self.document, self.statement)
    }

    fn read(text: &str) -> Option<Self> {
        let (document, statement) = text.split_once('.')?;
        Some(Self {
            document: u32::read(document)?,
            statement: u32::read(statement)?,
        })
    }
}

/// The cursor of a row.
pub(super) fn cursor<K: Key>(key: &K) -> String {
    format!("{}:{}", K::KIND, key.write())
}

fn key<K: Key>(cursor: &str) -> Option<K> {
    let (kind, key) = cursor.split_once(':')?;
    (kind == K::KIND).then(|| K::read(key)).flatten()
}

/// Checks the arguments of a connection.
pub(super) fn request<K: Key>(first: Option<i32>, after: Option<&str>) -> Result<PageRequest<K>> {
    let first = first.unwrap_or(DEFAULT_FIRST);
    let wanted = u64::try_from(first).ok().filter(|_| first <= MAX_FIRST);
    let Some(wanted) = wanted else {
        return Err(bad_input(format!(
            "`first` is {first}, but must be between 0 and {MAX_FIRST}"
        )));
    };
    let after = after
        .map(|after| {
            key(after).ok_or_else(|| {
                bad_input(
                    "`after` is no cursor of this connection; take one from `pageInfo.endCursor`",
                )
            })
        })
        .transpose()?;
    Ok(PageRequest {
        after,
        first: wanted,
    })
}

/// Checks a text to look for: PostgreSQL has no texts with a NUL, so none can be found.
pub(super) fn wanted_text(name: &str, value: Option<String>) -> Result<Option<String>> {
    match value {
        Some(text) if text.contains('\0') => Err(bad_input(format!(
            "`{name}` has a NUL character, which no text has"
        ))),
        value => Ok(value),
    }
}

/// What a connection counts towards a request's complexity.
pub(super) fn cost(first: Option<i32>, child: usize) -> usize {
    let rows = first.unwrap_or(DEFAULT_FIRST).clamp(1, MAX_FIRST);
    usize::try_from(rows)
        .unwrap_or(1)
        .saturating_mul(child)
        .saturating_add(1)
}

/// Where a page stands among the others.
#[derive(Clone, SimpleObject)]
pub(crate) struct PageInfo {
    /// Whether more follow.
    has_next_page: bool,
    /// Whether the page was asked for after another.
    has_previous_page: bool,
    /// The cursor of the first edge.
    start_cursor: Option<String>,
    /// The cursor of the last edge: the next page's `after`.
    end_cursor: Option<String>,
}

macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ident) => {
        /// A node with its cursor.
        #[derive(Clone, SimpleObject)]
        pub(crate) struct $edge {
            /// Where to go on after the node.
            cursor: String,
            /// The node.
            node: $node,
        }

        /// A page of nodes.
        pub(crate) struct $connection {
            edges: Vec<$edge>,
            page_info: PageInfo,
        }

        #[async_graphql::Object]
        impl $connection {
            /// The nodes with their cursors.
            async fn edges(&self) -> &[$edge] {
                &self.edges
            }

            /// The nodes.
            async fn nodes(&self) -> Vec<$node> {
                self.edges.iter().map(|edge| edge.node.clone()).collect()
            }

            /// Where the page stands among the others.
            async fn page_info(&self) -> &PageInfo {
                &self.page_info
            }
        }

        impl $connection {
            /// A page of nodes with their keys, as it was asked for.
            pub(super) fn new<K: Key>(request: &PageRequest<K>, page: Page<(K, $node)>) -> Self {
                let edges: Vec<_> = page
                    .items
                    .into_iter()
                    .map(|(key, node)| $edge {
                        cursor: cursor(&key),
                        node,
                    })
                    .collect();
                Self {
                    page_info: PageInfo {
                        has_next_page: page.has_next,
                        has_previous_page: request.after.is_some(),
                        start_cursor: edges.first().map(|edge| edge.cursor.clone()),
                        end_cursor: edges.last().map(|edge| edge.cursor.clone()),
                    },
                    edges,
                }
            }
        }
    };
}

connection!(BatchConnection, BatchEdge, Batch);
connection!(BatchDocumentConnection, BatchDocumentEdge, BatchDocument);
connection!(EntityConnection, EntityEdge, Entity);
connection!(OntologyConnection, OntologyEdge, Ontology);
connection!(ParityCheckConnection, ParityCheckEdge, ParityCheck);
connection!(RelationConnection, RelationEdge, Relation);
connection!(
    PossibleDuplicateConnection,
    PossibleDuplicateEdge,
    PossibleDuplicate
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back_in_their_own_connection_only() {
        let id = EntityId::from_uuid(Uuid::from_u128(7));
        let text = cursor(&id);
        assert_eq!(key::<EntityId>(&text), Some(id));
        assert_eq!(key::<RelationPlace>(&text), None);
        let place = RelationPlace {
            document: 3,
            statement: 12,
        };
        assert_eq!(key::<RelationPlace>(&cursor(&place)), Some(place));
        assert_eq!(key::<u32>("document:7"), Some(7));
    }

    #[test]
    fn hostile_cursors_are_refused() {
        for after in [
            "",
            ":",
            "entity:",
            "entity:zz",
            "é",
            "entity:' OR 1=1",
            "document:4294967295",
            "relation:1",
            "relation:1.4294967295",
            "relation:1.2.3",
        ] {
            assert!(request::<EntityId>(None, Some(after)).is_err(), "{after}");
            assert!(request::<u32>(None, Some(after)).is_err(), "{after}");
            assert!(
                request::<RelationPlace>(None, Some(after)).is_err(),
                "{after}"
            );
        }
    }

    #[test]
    fn first_has_bounds() {
        assert_eq!(request::<u32>(None, None).unwrap().first, 50);
        assert_eq!(request::<u32>(Some(500), None).unwrap().first, 500);
        for first in [-1, 501, i32::MIN, i32::MAX] {
            assert!(request::<u32>(Some(first), None).is_err(), "{first}");
        }
    }
}
