//! The bytes of records.

use bytes::Bytes;
use std::net::SocketAddr;
use tributary_sip::transaction::FlowId;

const VERSION: u8 = 1;
const SUM: usize = 4;

/// Why stored bytes are not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Too short to be anything.
    #[error("{0} bytes are too few for a record")]
    Short(usize),
    /// Written by another version of this program.
    #[error("record of version {0}, this program reads version {VERSION}")]
    Version(u8),
    /// Altered since it was written.
    #[error("check sum is {found:08x}, the bytes give {computed:08x}")]
    Sum {
        /// As stored.
        found: u32,
        /// As it should be.
        computed: u32,
    },
    /// A field is not what its type allows.
    #[error("field {field} at byte {at}: {what}")]
    Field {
        /// Which field.
        field: &'static str,
        /// Where in the record.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// Bytes are left over.
    #[error("{0} bytes after the last field")]
    TooLong(usize),
    /// The record is whole, but its document cannot be read any more.
    #[error("the stored document cannot be read: {0}")]
    Document(String),
}

pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new() -> Self {
        Self(vec![VERSION])
    }

    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn finish(mut self) -> Bytes {
        let sum = crc32(&self.0);
        self.0.extend_from_slice(&sum.to_le_bytes());
        self.0.into()
    }
}

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let Some((bytes, sum)) = bytes.split_last_chunk::<SUM>() else {
            return Err(RecordError::Short(bytes.len()));
        };
        let Some(&version) = bytes.first() else {
            return Err(RecordError::Short(SUM));
        };
        let (found, computed) = (u32::from_le_bytes(*sum), crc32(bytes));
        if found != computed {
            return Err(RecordError::Sum { found, computed });
        }
        if version != VERSION {
            return Err(RecordError::Version(version));
        }
        Ok(Self { bytes, at: 1 })
    }

    pub(super) fn end(self) -> Result<(), RecordError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            left => Err(RecordError::TooLong(left)),
        }
    }

    fn error(&self, field: &'static str, what: &'static str) -> RecordError {
        RecordError::Field { field, at: self.at, what }
    }

    fn number(&mut self, field: &'static str) -> Result<u64, RecordError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let Some(&byte) = self.bytes.get(self.at) else {
                return Err(self.error(field, "cut off"));
            };
            let part = u64::from(byte & 0x7f);
            if part << shift >> shift != part {
                return Err(self.error(field, "number too large"));
            }
            self.at += 1;
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.error(field, "number too long"))
    }

    fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], RecordError> {
        let length = self.number(field)?;
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        match end.and_then(|end| Some((end, self.bytes.get(self.at..end)?))) {
            Some((end, bytes)) => {
                self.at = end;
                Ok(bytes)
            }
            None => Err(self.error(field, "cut off")),
        }
    }
}

/// One kind of value in a record.
pub(super) trait Field: Sized {
    fn write(&self, writer: &mut Writer);
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, RecordError>;
}

macro_rules! unsigned {
    ($($kind:ty)+) => {$(
        impl Field for $kind {
            fn write(&self, writer: &mut Writer) {
                writer.number(u64::from(*self));
            }

            fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, RecordError> {
                let value = reader.number(field)?;
                Self::try_from(value).map_err(|_| reader.error(field, "number too large"))
            }
        }
    )+};
}

unsigned!(u8 u16 u32 u64);

impl Field for i64 {
    fn write(&self, writer: &mut Writer) {
        // Small negative numbers stay short: the sign goes into the lowest bit.
        writer.number(((*self << 1) ^ (*self >> 63)) as u64);
    }

    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, RecordError> {
        let value = reader.number(field)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

impl Field for Bytes {
    fn write(&self, writer: &mut Writer) {
        writer.bytes(self);
    }

    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, RecordError> {
        reader.bytes(field).map(Self::copy_from_slice)
    }
}

impl Field for String {
    fn write(&self, writer: &mut Writer) {
        writer.bytes(self.as_bytes());
    }

    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, RecordError> {
        let bytes = reader.bytes(field)?;
        Self::from_utf8(bytes.to_vec()).map_err(|_| reader.error(field, "not UTF-8"))
    }
}

impl<T: Field> Field for Option<T> {
    fn write(&self, writer: &mut Writer) {
        writer.number(u64::from(self.is_some()));
        if let Some(value) = self {
            value.write(writer);
        }
    }

    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, RecordError> {
        match reader.number(field)? {
            0 => Ok(None),
            1 => T::read(reader, field).map(Some),
            _ => Err(reader.error(field, "neither there nor not there")),
        }
    }
}

impl<T: Field> Field for Vec<T> {
    fn write(&self, writer: &mut Writer) {
        writer.number(self.len() as u64);
        self.iter().for_each(|item| item.write(writer));
    }

    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, RecordError> {
        // Nothing is reserved on the word of a number: an item that is not there ends the reading.
        let count = reader.number(field)?;
        (0..count).map(|_| T::read(reader, field)).collect()
    }
}

impl<A: Field, B: Field> Field for (A, B) {
    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
        self.1.write(writer);
    }

    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, RecordError> {
        Ok((A::read(reader, field)?, B::read(reader, field)?))
    }
}

/// The last field of a record, which an older one, and one that needs none, ends before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Last<T>(pub Option<T>);

impl<T> Default for Last<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Field> Field for Last<T> {
    fn write(&self, writer: &mut Writer) {
        if let Some(value) = &self.0 {
            value.write(writer);
        }
    }

    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, RecordError> {
        let there = reader.at < reader.bytes.len();
        there.then(|| T::read(reader, field)).transpose().map(Self)
    }
}

impl Field for FlowId {
    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, RecordError> {
        u64::read(reader, field).map(Self)
    }
}

impl Field for SocketAddr {
    fn write(&self, writer: &mut Writer) {
        writer.bytes(self.to_string().as_bytes());
    }

    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, RecordError> {
        let text = String::read(reader, field)?;
        text.parse().map_err(|_| reader.error(field, "not an address"))
    }
}

/// CRC-32 (IEEE), eight bytes at a time: table `n` carries a byte over `n` more bytes.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLES: [[u32; 256]; 8] = tables();
    let mut sum = !0_u32;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        let word = (u64::from_le_bytes(word) ^ u64::from(sum)).to_le_bytes();
        sum = word.iter().zip(TABLES.iter().rev()).fold(0, |sum, (&byte, table)| sum ^ table[byte as usize]);
    }
    let step = |sum: u32, &byte: &u8| TABLES[0][((sum ^ u32::from(byte)) & 0xff) as usize] ^ sum >> 8;
    !chunks.remainder().iter().fold(sum, step)
}

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        let mut table = 0;
        while table < 8 {
            tables[table][byte] = value;
            bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
                bit += 1;
            }
            table += 1;
        }
        byte += 1;
    }
    tables
}

#[cfg(test)]
pub(super) fn frame_for_tests(body: &[u8]) -> Bytes {
    frame_of_version_for_tests(VERSION, body)
}

#[cfg(test)]
pub(super) fn frame_of_version_for_tests(version: u8, body: &[u8]) -> Bytes {
    let mut writer = Writer(vec![version]);
    writer.0.extend_from_slice(body);
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_sum_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b"The quick brown fox jumps over the lazy dog"), 0x414f_a339);
        assert_eq!(crc32(b""), 0);
    }
}
