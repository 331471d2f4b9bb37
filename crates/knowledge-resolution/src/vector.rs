//! What names mean, as vectors: how near two are, and blocks for those that are near.
//!
//! Blocks are locality-sensitive hashes (Charikar, 2002): each bit says on which side of a random
//! hyperplane a vector lies, and vectors at a small angle agree in most bits. Several bands of bits
//! each give a block, so that near vectors share one of them; the short bands serve small
//! organisations, the long ones those whose short bands are too full to say anything. Hyperplanes
//! are derived, so that blocks are the same in every release, process and machine.

use std::sync::{Arc, OnceLock};

use crate::hash::stable_hash;

/// Bands of bits.
const BANDS: usize = 16;
/// Bits of a band, and how many of them a shorter block goes by.
const BITS: [usize; 2] = [8, 14];
const MOST_BITS: usize = BITS[1];

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
    keys: OnceLock<Vec<u64>>,
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
            keys: OnceLock::new(),
        }))
    }

    /// The cosine of the angle between two; nothing between vectors of two models.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> Option<f64> {
        let (one, other) = (&self.0, &other.0);
        let comparable = one.space == other.space && one.values.len() == other.values.len();
        comparable.then(|| f64::from(dot(&one.values, &other.values)).clamp(-1.0, 1.0))
    }

    /// The keys of its blocks.
    pub(crate) fn keys(&self) -> &[u64] {
        self.0.keys.get_or_init(|| {
            let bands = (0..BANDS).flat_map(|band| {
                let bits = self.bits(band);
                BITS.map(|width| self.key(band, width, bits & ((1 << width) - 1)))
            });
            bands.collect()
        })
    }

    fn key(&self, band: usize, width: usize, bits: u64) -> u64 {
        let space = format!("{:x}", self.0.space);
        stable_hash(&["v", &space, &format!("{band}/{width}/{bits:x}")])
    }

    /// On which sides of a band's hyperplanes it lies.
    fn bits(&self, band: usize) -> u64 {
        (0..MOST_BITS).fold(0, |bits, at| {
            let plane = (band * MOST_BITS + at) as u64;
            let side = side(&self.0.values, plane);
            bits | (u64::from(side > 0.0) << at)
        })
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

/// The distance from a hyperplane whose normal is 1 or -1 in every dimension.
fn side(values: &[f32], plane: u64) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for (at, values) in (0_u64..).zip(values.chunks(64)) {
        let mut signs = mixed(plane << 32 | at);
        for values in values.chunks(8) {
            for (lane, value) in lanes.iter_mut().zip(values) {
                let sign = ((signs & 1) as u32) << 31;
                *lane += f32::from_bits(value.to_bits() ^ sign);
                signs >>= 1;
            }
        }
    }
    lanes.iter().sum()
}

/// Sixty-four bits of a counter (`SplitMix64`, Steele, Lea and Flood, 2014).
fn mixed(counter: u64) -> u64 {
    let mut bits = (counter.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Form, form::form_named};

    /// Numbers from -1 to 1 that only depend on the seed.
    fn noise(seed: u64, dimensions: u64) -> Vec<f32> {
        let number = |at| (mixed(seed << 20 | at) >> 40) as f32 / (1 << 23) as f32 - 1.0;
        (0..dimensions).map(number).collect()
    }

    fn vector(values: Vec<f32>) -> Vector {
        let centre = vec![0.0; values.len()];
        Vector::new("m", values, &centre).expect("it has a direction")
    }

    /// A vector, and one at about this cosine from it.
    fn pair(seed: u64, cosine: f32) -> (Vector, Vector) {
        let base = direction(noise(seed, 256)).expect("noise has a direction");
        let other = direction(noise(seed + 7_000, 256)).expect("noise has a direction");
        let across = (1.0 - cosine * cosine).sqrt();
        let near = base.iter().zip(&other);
        let near = near.map(|(base, other)| cosine * base + across * other);
        (vector(base.clone()), vector(near.collect()))
    }

    fn form(vector: Vector) -> Form {
        let mut form = form_named("x");
        form.vector = Some(vector);
        form
    }

    /// How many of 200 pairs at a cosine are looked at; `short` says whether short blocks say
    /// anything.
    fn meet(cosine: f32, short: bool) -> usize {
        let shared = (0..200).filter(|seed| {
            let (one, other) = pair(*seed, cosine);
            let (one, other) = (form(one), form(other));
            let (keys, others) = (one.meaning_keys(), other.meaning_keys());
            let block = |key| {
                let at = keys.iter().position(|own| *own == key);
                let says = at.is_some_and(|at| short || at % 2 == 1);
                let both: &[u8] = if says && others.contains(&key) {
                    &[1]
                } else {
                    &[]
                };
                both
            };
            !one.near(keys, block).is_empty()
        });
        shared.count()
    }

    #[test]
    fn near_vectors_share_a_block_and_far_ones_seldom_do() {
        let found = [0.95, 0.9, 0.8, 0.0].map(|cosine| meet(cosine, true));
        assert!(found[0] >= 198 && found[1] >= 190, "{found:?}");
        assert!(found[2] >= 140 && found[3] <= 4, "{found:?}");
        let found = [0.95, 0.9, 0.0].map(|cosine| meet(cosine, false));
        assert!(
            found[0] >= 190 && found[1] >= 160 && found[2] <= 4,
            "{found:?}"
        );
    }

    #[test]
    fn what_all_have_in_common_is_taken_away() {
        let common = noise(99, 256);
        let with = |seed: u64| {
            let own = noise(seed, 256);
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
        let (one, other) = pair(1, 0.9);
        let again = Vector::from_bytes("m", &one.to_bytes()).expect("it was a vector");
        assert_eq!(again, one);
        assert_eq!(again.keys(), one.keys());
        let cosine = one.cosine(&other).unwrap_or_default();
        assert!((cosine - 0.9).abs() < 0.1, "{cosine}");
        let foreign = Vector::from_bytes("another", &one.to_bytes()).expect("it was a vector");
        assert_eq!(foreign.cosine(&one), None);
        assert!(foreign.keys().iter().all(|key| !one.keys().contains(key)));
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
    fn stored_blocks_stay_what_they_are() {
        let keys = vector(vec![3.0, 1.0, -2.0]).keys()[..2].to_vec();
        assert_eq!(
            keys,
            [12_752_751_466_218_361_663, 9_160_474_595_556_191_364]
        );
    }
}
