//! Bytes that are no message, made out of the bytes of a good one.

use nextlead::api::proto::DESCRIPTORS;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Status, codegen::Bytes};

use super::random::Random;

pub(super) fn pool() -> DescriptorPool {
    DescriptorPool::decode(DESCRIPTORS).unwrap()
}

const WAYS: [&str; 12] = [
    "a cut field",
    "a cut tag",
    "field zero",
    "wire type 6",
    "wire type 7",
    "an open group",
    "a closed group",
    "groups in groups",
    "an endless number",
    "text that is not UTF-8",
    "another wire type",
    "garbage",
];

/// Bytes that cannot be read as this message, and how they were spoilt.
pub(super) fn spoilt(
    of: &MessageDescriptor,
    good: &[u8],
    random: &mut Random,
) -> (&'static str, Vec<u8>) {
    loop {
        let way = *random.pick(&WAYS);
        let mut bytes = good.to_vec();
        match way {
            // Field 15, of 100 bytes, of which three are there.
            "a cut field" => bytes.extend([0x7a, 100, 1, 2, 3]),
            "a cut tag" => bytes.push(0x80),
            "field zero" => bytes.extend([0x02, 0]),
            "wire type 6" => bytes.extend([0x0e, 0]),
            "wire type 7" => bytes.extend([0x0f, 0]),
            "an open group" => bytes.extend([0x7b, 0x08, 1]),
            "a closed group" => bytes.push(0x7c),
            "groups in groups" => bytes.extend([0x7b; 5_000]),
            "an endless number" => bytes.extend([0x78].iter().chain(&[0xff; 20])),
            "garbage" => bytes = (0..1 + random.below(300)).map(|_| random.next() as u8).collect(),
            _ => match spoilt_field(of, way, random) {
                Some(field) => bytes.extend(field),
                None => continue,
            },
        }
        // Garbage can happen to be a message of unknown fields.
        if DynamicMessage::decode(of.clone(), bytes.as_slice()).is_err() {
            return (way, bytes);
        }
    }
}

/// A field of the message as another type of wire would carry it, or a text that is none.
fn spoilt_field(of: &MessageDescriptor, way: &str, random: &mut Random) -> Option<Vec<u8>> {
    use prost_reflect::Kind;
    let fields: Vec<_> = of.fields().collect();
    if fields.is_empty() {
        return None;
    }
    let field = random.pick(&fields);
    let tag = field.number() << 3;
    assert!(tag < 128, "one byte is enough for the tag of a request's field");
    let is_text = matches!(field.kind(), Kind::String);
    match (way, is_text) {
        ("text that is not UTF-8", true) => Some(vec![tag as u8 | 2, 3, b'a', 0xff, 0xfe]),
        // Of four bytes: no field of ours is.
        ("another wire type", _) => Some(vec![tag as u8 | 5, 1, 2, 3, 4]),
        _ => None,
    }
}

/// Sends bytes as they are.
#[derive(Clone, Default)]
pub(super) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, bytes: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        prost::bytes::BufMut::put(buffer, bytes);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        use prost::bytes::Buf as _;
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}
