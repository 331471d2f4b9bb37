//! The kinds of names that the rules tell apart.

use knowledge_domain::core_type;

/// A core type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Person,
    Organization,
    Place,
    Date,
    Quantity,
    Work,
    Event,
    Thing,
}

impl Kind {
    /// The kinds, in the order of their declaration.
    pub(super) const ALL: [Self; 8] = [
        Self::Person,
        Self::Organization,
        Self::Place,
        Self::Date,
        Self::Quantity,
        Self::Work,
        Self::Event,
        Self::Thing,
    ];

    /// The name of the core type.
    pub(super) fn core_type(self) -> &'static str {
        match self {
            Self::Person => core_type::PERSON,
            Self::Organization => core_type::ORGANIZATION,
            Self::Place => core_type::PLACE,
            Self::Date => core_type::DATE,
            Self::Quantity => core_type::QUANTITY,
            Self::Work => core_type::WORK,
            Self::Event => core_type::EVENT,
            Self::Thing => core_type::THING,
        }
    }

    /// Whether it is a value rather than a name.
    pub(super) fn is_literal(self) -> bool {
        matches!(self, Self::Date | Self::Quantity)
    }
}
