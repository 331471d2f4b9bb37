use std::cmp::Ordering;

use crate::Candidate;

const CONFIDENCE_WEIGHT: f64 = 0.5;
const ATTRIBUTES_WEIGHT: f64 = 0.3;
const MENTIONS_WEIGHT: f64 = 0.2;
const ATTRIBUTES_CAP: u32 = 10;

/// The member that faces a cluster (strategy `hybrid`): confidence, attributes (up to ten) and
/// mentions (as a share of the most that a member has). Ties go to the longer name, then to the
/// name and the id in order, so the choice does not depend on the order of the members.
pub fn select<'a>(members: impl Iterator<Item = &'a Candidate> + Clone) -> Option<&'a Candidate> {
    let most_mentions = members.clone().map(|member| member.mentions).max()?;
    members.max_by(|left, right| {
        score(left, most_mentions)
            .total_cmp(&score(right, most_mentions))
            .then_with(|| tie_break(left, right))
    })
}

fn score(member: &Candidate, most_mentions: u32) -> f64 {
    let attributes = f64::from(member.attributes.min(ATTRIBUTES_CAP)) / f64::from(ATTRIBUTES_CAP);
    let mentions = f64::from(member.mentions) / f64::from(most_mentions.max(1));
    CONFIDENCE_WEIGHT * member.confidence.value()
        + ATTRIBUTES_WEIGHT * attributes
        + MENTIONS_WEIGHT * mentions
}

fn tie_break(left: &Candidate, right: &Candidate) -> Ordering {
    left.name
        .chars()
        .count()
        .cmp(&right.name.chars().count())
        .then_with(|| right.name.cmp(&left.name))
        .then_with(|| right.id.cmp(&left.id))
}
