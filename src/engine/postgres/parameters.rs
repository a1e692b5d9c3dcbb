//! Parameters of statements: bytes as they are stored, sent as they are.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo, Postgres};
use sqlx::{Encode, Type};

/// A parameter, in the form in which it travels.
pub(super) struct Bound {
    /// Whether it is text, of the client's encoding.
    pub(super) is_text: bool,
    /// The bytes.
    pub(super) bytes: Vec<u8>,
}

impl Type<Postgres> for Bound {
    fn type_info() -> PgTypeInfo {
        <[u8] as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Bound {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.bytes);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(match self.is_text {
            true => <str as Type<Postgres>>::type_info(),
            false => <[u8] as Type<Postgres>>::type_info(),
        })
    }
}
