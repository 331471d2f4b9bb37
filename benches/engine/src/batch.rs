//! What a document costs in batches of different sizes.

use std::sync::Arc;

use anyhow::Result;
use knowledge_extraction::OfflineExtractor;
use knowledge_server::{app::ExtractionWorkflows, store::DatabaseUrl};

use crate::{corpus, parts, sample::Sample};

/// Runs one batch of so many small documents.
pub(crate) async fn measure(
    url: &DatabaseUrl,
    documents: usize,
    concurrency: u32,
    resolve: bool,
) -> Result<Sample> {
    let ledger = parts::ledger(url).await?;
    let extractor = Arc::new(OfflineExtractor::new());
    let workflows = ExtractionWorkflows::with_extractor(ledger.clone(), extractor);
    let texts = (0..documents).map(corpus::note).collect();
    let command = parts::batch(texts, concurrency, resolve);
    parts::run(&ledger, Arc::new(workflows), command).await
}
