//! Why an item or a page was not stored: a reason, a place, and text only when somebody prints it.

use std::fmt;

/// Reason codes of the quarantine. The text form is contract: it stands in `m26.reject.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The reply has no bytes.
    Empty,
    /// The reply is longer than [`crate::reply::envelope::MAX_PAGE_BYTES`], or a card than
    /// [`crate::card::card::MAX_CARD_BYTES`].
    TooLarge,
    /// More items than [`crate::reply::envelope::MAX_ITEMS`] in one page.
    TooMany,
    /// HTML, XML or something else that is not JSON.
    NotJson,
    /// JSON, but neither a list of auctions nor an error reply.
    UnknownShape,
    /// The newest listing is over 30 days old: another year's market.
    StaleMarket,
    /// Neither the reply nor its receiver says when it was made.
    NoTime,
    /// Not JSON by the grammar.
    Malformed,
    /// Nested deeper than [`crate::card::canon::MAX_DEPTH`].
    TooDeep,
    /// A control byte stands inside a string (repaired once, see `sanitize`).
    ControlByte,
    /// Bytes that are not UTF-8.
    BadUtf8,
    /// Half of a surrogate pair.
    LoneSurrogate,
    /// U+0000, which PostgreSQL cannot store in text.
    Nul,
    /// A number that is too large, or written too long, for where it must be stored.
    NumberRange,
    /// The same key twice in one object.
    DuplicateKey,
    /// A list element that is not an object.
    NotAnObject,
    /// A field without which the row means nothing is missing or null.
    Missing,
    /// A field of another JSON type than it must have.
    WrongType,
    /// A value outside what it can mean: negative price, time before 2000.
    OutOfRange,
    /// A value in a card's definition cannot be stored. The auction is, and the rest of the definition.
    CardMended,
}

/// Each reason with its code: [`Reason::ALL`] and [`Reason::code`] are made of the one table.
macro_rules! codes {
    ($(Self::$Reason:ident => $code:literal,)+) => {
        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$Reason),+];

            /// The code stored in the quarantine.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$Reason => $code,)+
                }
            }
        }
    };
}

codes! {
    Self::Empty => "empty",
    Self::TooLarge => "too_large",
    Self::TooMany => "too_many",
    Self::NotJson => "not_json",
    Self::UnknownShape => "unknown_shape",
    Self::StaleMarket => "stale_market",
    Self::NoTime => "no_time",
    Self::Malformed => "malformed",
    Self::TooDeep => "too_deep",
    Self::ControlByte => "control_byte",
    Self::BadUtf8 => "bad_utf8",
    Self::LoneSurrogate => "lone_surrogate",
    Self::Nul => "nul",
    Self::NumberRange => "number_range",
    Self::DuplicateKey => "duplicate_key",
    Self::NotAnObject => "not_an_object",
    Self::Missing => "missing",
    Self::WrongType => "wrong_type",
    Self::OutOfRange => "out_of_range",
    Self::CardMended => "card_mended",
}

impl Reason {
    /// Whether what has it is no JSON, as opposed to JSON that cannot be stored.
    pub(crate) fn is_of_grammar(self) -> bool {
        matches!(self, Self::Malformed | Self::ControlByte | Self::BadUtf8)
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Empty => "the reply is empty",
            Self::TooLarge => "larger than a reply (16 MiB) or a card (1 MiB) can be",
            Self::TooMany => "the reply lists more than 10,000 items",
            Self::NotJson => "the reply is not JSON",
            Self::UnknownShape => "the reply has no list of auctions and is no error reply",
            Self::StaleMarket => "the newest listing is more than 30 days older than the reply",
            Self::NoTime => "neither the reply nor its capture says when it was made",
            Self::Malformed => "not valid JSON",
            Self::TooDeep => "nested too deeply",
            Self::ControlByte => "a control byte inside a string",
            Self::BadUtf8 => "bytes that are not UTF-8",
            Self::LoneSurrogate => "half of a surrogate pair",
            Self::Nul => "a NUL character, which PostgreSQL cannot store",
            Self::NumberRange => "a number outside of what PostgreSQL can hold there",
            Self::DuplicateKey => "the same key twice in one object",
            Self::NotAnObject => "a list element that is not an object",
            Self::Missing => "a required field is missing",
            Self::WrongType => "a field of the wrong type",
            Self::OutOfRange => "a value outside its possible range",
            Self::CardMended => {
                "a value in the definition cannot be stored; all else of card and auction is"
            }
        }
    }
}

/// One failure: a reason, the byte offset it was noticed at, and the field if one is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub reason: Reason,
    /// Byte offset in the page.
    pub at: usize,
    /// The wire name of the field at fault.
    pub field: Option<&'static str>,
}

impl Fault {
    pub(crate) fn new(reason: Reason, at: usize) -> Self {
        Self { reason, at, field: None }
    }

    pub(crate) fn of_field(reason: Reason, at: usize, field: &'static str) -> Self {
        Self { reason, at, field: Some(field) }
    }

    /// The same fault, blamed on `field` unless a field is named already.
    pub(crate) fn in_field(mut self, field: &'static str) -> Self {
        self.field.get_or_insert(field);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.field {
            write!(f, "{field}: ")?;
        }
        write!(f, "{} (byte {})", self.reason.sentence(), self.at)
    }
}

impl std::error::Error for Fault {}
