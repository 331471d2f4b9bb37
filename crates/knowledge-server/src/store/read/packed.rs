//! Many rows as one.
//!
//! SQLite's driver hands each row over to another thread, which takes longer than to read it. Rows
//! that are read by the thousand come as one text of JSON, on both databases. Numbers come with 15
//! digits, of which a [`Confidence`](knowledge_domain::graph::Confidence) has four.

use sea_orm::{
    ConnectionTrait, DbBackend,
    sea_query::{Alias, Expr, ExprTrait, Func, Query, SelectStatement},
};
use serde::de::DeserializeOwned;

use crate::store::StoreError;

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Ids: bytes in SQLite.
    Id,
    /// JSON: text in SQLite.
    Json,
    /// What JSON can say as it is.
    Plain,
}

/// A row that can come with others as one.
pub(super) trait Packed: DeserializeOwned {
    /// What its rows are, for an error.
    const ROWS: &'static str;

    /// The query's columns, in the order in which the type reads them.
    const COLUMNS: &'static [(&'static str, Kind)];
}

/// The rows of a query, in no order.
pub(super) async fn packed<T: Packed>(
    connection: &impl ConnectionTrait,
    query: SelectStatement,
) -> Result<Vec<T>, StoreError> {
    let query = pack(connection.get_database_backend(), T::COLUMNS, query);
    let Some(row) = connection.query_one(&query).await? else {
        return Ok(Vec::new());
    };
    let packed: Option<String> = row.try_get_by_index(0)?;
    let rows = packed
        .map(|packed| serde_json::from_str(&packed))
        .transpose();
    // What a row says is not for the log.
    let corrupt = |error: serde_json::Error| {
        let at = error.column();
        StoreError::corrupt(format!(
            "rows of {} that no release writes, at {at}",
            T::ROWS
        ))
    };
    Ok(rows.map_err(corrupt)?.unwrap_or_default())
}

/// One row with all rows of the query, or with nothing.
fn pack(
    backend: DbBackend,
    columns: &[(&'static str, Kind)],
    query: SelectStatement,
) -> SelectStatement {
    let (array, arrays) = match backend {
        DbBackend::Postgres => ("JSON_BUILD_ARRAY", "JSON_AGG"),
        _ => ("JSON_ARRAY", "JSON_GROUP_ARRAY"),
    };
    let values = columns.iter().map(|(name, kind)| kind.value(backend, name));
    let rows = Func::cust(arrays).arg(Func::cust(array).args(values));
    Query::select()
        .expr(Expr::expr(rows).cast_as("text"))
        .from_subquery(query, "packed")
        .take()
}

impl Kind {
    fn value(self, backend: DbBackend, column: &'static str) -> Expr {
        let column = Expr::col(Alias::new(column));
        match (backend, self) {
            // Of no id this would be an empty text.
            (DbBackend::Sqlite, Self::Id) => Expr::cust_with_exprs("NULLIF(HEX(?), '')", [column]),
            (DbBackend::Sqlite, Self::Json) => Func::cust("JSON").arg(column).into(),
            _ => column,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use knowledge_domain::{
        batch::BatchStage,
        graph::Confidence,
        ids::{EntityId, RelationId},
    };
    use sea_orm::{EntityTrait, QueryTrait, prelude::Uuid};
    use serde::Deserialize;

    use super::*;
    use crate::fixture::{Fixture, Place};

    /// What JSON or a database could take for something else.
    const HOSTILE: &[&str] = &[
        "null",
        "\"],[\"",
        "'; DROP TABLE entity; --",
        "\\u0041 \\ / \u{1}\u{8}\t\r\n\u{7f}",
        "\u{2028}\u{feff}e\u{301} 👩‍👩‍👧 \u{10ffff}",
    ];

    /// An entity of every text, and what it is related to: the one before it.
    async fn filled(fixture: &Fixture) -> (Place, Vec<EntityId>, Vec<RelationId>) {
        let batch = fixture.batch(1, BatchStage::Resolving).await;
        let place = fixture.document(batch, 0, "text").await;
        let (mut entities, mut relations) = (Vec::new(), Vec::new());
        for (position, text) in (0..).zip(HOSTILE) {
            let id = fixture.entity(place, position, text, text).await;
            let to = entities.last().copied().ok_or(*text);
            let at = position.cast_signed();
            relations.push(fixture.relation(place, at, (id, text), to).await);
            entities.push(id);
        }
        (place, entities, relations)
    }

    #[tokio::test]
    async fn rows_that_come_as_one_say_what_each_says() {
        let fixture = Fixture::new().await;
        let (place, entities, relations) = filled(&fixture).await;
        let reads = fixture.store.reads(fixture.organization);
        let mut members = reads.entity_members(None, &entities).await.unwrap();
        members.sort_by_key(|member| entities.iter().position(|id| *id == member.id));
        for (member, text) in members.iter().zip(HOSTILE) {
            assert_eq!(
                (&*member.name, &*member.types),
                (*text, &[(*text).to_owned()][..])
            );
            assert_eq!(member.canonical_id, member.id);
            assert_eq!(member.extraction_id, place.extraction);
            assert_eq!(
                (&*member.aliases, &member.attributes),
                (&[][..], &BTreeMap::new())
            );
            assert_eq!(member.confidence, Confidence::new(0.8));
        }
        assert_eq!(members.len(), HOSTILE.len());
        let evidence = reads.entity_evidence(None, &entities).await.unwrap();
        for (id, text) in entities.iter().zip(HOSTILE) {
            assert_eq!(evidence[id][0].text, *text);
            assert_eq!(evidence[id][0].document_id, place.content);
        }
        let mut stated = reads.relation_members(None, &entities).await.unwrap();
        stated.sort_by_key(|member| relations.iter().position(|id| *id == member.id));
        assert_eq!(stated[0].literal.as_deref(), Some(HOSTILE[0]));
        assert_eq!(stated[0].key.object, None);
        for (at, (member, text)) in stated.iter().zip(HOSTILE).enumerate().skip(1) {
            assert_eq!((&*member.key.predicate, &member.literal), (*text, &None));
            assert_eq!(member.key.object, Some(entities[at - 1]));
        }
        assert_eq!(stated.len(), HOSTILE.len());
    }

    #[tokio::test]
    async fn of_no_row_nothing_comes() {
        let fixture = Fixture::new().await;
        let reads = fixture.store.reads(fixture.organization);
        let none = [EntityId::from_uuid(Uuid::nil())];
        assert!(reads.entity_members(None, &none).await.unwrap().is_empty());
        assert!(
            reads
                .relation_members(None, &none)
                .await
                .unwrap()
                .is_empty()
        );
    }

    #[derive(Debug, Deserialize)]
    struct Wrong(#[expect(dead_code, reason = "nothing is read")] Uuid);

    impl Packed for Wrong {
        const ROWS: &'static str = "entity";
        const COLUMNS: &'static [(&'static str, Kind)] = &[("name", Kind::Plain)];
    }

    #[tokio::test]
    async fn what_no_release_writes_is_refused_without_being_quoted() {
        let fixture = Fixture::new().await;
        filled(&fixture).await;
        let query = knowledge_tables::entity::Entity::find().into_query();
        let error = packed::<Wrong>(fixture.store.read(), query).await;
        let error = format!("{:?}", error.unwrap_err());
        assert!(error.contains("rows of entity"), "{error}");
        assert!(!error.contains("DROP TABLE"), "{error}");
    }
}
