use knowledge_domain::ids::{DocumentId, ExtractionId, OrganizationId};
use proptest::prelude::*;

use super::*;

fn candidate(index: usize, name: &str, class: &str, mentions: u32) -> Candidate {
    let document = DocumentId::derive(OrganizationId::DEFAULT, "text");
    Candidate {
        id: EntityId::derive(ExtractionId::derive(document, "rules"), index),
        name: name.to_owned(),
        types: vec![class.to_owned()],
        attributes: 0,
        mentions,
        confidence: Confidence::new(0.9),
    }
}

#[test]
fn names_that_differ_in_dress_only_meet() {
    for (left, right) in [
        ("Elias Brandt", "ELIAS  BRANDT"),
        ("the Selby Breakwater", "Selby Breakwater"),
        ("Café Müller", "Cafe Muller"),
        ("St. Brannock's", "St Brannocks"),
        ("Jean-Luc Picard", "Jean Luc Picard"),
    ] {
        assert_eq!(normalise(left), normalise(right));
    }
}

#[test]
fn names_without_letters_keep_themselves_apart() {
    assert_ne!(normalise("★"), normalise("☆"));
}

#[test]
fn a_number_keeps_names_apart() {
    assert_ne!(normalise("Boeing 737"), normalise("Boeing 747"));
}

#[test]
fn homonyms_of_other_types_stay_apart() {
    let clusters = resolve(&[
        candidate(0, "Lincoln", "Person", 1),
        candidate(1, "Lincoln", "Place", 1),
    ]);
    assert_eq!(clusters.len(), 2);
}

#[test]
fn the_face_is_the_one_with_the_most_to_show() {
    let members = [
        candidate(0, "Selby Breakwater", "Work", 1),
        candidate(1, "The Selby Breakwater", "Work", 4),
    ];
    let clusters = resolve(&members);
    assert_eq!(clusters.len(), 1);
    assert_eq!(clusters[0].canonical, members[1].id);
}

proptest! {
    #[test]
    fn the_order_of_entities_does_not_matter(
        names in prop::collection::vec("(the )?[ab]{1,2}[.]?", 1..20),
        seed in any::<prop::sample::Index>(),
    ) {
        let mut candidates: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(index, name)| candidate(index, name, "Thing", 1 + u32::from(index % 3 == 0)))
            .collect();
        let expected = resolve(&candidates);
        let middle = seed.index(candidates.len());
        candidates.rotate_left(middle);
        candidates.reverse();
        prop_assert_eq!(resolve(&candidates), expected);
    }

    #[test]
    fn any_name_is_normalised_without_panic_and_for_good(name in "\\PC{0,40}") {
        let once = normalise(&name);
        if !once.is_empty() && !name.to_lowercase().contains("the") {
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
