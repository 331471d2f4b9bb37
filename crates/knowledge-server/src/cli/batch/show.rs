//! Batches as people read them.

use std::fmt::Write as _;

use serde_json::Value;

fn text<'a>(batch: &'a Value, name: &str) -> &'a str {
    batch[name].as_str().unwrap_or("-")
}

fn count(batch: &Value, name: &str) -> u64 {
    batch[name].as_u64().unwrap_or_default()
}

fn percent(batch: &Value) -> f64 {
    batch["progress"].as_f64().unwrap_or_default() * 100.0
}

/// One line of a list.
pub(super) fn row(batch: &Value) -> String {
    format!(
        "{}  {:<21} {:>3.0}%  {}/{} documents  {}",
        text(batch, "id"),
        text(batch, "stage"),
        percent(batch),
        count(batch, "completedDocuments"),
        count(batch, "totalDocuments"),
        text(batch, "createdAt"),
    )
}

/// One line at the end of a batch that was watched.
pub(super) fn outcome(batch: &Value) -> String {
    format!(
        "{}: {} of {} documents, {} failed, {} entities, {} relations",
        text(batch, "id"),
        count(batch, "completedDocuments"),
        count(batch, "totalDocuments"),
        count(batch, "failedDocuments"),
        count(batch, "entityCount"),
        count(batch, "relationCount"),
    )
}

/// Everything about a batch, a line each.
pub(super) fn details(batch: &Value) -> String {
    let mut lines = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{name:<10} {value}");
    };
    line("batch", text(batch, "id").to_owned());
    line("stage", text(batch, "stage").to_owned());
    line("progress", format!("{:.1}%", percent(batch)));
    line("documents", documents(batch));
    line(
        "found",
        format!(
            "{} entities, {} relations",
            count(batch, "entityCount"),
            count(batch, "relationCount")
        ),
    );
    if let Some(doing) = doing(batch) {
        line("now", doing);
    }
    if let Some(rate) = batch["documentsPerMinute"].as_f64() {
        line("pace", format!("{rate:.1} documents a minute"));
    }
    let left = &batch["remainingSeconds"];
    if let (Some(low), Some(high)) = (left["low"].as_f64(), left["high"].as_f64()) {
        line("left", format!("{low:.0} s to {high:.0} s"));
    }
    line("created", text(batch, "createdAt").to_owned());
    for (name, field) in [
        ("started", "startedAt"),
        ("ended", "completedAt"),
        ("error", "error"),
    ] {
        if let Some(value) = batch[field].as_str() {
            line(name, value.to_owned());
        }
    }
    lines
}

/// How a batch's comparisons fare, and what is no agreement, a line each.
pub(super) fn parity(report: &Value) -> String {
    let mut lines = format!(
        "{} the same, {} different, {} unavailable, {} pending\n",
        count(report, "same"),
        count(report, "different"),
        count(report, "unavailable"),
        count(report, "pending"),
    );
    let checks = report["checks"].as_array();
    for check in checks.into_iter().flatten() {
        let name = text(&check["document"], "name");
        if let Some(reason) = check["reason"].as_str() {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{name}: not compared: {reason}");
        }
        let differences = check["differences"].as_array();
        for difference in differences.into_iter().flatten() {
            let _ = writeln!(
                lines,
                "{name}: {}: {} -> {}",
                text(difference, "what"),
                text(difference, "legacy"),
                text(difference, "engine"),
            );
        }
    }
    lines
}

/// What the unsettled documents are doing; nothing when all are settled.
fn doing(batch: &Value) -> Option<String> {
    let counts = batch["documentsByStage"].as_object()?;
    let parts: Vec<_> = counts
        .iter()
        .filter(|(_, count)| count.as_u64().unwrap_or_default() > 0)
        .map(|(name, count)| format!("{count} in {name}").replace("in waiting", "waiting"))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn documents(batch: &Value) -> String {
    format!(
        "{} of {} completed, {} failed, {} skipped",
        count(batch, "completedDocuments"),
        count(batch, "totalDocuments"),
        count(batch, "failedDocuments"),
        count(batch, "skippedDocuments"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_batch_is_shown_with_what_it_has() {
        let batch = json!({
            "id": "batch_1", "stage": "FAILED", "progress": 0.25, "totalDocuments": 4,
            "completedDocuments": 1, "failedDocuments": 2, "skippedDocuments": 1,
            "entityCount": 7, "relationCount": 5, "createdAt": "2026-11-20T08:00:00Z",
            "startedAt": null, "error": "why", "documentsPerMinute": 12.34,
            "documentsByStage": { "waiting": 3, "chunk": 0, "mentions": 2 },
            "remainingSeconds": { "low": 10.0, "likely": 12.0, "high": 20.0 },
        });
        insta::assert_snapshot!(format!(
            "{}\n{}\n{}",
            details(&batch),
            row(&batch),
            outcome(&batch)
        ));
    }
}
