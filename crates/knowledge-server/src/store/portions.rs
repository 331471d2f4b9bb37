//! Statements of few sizes.
//!
//! A statement that writes many rows has another text for every number of rows, and a database
//! reads each text before it can run it, which takes longer than to write the rows. Written in
//! portions of 64, 32, 16 and up to 8 rows, all rows are written by statements that it knows; named
//! in lists of 1, 2, 4 and so on to 1,024 keys, all keys are read by such. The driver keeps some
//! hundreds of statements: of many sizes they would take more memory than what they are about.

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

/// Keys that one statement names at most.
pub(super) const MOST_KEYS: usize = 1_024;

/// The keys in lists of few sizes, the last one filled up with a key that it names already.
pub(super) fn key_lists<T: Copy>(keys: &[T]) -> impl Iterator<Item = Vec<T>> {
    keys.chunks(MOST_KEYS).map(|keys| {
        let mut list = keys.to_vec();
        if let Some(last) = keys.last() {
            list.resize(keys.len().next_power_of_two(), *last);
        }
        list
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
    #[test]
    fn every_key_is_in_one_list_of_a_known_size() {
        for count in [0_usize, 1, 2, 3, 5, 1_000, 1_024, 1_025, 3_000] {
            let keys: Vec<usize> = (0..count).collect();
            let lists: Vec<Vec<usize>> = key_lists(&keys).collect();
            assert!(lists.iter().all(|list| list.len().is_power_of_two()));
            assert_eq!(lists.len(), count.div_ceil(MOST_KEYS));
            let mut named = lists.concat();
            named.dedup();
            assert_eq!(named, keys);
        }
    }
}
