//! References between rows: each leads somewhere, and stays within its organisation.

use sea_orm::sea_query::{Alias, Expr, ExprTrait, JoinType, SelectStatement};

use super::rule::ids;

/// Tables whose rows belong to an organisation.
const OWNED: &[&str] = &[
    "ontology",
    "batch_execution",
    "document",
    "batch_document",
    "batch_event",
    "workflow_execution",
    "workflow_activity",
    "workflow_signal",
    "extraction",
    "chunk",
    "mention_record",
    "entity",
    "relation",
    "relation_evidence",
    "entity_cluster",
    "cluster_member",
    "same_as_link",
    "merge_history",
    "resolution_form",
    "resolution_block",
    "resolution_decision",
    "resolution_question",
    "resolution_leaf",
    "embedding",
    "llm_call",
    "token_account",
    "api_key",
    "parity_check",
];

/// Columns that hold the id of another row, or nothing: table, column, where it leads.
const REFERENCES: &[(&str, &str, &str)] = &[
    ("batch_execution", "ontology_id", "ontology"),
    ("batch_document", "batch_id", "batch_execution"),
    ("batch_document", "document_id", "document"),
    ("batch_document", "execution_id", "workflow_execution"),
    ("batch_document", "extraction_id", "extraction"),
    ("batch_event", "batch_id", "batch_execution"),
    ("batch_event", "batch_document_id", "batch_document"),
    ("workflow_execution", "batch_document_id", "batch_document"),
    ("workflow_execution", "batch_id", "batch_execution"),
    ("workflow_activity", "execution_id", "workflow_execution"),
    ("workflow_signal", "execution_id", "workflow_execution"),
    ("parity_check", "batch_id", "batch_execution"),
    ("parity_check", "batch_document_id", "batch_document"),
    ("parity_check", "execution_id", "workflow_execution"),
    ("extraction", "document_id", "document"),
    ("extraction", "execution_id", "workflow_execution"),
    ("extraction", "ontology_id", "ontology"),
    ("chunk", "extraction_id", "extraction"),
    ("chunk", "document_id", "document"),
    ("mention_record", "extraction_id", "extraction"),
    ("mention_record", "document_id", "document"),
    ("mention_record", "chunk_id", "chunk"),
    ("mention_record", "entity_id", "entity"),
    ("mention_record", "resolved_entity_id", "entity"),
    ("entity", "extraction_id", "extraction"),
    ("entity", "document_id", "document"),
    ("entity", "canonical_id", "entity"),
    ("entity", "form_id", "resolution_form"),
    ("relation", "extraction_id", "extraction"),
    ("relation", "subject_id", "entity"),
    ("relation", "object_id", "entity"),
    ("relation_evidence", "relation_id", "relation"),
    ("relation_evidence", "document_id", "document"),
    ("entity_cluster", "canonical_entity_id", "entity"),
    ("cluster_member", "cluster_id", "entity_cluster"),
    ("cluster_member", "entity_id", "entity"),
    ("same_as_link", "canonical_id", "entity"),
    ("same_as_link", "member_id", "entity"),
    ("merge_history", "source_entity_id", "entity"),
    ("merge_history", "target_entity_id", "entity"),
    ("merge_history", "batch_id", "batch_execution"),
    ("resolution_form", "face_id", "entity"),
    ("resolution_form", "cluster_id", "entity_cluster"),
    ("resolution_form", "canonical_id", "entity"),
    ("resolution_block", "form_id", "resolution_form"),
    ("resolution_decision", "left_form_id", "resolution_form"),
    ("resolution_decision", "right_form_id", "resolution_form"),
    ("resolution_question", "left_form_id", "resolution_form"),
    ("resolution_question", "right_form_id", "resolution_form"),
];

const ORGANIZATION: &str = "organization";
const ORGANIZATION_ID: &str = "organization_id";

/// A column that leads to another row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference {
    /// The table that has the column.
    pub(super) table: &'static str,
    column: &'static str,
    target: &'static str,
}

/// Every reference.
pub(super) fn all() -> impl Iterator<Item = Reference> {
    let owned = OWNED
        .iter()
        .map(|table| (*table, ORGANIZATION_ID, ORGANIZATION));
    let references = owned.chain(REFERENCES.iter().copied());
    references.map(|(table, column, target)| Reference {
        table,
        column,
        target,
    })
}

/// The codes of all references' invariants.
pub(super) fn codes() -> impl Iterator<Item = String> {
    all().flat_map(|reference| reference.rules().into_iter().map(|(code, ..)| code))
}

impl Reference {
    /// Code, sentence and statement of each of its invariants.
    pub(super) fn rules(self) -> Vec<(String, String, SelectStatement)> {
        let Self {
            table,
            column,
            target,
        } = self;
        let mut rules = vec![(
            format!("orphans/{table}.{column}"),
            format!("its {column} leads to no {target}"),
            self.orphans(),
        )];
        if target != ORGANIZATION {
            rules.push((
                format!("organizations/{table}.{column}"),
                format!("its {target} is another organisation's"),
                self.strangers(),
            ));
        }
        rules
    }

    /// The rows with what they refer to; the target has a name of its own, for it may be the same
    /// table.
    fn joined(self, join: JoinType) -> SelectStatement {
        let target = Expr::col(("target", "id")).equals((self.table, self.column));
        ids(self.table)
            .join_as(join, Alias::new(self.target), "target", target)
            .take()
    }

    fn orphans(self) -> SelectStatement {
        self.joined(JoinType::LeftJoin)
            .and_where(Expr::col((self.table, self.column)).is_not_null())
            .and_where(Expr::col(("target", "id")).is_null())
            .take()
    }

    fn strangers(self) -> SelectStatement {
        let its_own = Expr::col((self.table, ORGANIZATION_ID));
        self.joined(JoinType::InnerJoin)
            .and_where(its_own.ne(Expr::col(("target", ORGANIZATION_ID))))
            .take()
    }
}
