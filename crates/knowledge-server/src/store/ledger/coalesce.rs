//! Which reports of progress are not worth a row of their own.
//!
//! The rule: a report that a stage of a document is `in_progress` is left out where a later report
//! of the same stage of the same document is written by the same transaction. An idle server
//! commits each unit on its own and so leaves nothing out; the busier it is, the more units share a
//! transaction. Every other event is always written, and so is the last report of every stage.

use std::collections::HashSet;

use knowledge_domain::{
    batch::{BatchEvent, BatchEventKind, StageReport},
    ids::BatchDocumentId,
    workflow::{StageStatus, WorkflowStage},
};

/// Leaves out what the rule leaves out; the others keep their order.
pub(super) fn coalesce(events: &mut Vec<BatchEvent>) {
    let mut later: HashSet<(BatchDocumentId, WorkflowStage)> = HashSet::new();
    let mut kept: Vec<bool> = events
        .iter()
        .rev()
        .map(|event| match &event.kind {
            BatchEventKind::StageProgress(report) => {
                let first_seen = later.insert((report.document_id, report.stage));
                first_seen || !is_needless(report)
            }
            _ => true,
        })
        .collect();
    events.retain(|_| kept.pop().unwrap_or(true));
}

/// Whether a later report of the stage says all that this one does.
fn is_needless(report: &StageReport) -> bool {
    report.status == StageStatus::InProgress
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use knowledge_domain::{
        batch::Aggregate,
        ids::{BatchId, ExecutionId},
        workflow::DocumentProgress,
    };
    use uuid::Uuid;

    use super::*;

    fn event(kind: BatchEventKind) -> BatchEvent {
        BatchEvent {
            batch_id: BatchId::from_uuid(Uuid::nil()),
            sequence: 0,
            timestamp: DateTime::UNIX_EPOCH,
            aggregate: Aggregate::default(),
            kind,
        }
    }

    fn report(
        document: u128,
        stage: WorkflowStage,
        current: u32,
        status: StageStatus,
    ) -> BatchEvent {
        let report = StageReport::new(
            BatchDocumentId::from_uuid(Uuid::from_u128(document)),
            ExecutionId::from_uuid(Uuid::from_u128(document)),
            DocumentProgress {
                stage,
                current,
                total: 9,
            },
            status,
        );
        event(BatchEventKind::StageProgress(report))
    }

    /// `document stage current status` of each report, the name of every other event.
    fn outline(events: &[BatchEvent]) -> Vec<String> {
        let line = |event: &BatchEvent| match &event.kind {
            BatchEventKind::StageProgress(report) => format!(
                "{} {} {} {:?}",
                report.document_id.uuid().as_u128(),
                report.stage,
                report.current,
                report.status
            ),
            kind => kind.name().to_owned(),
        };
        events.iter().map(line).collect()
    }

    #[test]
    fn only_reports_within_a_stage_that_a_later_one_outdates_are_left_out() {
        use StageStatus::{Completed, Failed, InProgress, Started};
        use WorkflowStage::{Mentions, Relations};
        let mut events = vec![
            report(1, Mentions, 0, Started),
            report(1, Mentions, 1, InProgress),
            report(2, Mentions, 1, InProgress),
            event(BatchEventKind::ResolutionStarted {}),
            report(1, Mentions, 2, InProgress),
            report(1, Mentions, 9, Completed),
            report(1, Relations, 0, Started),
            report(1, Relations, 1, InProgress),
            report(1, Relations, 2, InProgress),
            report(1, Relations, 2, Failed),
            report(1, Relations, 3, InProgress),
            event(BatchEventKind::BatchCancelled {}),
        ];
        coalesce(&mut events);
        assert_eq!(
            outline(&events),
            [
                "1 mentions 0 Started",
                "2 mentions 1 InProgress",
                "ResolutionStarted",
                "1 mentions 9 Completed",
                "1 relations 0 Started",
                "1 relations 2 Failed",
                "1 relations 3 InProgress",
                "BatchCancelled",
            ]
        );
    }

    #[test]
    fn a_report_that_comes_alone_is_kept() {
        let mut events = vec![report(
            1,
            WorkflowStage::Mentions,
            1,
            StageStatus::InProgress,
        )];
        coalesce(&mut events);
        assert_eq!(events.len(), 1);
    }
}
