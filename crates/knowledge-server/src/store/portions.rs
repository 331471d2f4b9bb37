//! Statements of few sizes.
//!
//! A statement that writes many rows has another text for every number of rows, and a database
//! reads each text before it can run it, which takes longer than to write the rows. Written in
//! portions of 64, 32, 16 and up to 8 rows, all rows are written by statements that it knows.

/// Rows that one statement writes at most. SQLite binds at most 32,766 values; a row has up to 28.
const LARGEST: usize = 64;

/// As many rows are written by one statement, whatever their number.
const SMALL: usize = 8;

/// The rows in their order, in portions of few sizes.
pub(super) fn portions<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = match rows.len() {
            0 => return None,
            few @ 1..=SMALL => few,
            many => LARGEST.min(1 << many.ilog2()),
        };
        let (portion, rest) = rows.split_at(size);
        rows = rest;
        Some(portion)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_portion_of_a_known_size() {
        for count in [0, 1, 2, 3, 63, 64, 65, 200] {
            let rows: Vec<usize> = (0..count).collect();
            let portions: Vec<&[usize]> = portions(&rows).collect();
            assert_eq!(portions.concat(), rows);
            let known = |size: usize| size <= SMALL || size.is_power_of_two();
            assert!(portions.iter().all(|rows| known(rows.len())));
        }
        let sizes: Vec<usize> = portions(&[0; 103]).map(<[_]>::len).collect();
        assert_eq!(sizes, [64, 32, 7]);
    }
}
