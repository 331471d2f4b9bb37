//! Scalars that GraphQL does not have.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// A whole number of 64 bits; numbers and numerals are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Long(pub(crate) i64);

/// A whole number of 64 bits; numbers and numerals are accepted.
#[Scalar]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        let number = match &value {
            Value::Number(number) => number.as_i64(),
            Value::String(numeral) => numeral.parse().ok(),
            _ => return Err(InputValueError::expected_type(value)),
        };
        number
            .map(Self)
            .ok_or_else(|| InputValueError::custom("is no whole number of 64 bits"))
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

impl From<u64> for Long {
    fn from(value: u64) -> Self {
        Self(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

/// A count as GraphQL's 32-bit integer.
pub(crate) fn int(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_numerals_are_read() {
        for value in [Value::from(7), Value::from("7")] {
            assert_eq!(Long::parse(value).unwrap(), Long(7));
        }
        assert_eq!(Long::parse(Value::from(i64::MIN)).unwrap(), Long(i64::MIN));
        for value in [
            Value::from(1.5),
            Value::from(u64::MAX),
            Value::from("7.0"),
            Value::from(""),
            Value::from(true),
            Value::Null,
        ] {
            assert!(Long::parse(value).is_err());
        }
    }
}
