use super::BatchStage;
use crate::workflow::PROGRESS_UNITS;

/// The share of a batch's progress that its documents make up when entities are resolved after.
const DOCUMENTS_SHARE: f64 = 0.95;

/// A batch's share that is done, in `0.0..=1.0`, to six decimals.
///
/// `units` is the sum of its documents' progress, of [`PROGRESS_UNITS`] each. Within a run it never
/// goes back because a document's progress does not, not even when the document fails and waits
/// for another round. A completed batch is done, whatever its failed documents left undone.
#[must_use]
pub fn batch_progress(stage: BatchStage, units: i64, documents: u32, resolution: bool) -> f64 {
    if stage == BatchStage::Completed {
        return 1.0;
    }
    let whole = f64::from(documents.max(1)) * f64::from(PROGRESS_UNITS);
    let done = (units as f64 / whole).clamp(0.0, 1.0);
    let share = if resolution { DOCUMENTS_SHARE } else { 1.0 };
    (done * share * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_leave_room_for_resolution() {
        let done = i64::from(PROGRESS_UNITS) * 4;
        let shown = [
            batch_progress(BatchStage::Resolving, done, 4, true),
            batch_progress(BatchStage::Assembling, done, 4, false),
            batch_progress(BatchStage::Completed, 0, 4, true),
            batch_progress(BatchStage::Pending, 0, 0, true),
        ];
        assert_eq!(
            shown.map(|share| share.to_string()),
            ["0.95", "1", "1", "0"]
        );
    }
}
