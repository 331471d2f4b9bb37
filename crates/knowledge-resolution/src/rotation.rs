//! Random rotations: in which of many random directions a vector points.
//!
//! The sign of a coordinate after a random rotation says on which side of a random hyperplane a
//! vector lies, and vectors at a small angle agree in most signs (Charikar, 2002). Three rounds of
//! random signs and a Hadamard transform rotate as well as a random matrix, at n log n instead of
//! n² (Andoni and others, 2015). The signs are derived, and sums are taken in one order, so that
//! every release, process and machine rotates alike.

/// Fewer coordinates are filled up with zeros to as many.
const SMALLEST: usize = 64;

/// Rounds of signs and transform; with fewer, vectors of few numbers stay what they are.
const ROUNDS: u64 = 3;

/// The first `COUNT` words of so many bits, the highest first, each bit a direction of its own.
pub(crate) fn words<const COUNT: usize>(values: &[f32], bits: u32) -> [u64; COUNT] {
    let mut sides = (0..).flat_map(|rotation| sides(values, rotation));
    std::array::from_fn(|_| {
        let sides = sides.by_ref().take(bits as usize);
        sides.fold(0, |word, side| word << 1 | u64::from(side))
    })
}

/// On which side of each axis a vector lies after a rotation.
fn sides(values: &[f32], rotation: u64) -> impl Iterator<Item = bool> + use<> {
    let size = values.len().next_power_of_two().max(SMALLEST);
    let mut turned = vec![0.0_f32; size];
    turned[..values.len()].copy_from_slice(values);
    for round in 0..ROUNDS {
        flip(&mut turned, rotation * ROUNDS + round);
        transform(&mut turned);
    }
    turned.into_iter().map(|value| value > 0.0)
}

/// Gives numbers random signs.
fn flip(values: &mut [f32], seed: u64) {
    for (at, values) in (0_u64..).zip(values.chunks_mut(64)) {
        let signs = mixed(seed << 32 | at);
        for (bit, value) in values.iter_mut().enumerate() {
            let sign = ((signs >> bit & 1) as u32) << 31;
            *value = f32::from_bits(value.to_bits() ^ sign);
        }
    }
}

/// The Hadamard transform of numbers whose number is a power of two, in place.
fn transform(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (ones, others) = pair.split_at_mut(half);
            for (one, other) in ones.iter_mut().zip(others) {
                (*one, *other) = (*one + *other, *one - *other);
            }
        }
        half *= 2;
    }
}

/// Sixty-four bits of a counter (`SplitMix64`, Steele, Lea and Flood, 2014).
pub(crate) fn mixed(counter: u64) -> u64 {
    let mut bits = (counter.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transform_keeps_angles() {
        let mut one: Vec<f32> = (0..128).map(|at| (mixed(at) % 100) as f32 - 50.0).collect();
        let mut other: Vec<f32> = one.iter().rev().copied().collect();
        let dot = |one: &[f32], other: &[f32]| -> f32 {
            one.iter().zip(other).map(|(one, other)| one * other).sum()
        };
        let before = dot(&one, &other);
        transform(&mut one);
        transform(&mut other);
        let after = dot(&one, &other) / 128.0;
        assert!(
            (after - before).abs() <= before.abs() / 1_000.0,
            "{before}, {after}"
        );
    }

    #[test]
    fn as_many_sides_differ_as_the_angle_says() {
        for dimensions in [2, 24, 96, 1_536] {
            for degrees in [10.0_f32, 37.0, 60.0, 90.0] {
                let mut one = vec![0.0; dimensions];
                let mut other = one.clone();
                one[0] = 1.0;
                other[0] = degrees.to_radians().cos();
                other[dimensions - 1] = degrees.to_radians().sin();
                let (one, other): ([u64; 64], [u64; 64]) = (words(&one, 63), words(&other, 63));
                let differ: u32 = one
                    .iter()
                    .zip(other)
                    .map(|(one, other)| (one ^ other).count_ones())
                    .sum();
                let share = f64::from(differ) / (64.0 * 63.0);
                let wanted = f64::from(degrees) / 180.0;
                assert!(
                    (share - wanted).abs() < 0.04,
                    "{dimensions}, {degrees}: {share}"
                );
            }
        }
    }
}
