//! Bounded sets that do not depend on the order in which they were filled.

use serde::{Deserialize, Serialize};

use crate::hash::stable_hash;

/// The items with the smallest hashes of all that were ever added, at most [`Sketch::SIZE`].
///
/// Of a set that fits it holds everything; of a larger one, the same sample in whatever order the
/// items came. Sketches unite to the sketch of the union.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Sketch(Vec<String>);

impl Sketch {
    /// Items that are kept at most.
    pub const SIZE: usize = 32;

    /// Adds an item; whether the sketch has changed.
    pub fn add(&mut self, item: &str) -> bool {
        let Err(place) = self.place(item) else {
            return false;
        };
        if self.0.len() < Self::SIZE {
            self.0.reserve_exact(1);
            self.0.insert(place, item.to_owned());
            return true;
        }
        let order = |item: &str| (stable_hash(&[item]), item.to_owned());
        let last = self.0.iter().max_by_key(|item| order(item)).cloned();
        let Some(last) = last.filter(|last| order(item) < order(last)) else {
            return false;
        };
        self.0.retain(|kept| *kept != last);
        let place = self.place(item).unwrap_or_else(|place| place);
        self.0.insert(place, item.to_owned());
        true
    }

    fn place(&self, item: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|kept| kept.as_str().cmp(item))
    }

    /// Adds what another holds; whether this one has changed.
    pub fn unite(&mut self, other: &Self) -> bool {
        let added = other.0.iter().map(|item| self.add(item));
        added.fold(false, |changed, added| changed | added)
    }

    /// The items, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether an item is held.
    #[must_use]
    pub fn contains(&self, item: &str) -> bool {
        self.place(item).is_ok()
    }

    /// Items that both hold.
    #[must_use]
    pub fn shared(&self, other: &Self) -> usize {
        self.iter().filter(|item| other.contains(item)).count()
    }

    /// Items held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was ever added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<String>> for Sketch {
    fn from(items: Vec<String>) -> Self {
        items.iter().map(String::as_str).collect()
    }
}

impl From<Sketch> for Vec<String> {
    fn from(sketch: Sketch) -> Self {
        sketch.0
    }
}

impl<'a> FromIterator<&'a str> for Sketch {
    fn from_iter<T: IntoIterator<Item = &'a str>>(items: T) -> Self {
        let mut sketch = Self::default();
        for item in items {
            sketch.add(item);
        }
        sketch
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_does_not_matter(items in prop::collection::vec("[a-d]{1,3}", 0..90), at in 0_usize..90) {
            let forward: Sketch = items.iter().map(String::as_str).collect();
            let backward: Sketch = items.iter().rev().map(String::as_str).collect();
            let (left, right) = items.split_at(at.min(items.len()));
            let mut united: Sketch = left.iter().map(String::as_str).collect();
            united.unite(&right.iter().map(String::as_str).collect());
            prop_assert_eq!(&forward, &backward);
            prop_assert_eq!(&forward, &united);
            prop_assert!(forward.len() <= Sketch::SIZE);
        }

        #[test]
        fn a_change_is_told(items in prop::collection::vec("[a-z]{1,2}", 0..90)) {
            let mut sketch = Sketch::default();
            for item in &items {
                let before = sketch.clone();
                prop_assert_eq!(sketch.add(item), sketch != before);
            }
        }
    }
}
