//! Who faces a cluster.

use std::cmp::Ordering;

use knowledge_domain::{graph::Confidence, ids::EntityId};

use crate::Candidate;

const CONFIDENCE_WEIGHT: f64 = 0.5;
const ATTRIBUTES_WEIGHT: f64 = 0.3;
const MENTIONS_WEIGHT: f64 = 0.2;
/// More attributes, or mentions, than these add nothing.
const CAP: u32 = 10;

/// What makes one member a better face than another.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
)]
#[strum(serialize_all = "snake_case")]
pub enum FaceStrategy {
    /// The extractor is surest of it.
    HighestConfidence,
    /// Most is known of it.
    MostAttributes,
    /// It is mentioned most often.
    MostMentions,
    /// A half confidence, three tenths attributes up to ten, a fifth mentions up to ten.
    #[default]
    Hybrid,
}

/// A member as a face. Of two the better one is the same whichever comes first, so the best of many
/// can be kept while they come.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// The entity.
    pub entity: EntityId,
    /// Its name.
    pub name: String,
    /// How sure the extractor is.
    pub confidence: Confidence,
    /// How many attributes are known.
    pub attributes: u32,
    /// How many mentions it has.
    pub mentions: u32,
}

impl Face {
    /// An entity as a face.
    #[must_use]
    pub fn of(candidate: &Candidate) -> Self {
        Self {
            entity: candidate.id,
            name: candidate.name.clone(),
            confidence: candidate.confidence,
            attributes: u32::try_from(candidate.attributes.len()).unwrap_or(u32::MAX),
            mentions: candidate.mentions,
        }
    }

    /// The score under a strategy.
    fn score(&self, strategy: FaceStrategy) -> f64 {
        let share = |number: u32| f64::from(number.min(CAP)) / f64::from(CAP);
        match strategy {
            FaceStrategy::HighestConfidence => self.confidence.value(),
            FaceStrategy::MostAttributes => f64::from(self.attributes),
            FaceStrategy::MostMentions => f64::from(self.mentions),
            FaceStrategy::Hybrid => {
                CONFIDENCE_WEIGHT * self.confidence.value()
                    + ATTRIBUTES_WEIGHT * share(self.attributes)
                    + MENTIONS_WEIGHT * share(self.mentions)
            }
        }
    }

    /// How it fares beside another: by score, then the longer name, then name and id in order.
    #[must_use]
    pub fn compare(&self, other: &Self, strategy: FaceStrategy) -> Ordering {
        self.score(strategy)
            .total_cmp(&other.score(strategy))
            .then_with(|| self.name.chars().count().cmp(&other.name.chars().count()))
            .then_with(|| other.name.cmp(&self.name))
            .then_with(|| other.entity.cmp(&self.entity))
    }
}

/// The best face.
pub fn select_face<'a>(
    faces: impl IntoIterator<Item = &'a Face>,
    strategy: FaceStrategy,
) -> Option<&'a Face> {
    faces
        .into_iter()
        .max_by(|one, other| one.compare(other, strategy))
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;
    use uuid::Uuid;

    use super::*;

    fn face(id: u128, confidence: f64, attributes: u32, mentions: u32) -> Face {
        Face {
            entity: EntityId::from_uuid(Uuid::from_u128(id)),
            name: "Selby Breakwater".to_owned(),
            confidence: Confidence::new(confidence),
            attributes,
            mentions,
        }
    }

    #[test]
    fn each_strategy_has_its_face() {
        let faces = [face(1, 0.9, 0, 1), face(2, 0.5, 9, 2), face(3, 0.5, 0, 30)];
        let chosen = FaceStrategy::iter().map(|strategy| {
            let face = select_face(&faces, strategy);
            face.expect("there are faces").entity.uuid().as_u128()
        });
        assert_eq!(chosen.collect::<Vec<_>>(), [1, 2, 3, 2]);
    }

    #[test]
    fn equals_are_told_by_id() {
        let (one, other) = (face(1, 0.9, 0, 1), face(2, 0.9, 0, 1));
        for faces in [[&one, &other], [&other, &one]] {
            assert_eq!(select_face(faces, FaceStrategy::Hybrid), Some(&one));
        }
    }
}
