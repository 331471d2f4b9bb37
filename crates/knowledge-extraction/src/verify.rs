//! What an extractor proposes is checked against the text and the ontology before it counts.

use knowledge_domain::{
    Ontology, Takes,
    graph::{CharSpan, Confidence, SourceText},
};
use serde::{Deserialize, Serialize};

use crate::{
    assemble::{FoundMention, FoundRelation, RelationTarget},
    extractor::{
        EntityCandidate, MentionCandidate, ObjectCandidate, RelationCandidate, TypedMention,
    },
};

#[cfg(test)]
mod tests;

/// How many proposals were mended or dropped, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejections {
    /// Mentions whose text was found at another place than they said; kept.
    pub relocated_mentions: u32,
    /// Mentions whose text is not in the chunk, and evidence outside of it.
    pub unverified: u32,
    /// Mentions and entities with a type that the ontology does not have.
    pub unknown_types: u32,
    /// Relations with a predicate that the ontology does not have.
    pub unknown_predicates: u32,
    /// Relations whose subject or object the predicate's domain or range does not allow.
    pub domain_or_range: u32,
    /// Proposals below the confidence floor.
    pub low_confidence: u32,
    /// Items of a model's answer that did not have the form which was asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub malformed: u32,
    /// Answers of a model that were mended: fences, prose or invalid items taken off.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repaired_answers: u32,
    /// Questions that were asked again because the answer could not be used.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub asked_again: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl std::ops::AddAssign for Rejections {
    fn add_assign(&mut self, other: Self) {
        self.relocated_mentions += other.relocated_mentions;
        self.unverified += other.unverified;
        self.unknown_types += other.unknown_types;
        self.unknown_predicates += other.unknown_predicates;
        self.domain_or_range += other.domain_or_range;
        self.low_confidence += other.low_confidence;
        self.malformed += other.malformed;
        self.repaired_answers += other.repaired_answers;
        self.asked_again += other.asked_again;
    }
}

/// What proposals are checked against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verifier<'a> {
    /// The chunk's text.
    pub(crate) text: &'a SourceText,
    /// The first character of the chunk in its document.
    pub(crate) offset: u32,
    pub(crate) ontology: &'a Ontology,
    pub(crate) floor: Confidence,
}

impl Verifier<'_> {
    /// Mentions in characters of the document, sorted by span, each span once.
    pub(crate) fn mentions(
        &self,
        candidates: Vec<MentionCandidate>,
        rejections: &mut Rejections,
    ) -> Vec<FoundMention> {
        let mut kept: Vec<FoundMention> = candidates
            .into_iter()
            .filter_map(|candidate| self.mention(candidate, rejections))
            .collect();
        sort_once(&mut kept);
        kept
    }

    fn mention(
        &self,
        candidate: MentionCandidate,
        rejections: &mut Rejections,
    ) -> Option<FoundMention> {
        if candidate.confidence < self.floor {
            rejections.low_confidence += 1;
            return None;
        }
        if !self.ontology.has_class(&candidate.mention_type) {
            rejections.unknown_types += 1;
            return None;
        }
        let span = if self.text.verifies(candidate.span, &candidate.text) {
            candidate.span
        } else if let Some(span) = relocate(self.text, candidate.span, &candidate.text) {
            rejections.relocated_mentions += 1;
            span
        } else {
            rejections.unverified += 1;
            return None;
        };
        Some(FoundMention {
            span: span.shifted(self.offset).ok()?,
            mention_type: candidate.mention_type,
            confidence: candidate.confidence,
            entity: candidate.entity,
        })
    }

    /// Relations in characters of the document.
    pub(crate) fn relations(
        &self,
        candidates: Vec<RelationCandidate>,
        mentions: &[TypedMention],
        rejections: &mut Rejections,
    ) -> Vec<FoundRelation> {
        let mut kept: Vec<FoundRelation> = candidates
            .into_iter()
            .filter_map(|candidate| self.relation(candidate, mentions, rejections))
            .collect();
        kept.sort();
        kept.dedup();
        kept
    }

    fn relation(
        &self,
        candidate: RelationCandidate,
        mentions: &[TypedMention],
        rejections: &mut Rejections,
    ) -> Option<FoundRelation> {
        if candidate.confidence < self.floor {
            rejections.low_confidence += 1;
            return None;
        }
        if !self.ontology.allows_predicate(&candidate.predicate) {
            rejections.unknown_predicates += 1;
            return None;
        }
        let known = |id: u32| mentions.iter().find(|mention| mention.id == id);
        let subject = known(candidate.subject);
        let object = match &candidate.object {
            ObjectCandidate::Mention(id) => known(*id).map(|mention| mention.types.clone()),
            ObjectCandidate::Literal { literal_type, .. } => {
                Some(literal_type.clone().into_iter().collect())
            }
        };
        let (Some(subject), Some(object_types), Some(_)) =
            (subject, object, self.text.slice(candidate.evidence))
        else {
            rejections.unverified += 1;
            return None;
        };
        let literal = matches!(candidate.object, ObjectCandidate::Literal { .. });
        if !fits(
            self.ontology,
            &candidate.predicate,
            &subject.types,
            &object_types,
            literal,
        ) {
            rejections.domain_or_range += 1;
            return None;
        }
        Some(FoundRelation {
            subject: candidate.subject,
            predicate: candidate.predicate,
            object: match candidate.object {
                ObjectCandidate::Mention(id) => RelationTarget::Mention(id),
                ObjectCandidate::Literal {
                    value,
                    literal_type,
                } => RelationTarget::Literal {
                    value,
                    literal_type,
                },
            },
            evidence: candidate.evidence.shifted(self.offset).ok()?,
            confidence: candidate.confidence,
        })
    }
}

/// Entities with the types that the ontology has; positions out of range are dropped.
pub(crate) fn entities(
    candidates: Vec<EntityCandidate>,
    mention_count: usize,
    ontology: &Ontology,
    floor: Confidence,
    rejections: &mut Rejections,
) -> Vec<EntityCandidate> {
    let mut kept = Vec::with_capacity(candidates.len());
    for mut candidate in candidates {
        if candidate.confidence < floor {
            rejections.low_confidence += 1;
            continue;
        }
        let proposed = candidate.types.len();
        candidate.types.retain(|name| ontology.has_class(name));
        rejections.unknown_types += u32::try_from(proposed - candidate.types.len()).unwrap_or(0);
        candidate
            .mentions
            .retain(|id| (*id as usize) < mention_count);
        candidate.mentions.sort_unstable();
        candidate.mentions.dedup();
        if candidate.mentions.is_empty() || candidate.name.trim().is_empty() {
            rejections.unverified += 1;
        } else if !candidate.types.is_empty() {
            kept.push(candidate);
        }
    }
    kept
}

/// Sorts by span and keeps the surest of each span, the first type by name where that is a draw.
pub(crate) fn sort_once(mentions: &mut Vec<FoundMention>) {
    mentions.sort_by(|a, b| {
        (a.span, std::cmp::Reverse(a.confidence), &a.mention_type).cmp(&(
            b.span,
            std::cmp::Reverse(b.confidence),
            &b.mention_type,
        ))
    });
    mentions.dedup_by_key(|mention| mention.span);
}

/// The occurrence of `wanted` that starts nearest to the span.
pub(crate) fn relocate(text: &SourceText, span: CharSpan, wanted: &str) -> Option<CharSpan> {
    if wanted.is_empty() {
        return None;
    }
    let length = u32::try_from(wanted.chars().count()).ok()?;
    let (mut bytes, mut chars) = (0, 0_u32);
    let mut best: Option<u32> = None;
    for (byte, _) in text.as_str().match_indices(wanted) {
        chars += u32::try_from(text.as_str()[bytes..byte].chars().count()).ok()?;
        bytes = byte;
        if best.is_none_or(|found| chars.abs_diff(span.start()) < found.abs_diff(span.start())) {
            best = Some(chars);
        }
        if chars >= span.start() {
            // Every later one is farther.
            break;
        }
    }
    let start = best?;
    CharSpan::new(start, start.checked_add(length)?).ok()
}

fn fits(
    ontology: &Ontology,
    predicate: &str,
    subject_types: &[String],
    object_types: &[String],
    literal: bool,
) -> bool {
    let Some(property) = ontology.property(predicate) else {
        return true;
    };
    let any = |types: &[String], classes: &[String]| {
        let is_one = |name: &String| classes.iter().any(|class| ontology.is_a(name, class));
        classes.is_empty() || types.iter().any(is_one)
    };
    // A range that is no class is a datatype: it takes literals of any kind.
    let datatype = |range: &String| !ontology.has_class(range);
    let object = match (literal, property.takes) {
        (false, Takes::Literals) => false,
        // Dates and amounts are values, also where the ontology has classes for them.
        (true, Takes::Entities) => !property.range.is_empty() && any(object_types, &property.range),
        (true, _) if property.range.iter().any(datatype) => true,
        _ => any(object_types, &property.range),
    };
    object && any(subject_types, &property.domain)
}
