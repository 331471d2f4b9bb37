//! A batch's progress on a terminal, or as plain lines.

use anyhow::Context;
use futures::{StreamExt, pin_mut};
use knowledge_domain::ids::BatchId;

use super::{bars::Display, local::Local};
use crate::progress::batch_events;

/// Shows a batch's progress until it ends.
pub(super) async fn to_end(local: &Local, batch: BatchId) -> anyhow::Result<()> {
    let head = local
        .app
        .store
        .reads(local.organization)
        .batch_head(batch)
        .await?
        .with_context(|| format!("{batch} is gone"))?;
    let mut display = Display::new(batch);
    // A batch that ended before has nothing to show but its end.
    let after = if head.stage.is_terminal() {
        head.last_sequence.saturating_sub(1)
    } else {
        0
    };
    let app = &local.app;
    let events = batch_events(&app.store, &app.hub, local.organization, batch, after);
    pin_mut!(events);
    while let Some(event) = events.next().await {
        display.show(&**event?);
    }
    display.finish();
    Ok(())
}
