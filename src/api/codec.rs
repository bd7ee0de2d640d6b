//! Reads and writes messages as tonic does, but for one thing: a request that is no protobuf message is
//! the client's mistake, `INVALID_ARGUMENT` with a reason, where tonic would blame the server.
//!
//! Generated clients use it too. An answer that cannot be read stays what it is: `INTERNAL`.

use std::any::type_name;
use std::collections::HashMap;
use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, DecodeBuf, Decoder};
use tonic::{Code, Status};
use tonic_prost::{ProstDecoder, ProstEncoder};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::status::DOMAIN;

/// The codec of every service; `build.rs` names it.
pub(super) struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> tonic::codec::Codec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Reader<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        Reader(ProstDecoder::new(BufferSettings::default()))
    }
}

/// Reads messages of one type.
pub(super) struct Reader<U>(ProstDecoder<U>);

impl<U: Message + Default> Decoder for Reader<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let is_request = type_name::<U>().ends_with("Request");
        self.0
            .decode(buffer)
            .map_err(|status| if is_request { unreadable(&status) } else { status })
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

/// What prost says names fields and wire types, and never a value.
fn unreadable(status: &Status) -> Status {
    let details = ErrorDetails::with_error_info("MESSAGE_INVALID", DOMAIN, HashMap::new());
    Status::with_error_details(Code::InvalidArgument, status.message(), details)
}
