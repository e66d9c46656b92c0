//! Typed access to the fields of a map: kind, range and length in one place.

use super::error::{FieldError, FieldProblem};
use super::value::{Map, Value};

impl<'a> Map<'a> {
    /// The field that must be there.
    pub(super) fn required<'m, T>(
        &'m self,
        field: &'static str,
        read: impl FnOnce(&'m Value<'a>) -> Result<T, FieldProblem>,
    ) -> Result<T, FieldError> {
        let value = self.get(field).ok_or(FieldProblem::Missing);
        let read = value.and_then(read);
        read.map_err(|problem| FieldError { field, problem })
    }

    /// The field if it is there.
    pub(super) fn optional<'m, T>(
        &'m self,
        field: &'static str,
        read: impl FnOnce(&'m Value<'a>) -> Result<T, FieldProblem>,
    ) -> Result<Option<T>, FieldError> {
        let read = self.get(field).map(read).transpose();
        read.map_err(|problem| FieldError { field, problem })
    }
}

impl<'a> Value<'a> {
    pub(super) fn u64(&self) -> Result<u64, FieldProblem> {
        match self {
            Self::Unsigned(number) => Ok(*number),
            _ => Err(not("a number")),
        }
    }

    pub(super) fn u32(&self) -> Result<u32, FieldProblem> {
        u32::try_from(self.u64()?).map_err(|_| not("a number of 32 bits"))
    }

    pub(super) fn u16(&self) -> Result<u16, FieldProblem> {
        u16::try_from(self.u64()?).map_err(|_| not("a number of 16 bits"))
    }

    pub(super) fn u8(&self) -> Result<u8, FieldProblem> {
        u8::try_from(self.u64()?).map_err(|_| not("a number of 8 bits"))
    }

    pub(super) fn bool(&self) -> Result<bool, FieldProblem> {
        match self {
            Self::Bool(flag) => Ok(*flag),
            _ => Err(not("true or false")),
        }
    }

    /// Bytes, at most `max`.
    pub(super) fn bytes(&self, max: usize) -> Result<&'a [u8], FieldProblem> {
        match self {
            Self::Bytes(bytes) => at_most(max, bytes.len()).map(|()| *bytes),
            _ => Err(not("bytes")),
        }
    }

    /// Text of at most `max` bytes.
    pub(super) fn text(&self, max: usize) -> Result<&str, FieldProblem> {
        match self {
            Self::Text(text) => at_most(max, text.len()).map(|()| text.as_ref()),
            _ => Err(not("text")),
        }
    }

    /// An array of at most `max` elements, each read by `read`.
    pub(super) fn list<T>(
        &self,
        max: usize,
        read: impl Fn(&Self) -> Result<T, FieldProblem>,
    ) -> Result<Vec<T>, FieldProblem> {
        match self {
            Self::Array(values) => {
                at_most(max, values.len())?;
                values.iter().map(read).collect()
            }
            _ => Err(not("an array")),
        }
    }

    pub(super) fn map(&self) -> Result<&Map<'a>, FieldProblem> {
        match self {
            Self::Map(map) => Ok(map),
            _ => Err(not("a map")),
        }
    }
}

/// The problem of a value that is not what `expected` says.
pub(super) const fn not(expected: &'static str) -> FieldProblem {
    FieldProblem::Not { expected }
}

fn at_most(max: usize, got: usize) -> Result<(), FieldProblem> {
    if got > max {
        return Err(FieldProblem::TooLong { max, got });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_to_their_width() {
        assert_eq!(Value::from(65_535_u64).u16(), Ok(65_535));
        let too_big = Value::from(65_536_u64);
        assert_eq!(too_big.u16(), Err(not("a number of 16 bits")));
        assert_eq!(too_big.u32(), Ok(65_536));
        assert_eq!(Value::from(u64::MAX).u32(), Err(not("a number of 32 bits")));
    }

    #[test]
    fn one_kind_is_never_taken_for_another() {
        assert_eq!(Value::from("a").bytes(9), Err(not("bytes")));
        assert_eq!(Value::from(&b"a"[..]).text(9), Err(not("text")));
        assert_eq!(Value::Other.bool(), Err(not("true or false")));
        assert_eq!(Value::from(1_u64).bool(), Err(not("true or false")));
    }

    #[test]
    fn null_is_not_an_absent_field() {
        let map = Map::default().with("min_version", Value::Other);
        let error = map.optional("min_version", Value::u16).expect_err("null");
        assert_eq!(error.to_string(), "field min_version: not a number");
        assert_eq!(map.optional("max_version", Value::u16), Ok(None));
    }

    #[test]
    fn lengths_are_checked_before_elements() {
        let list: Value<'_> = [1_u64, 2, 3].into_iter().collect();
        let refused = FieldProblem::TooLong { max: 2, got: 3 };
        assert_eq!(list.list(2, Value::u64), Err(refused));
        assert_eq!(list.list(3, Value::u64), Ok(vec![1, 2, 3]));
    }
}
