//! What kind of thing a class names, which decides how names are compared.

use knowledge_domain::core_type;

use crate::Form;

/// Kinds of things whose names follow rules of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A human being.
    Person,
    /// A firm or institution.
    Organization,
    /// A place.
    Place,
    /// A book, ship, building, product.
    Work,
    /// Anything of another class.
    Other,
    /// Something of which only is known that it is a thing.
    Thing,
}

/// Last parts of class names, in lower case, by the kind that they name.
const KNOWN: &[(&str, Kind)] = &[
    ("person", Kind::Person),
    ("people", Kind::Person),
    ("human", Kind::Person),
    ("per", Kind::Person),
    ("character", Kind::Person),
    ("agent", Kind::Other),
    ("organization", Kind::Organization),
    ("organisation", Kind::Organization),
    ("org", Kind::Organization),
    ("company", Kind::Organization),
    ("corporation", Kind::Organization),
    ("institution", Kind::Organization),
    ("university", Kind::Organization),
    ("place", Kind::Place),
    ("location", Kind::Place),
    ("loc", Kind::Place),
    ("city", Kind::Place),
    ("country", Kind::Place),
    ("town", Kind::Place),
    ("work", Kind::Work),
    ("creativework", Kind::Work),
    ("product", Kind::Work),
    ("thing", Kind::Thing),
    ("entity", Kind::Thing),
    ("misc", Kind::Thing),
];

impl Kind {
    /// The kind of an entity with these classes: the most telling of theirs.
    pub fn of<'a>(classes: impl IntoIterator<Item = &'a str>) -> Self {
        let kinds = classes.into_iter().map(Self::of_class);
        kinds.min().unwrap_or(Self::Thing)
    }

    fn of_class(class: &str) -> Self {
        let local = class.rsplit(['/', '#', ':']).next().unwrap_or(class);
        let local = local.to_lowercase();
        let known = KNOWN.iter().find(|(name, _)| *name == local);
        known.map_or(Self::Other, |(_, kind)| *kind)
    }
}

/// Whether the entities of two forms may be one by their classes: they share one, a class of one
/// specialises a class of the other, or of one only is known that it is a thing.
pub(crate) fn compatible(left: &Form, right: &Form) -> bool {
    let is_any = |classes: &[String], form: &Form| {
        let mut telling = classes.iter().filter(|class| *class != core_type::THING);
        telling.any(|class| form.types.contains(class) || form.above.contains(class))
    };
    left.is_untyped()
        || right.is_untyped()
        || is_any(&left.types, right)
        || is_any(&right.types, left)
}

/// Whether only is known that it is a thing.
pub(crate) fn is_untyped(classes: &[String]) -> bool {
    classes.iter().all(|class| class == core_type::THING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Candidate;

    fn form(types: &[&str], above: &[&str]) -> Form {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Form {
            types: names(types),
            above: above.iter().map(|name| (*name).to_owned()).collect(),
            ..crate::tests::form_of("Aurora", "Ship")
        }
    }

    #[test]
    fn classes_go_together_where_one_specialises_the_other() {
        let ferry = form(&["Ferry"], &["Thing", "Vessel", "Asset"]);
        let vessel = form(&["Vessel"], &["Thing", "Asset"]);
        let harbour = form(&["Harbour"], &["Thing", "Asset"]);
        let goes = |left: &Form, right: &Form| compatible(left, right) && compatible(right, left);
        assert!(goes(&ferry, &ferry) && goes(&ferry, &vessel));
        assert!(
            goes(&ferry, &form(&["Thing"], &[])),
            "of one only is known that it is a thing"
        );
        assert!(goes(&ferry, &form(&["Asset"], &[])));
        assert!(!compatible(&ferry, &harbour) && !compatible(&harbour, &ferry));
        assert!(!compatible(&vessel, &form(&["Person"], &[])));
        assert_eq!(
            form(&["Captain"], &["Agent", "Person"]).kind(),
            Kind::Person
        );
    }

    #[test]
    fn all_entities_of_a_form_are_of_one_kind() {
        let key = |types: &[&str], above: &[&str]| {
            let candidate = Candidate {
                types: types.iter().map(|name| (*name).to_owned()).collect(),
                above: above.iter().map(|name| (*name).to_owned()).collect(),
                ..crate::tests::candidate(1, "Elias Brandt", "Captain")
            };
            Form::of(&candidate).key
        };
        let captain = key(&["Captain"], &[]);
        assert_eq!(captain, "Captain:elias brandt");
        assert_eq!(captain, key(&["Captain"], &["Agent", "Employee"]));
        let person = key(&["Captain"], &["Person"]);
        assert_eq!(person, "Captain<Person:elias brandt");
        assert_eq!(person, key(&["Captain"], &["Human", "Person"]));
        assert_eq!(key(&["Person"], &["Agent"]), key(&["Person"], &[]));
    }

    #[test]
    fn kinds_of_classes() {
        assert_eq!(Kind::of(["Person", "Thing"]), Kind::Person);
        assert_eq!(
            Kind::of(["https://schema.org/Organization"]),
            Kind::Organization
        );
        assert_eq!(Kind::of(["Lighthouse"]), Kind::Other);
        assert_eq!(Kind::of([]), Kind::Thing);
    }
}
