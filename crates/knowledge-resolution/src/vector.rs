//! What names mean, as vectors: how near two are, and where in a forest those that are near lie.

use std::sync::{Arc, OnceLock};

use crate::{
    forest::{BITS, TREES},
    hash::stable_hash,
    rotation,
};

/// Vectors at a smaller cosine say nothing.
const FLOOR: f64 = 0.8;

/// Nor do vectors at a greater one: they are the same, as a model gives them to all names in
/// letters that it cannot read.
const SAME: f64 = 0.999;

/// Names that have nothing to do with each other. Vectors of a model have much in common whatever
/// they are of; the mean of these is what, and is taken away.
pub const PROBES: [&str; 24] = [
    "elias brandt (person)",
    "northern savings bank (organization)",
    "lake district (place)",
    "boeing 737 (product)",
    "battle of hastings (event)",
    "moby dick (work)",
    "insulin (substance)",
    "quantum mechanics (concept)",
    "maria okello (person)",
    "ministry of fisheries (organization)",
    "buenos aires (place)",
    "polar bear (animal)",
    "the night watch (work)",
    "world cup (event)",
    "carbon steel (material)",
    "tomato soup (thing)",
    "hiroshi tanaka (person)",
    "red cross (organization)",
    "sahara (place)",
    "python (software)",
    "influenza (disease)",
    "violin (thing)",
    "supreme court (organization)",
    "apollo 11 (event)",
];

/// The direction in which a text lies, without what all texts have in common; cheap to clone.
///
/// Vectors of two models say nothing of each other.
#[derive(Debug, Clone)]
pub struct Vector(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Names the model.
    space: u64,
    /// Of length 1.
    values: Vec<f32>,
    addresses: OnceLock<[u64; TREES]>,
}

impl PartialEq for Vector {
    fn eq(&self, other: &Self) -> bool {
        self.0.space == other.0.space && self.0.values == other.0.values
    }
}

/// The mean of vectors of one length, each taken as a direction; nothing where there is none.
#[must_use]
pub fn centre(vectors: &[Vec<f32>]) -> Option<Vec<f32>> {
    let mut sum = vec![0.0_f32; vectors.first()?.len()];
    for vector in vectors {
        let unit = direction(vector.clone())?;
        if unit.len() != sum.len() {
            return None;
        }
        for (sum, value) in sum.iter_mut().zip(unit) {
            *sum += value / vectors.len() as f32;
        }
    }
    Some(sum)
}

impl Vector {
    /// What a model says of a text, without what it says of all; nothing where that is nothing, or
    /// no vector of the centre's length.
    #[must_use]
    pub fn new(model: &str, said: Vec<f32>, centre: &[f32]) -> Option<Self> {
        let mut values = direction(said)?;
        if values.len() != centre.len() {
            return None;
        }
        for (value, common) in values.iter_mut().zip(centre) {
            *value -= common;
        }
        Some(Self::of(model, direction(values)?))
    }

    /// As [`Self::to_bytes`] gave it; nothing where it did not.
    #[must_use]
    pub fn from_bytes(model: &str, bytes: &[u8]) -> Option<Self> {
        let values = bytes.chunks_exact(4).map(|bytes| {
            let bytes: [u8; 4] = bytes.try_into().unwrap_or_default();
            f32::from_le_bytes(bytes)
        });
        let values: Vec<f32> = values.collect();
        let whole = !values.is_empty() && bytes.len().is_multiple_of(4);
        let finite = values.iter().all(|value| value.is_finite());
        (whole && finite).then(|| Self::of(model, values))
    }

    /// Little-endian, four bytes a number.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = self.0.values.iter().map(|value| value.to_le_bytes());
        bytes.collect::<Vec<_>>().concat()
    }

    /// How many numbers it has.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.0.values.len()
    }

    fn of(model: &str, values: Vec<f32>) -> Self {
        Self(Arc::new(Inner {
            space: stable_hash(&[model]),
            values,
            addresses: OnceLock::new(),
        }))
    }

    /// The cosine of the angle between two; nothing between vectors of two models.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> Option<f64> {
        let (one, other) = (&self.0, &other.0);
        let comparable = one.space == other.space && one.values.len() == other.values.len();
        comparable.then(|| f64::from(dot(&one.values, &other.values)).clamp(-1.0, 1.0))
    }

    /// Whether two may mean the same.
    #[must_use]
    pub fn is_near(&self, other: &Self) -> bool {
        let cosine = self.cosine(other);
        cosine.is_some_and(|cosine| (FLOOR..SAME).contains(&cosine))
    }

    /// Its address in each tree of a forest of its model's vectors.
    #[must_use]
    pub fn addresses(&self) -> &[u64; TREES] {
        let inner = &self.0;
        inner
            .addresses
            .get_or_init(|| rotation::words(&inner.values, BITS))
    }
}

/// A vector of length 1; nothing where it has no direction.
fn direction(mut values: Vec<f32>) -> Option<Vec<f32>> {
    let length = dot(&values, &values).sqrt();
    let directed = length.is_finite() && length > 1e-6;
    directed.then(|| {
        for value in &mut values {
            *value /= length;
        }
        values
    })
}

/// Summed in eight lanes, always in the same order, so that every machine gets the same.
fn dot(one: &[f32], other: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for (one, other) in one.chunks(8).zip(other.chunks(8)) {
        for ((lane, one), other) in lanes.iter_mut().zip(one).zip(other) {
            *lane += one * other;
        }
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotation::mixed;

    /// Numbers from -1 to 1 that only depend on the seed.
    fn noise(seed: u64) -> Vec<f32> {
        let number = |at| (mixed(seed << 20 | at) >> 40) as f32 / (1 << 23) as f32 - 1.0;
        (0..256).map(number).collect()
    }

    fn vector(values: Vec<f32>) -> Vector {
        let centre = vec![0.0; values.len()];
        Vector::new("m", values, &centre).expect("it has a direction")
    }

    #[test]
    fn what_all_have_in_common_is_taken_away() {
        let common = noise(99);
        let with = |seed: u64| {
            let own = noise(seed);
            let sum = common
                .iter()
                .zip(own)
                .map(|(common, own)| 3.0 * common + own);
            sum.collect::<Vec<f32>>()
        };
        let probes: Vec<Vec<f32>> = (0..24).map(|at| with(1_000 + at)).collect();
        let centre = centre(&probes).expect("there are probes");
        let unlike = |centre: &[f32]| {
            let of = |seed| Vector::new("m", with(seed), centre).expect("it has a direction");
            of(1).cosine(&of(2)).unwrap_or_default()
        };
        assert!(unlike(&vec![0.0; 256]) > 0.8);
        assert!(unlike(&centre).abs() < 0.25);
    }

    #[test]
    fn vectors_are_kept_as_they_are() {
        let one = vector(noise(1));
        let again = Vector::from_bytes("m", &one.to_bytes()).expect("it was a vector");
        assert_eq!(again, one);
        assert_eq!(again.addresses(), one.addresses());
        assert!(one.cosine(&again).is_some_and(|cosine| cosine > 0.999));
        let foreign = Vector::from_bytes("another", &one.to_bytes()).expect("it was a vector");
        assert_eq!(foreign.cosine(&one), None);
    }

    #[test]
    fn what_is_no_direction_is_no_vector() {
        for values in [
            vec![],
            vec![0.0, 0.0],
            vec![f32::NAN, 1.0],
            vec![f32::INFINITY, 1.0],
        ] {
            let centre = vec![0.0; values.len()];
            assert_eq!(Vector::new("m", values, &centre), None);
        }
        assert_eq!(Vector::from_bytes("m", &[]), None);
        assert_eq!(Vector::from_bytes("m", &[1, 2, 3, 4, 5]), None);
        assert_eq!(centre(&[]), None);
        assert_eq!(centre(&[vec![1.0], vec![1.0, 2.0]]), None);
    }

    #[test]
    fn stored_addresses_stay_what_they_are() {
        let vector = vector(vec![3.0, 1.0, -2.0]);
        assert_eq!(
            vector.addresses()[..2],
            [899_703_827_218_872_068, 7_353_416_641_099_188_231]
        );
    }
}
