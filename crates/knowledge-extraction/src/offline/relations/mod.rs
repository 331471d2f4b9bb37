//! Relations.
use crate::extractor::{RelationCandidate, RelationRequest};
pub(super) fn relations(_request: RelationRequest<'_>) -> Vec<RelationCandidate> { Vec::new() }
