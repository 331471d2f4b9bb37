//! A call of a model: recorded before it is sent, and what answers the same question later.

use sea_orm::entity::prelude::*;

/// A row of `llm_call`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "llm_call")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// SHA-256 of the model, the prompt, the schema and the parameters, in hex.
    #[sea_orm(column_type = "Text")]
    pub key: String,
    /// `chat` or `embedding`.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// Who was asked: `https://api.openai.com`.
    #[sea_orm(column_type = "Text")]
    pub provider: String,
    /// The model that was asked.
    #[sea_orm(column_type = "Text")]
    pub model: String,
    /// The prompt and its version: `single@1`.
    #[sea_orm(column_type = "Text")]
    pub prompt_version: String,
    /// `intent` before it is sent, then `completed` or `failed`.
    #[sea_orm(column_type = "Text")]
    pub status: String,
    /// The process that last sent it.
    #[sea_orm(column_type = "Text")]
    pub owner: String,
    /// Times that it was about to be sent.
    pub attempts: i32,
    /// Times of these of which nobody saw the outcome.
    pub unknown_outcomes: i32,
    /// Tokens that it may take while it is on its way.
    pub reserved_tokens: i64,
    /// What was answered.
    #[sea_orm(column_type = "Text", nullable)]
    pub response: Option<String>,
    /// Whether the answer ended at its limit of tokens.
    pub truncated: bool,
    /// Why it failed.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    /// Tokens of the question, over all attempts.
    pub prompt_tokens: i64,
    /// Tokens of the answers.
    pub completion_tokens: i64,
    /// Tokens of these that were counted, because the provider did not report them.
    pub counted_tokens: i64,
    /// What the tokens cost, in millionths of a US dollar.
    pub cost_micro_usd: i64,
    /// The batch that it was last made for.
    pub batch_id: Option<Uuid>,
    /// The workflow that it was last made for.
    pub execution_id: Option<Uuid>,
    /// The unit that it was last made for.
    #[sea_orm(column_type = "Text", nullable)]
    pub unit: Option<String>,
    /// When it was answered.
    pub completed_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
