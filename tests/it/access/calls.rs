//! Calls without generated clients: any method by its path, any bytes, any header.

use bytes::{Buf, BufMut};
use prost_reflect::prost::bytes;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

/// Bytes as they are.
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
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
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length).to_vec()))
    }
}

/// What a caller sees of an answer, down to the last byte, but for the date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: Code,
    pub(super) reason: String,
    message: String,
    details: Vec<u8>,
    metadata: Vec<String>,
}

impl Answer {
    fn ok() -> Self {
        Self {
            code: Code::Ok,
            reason: String::new(),
            message: String::new(),
            details: Vec::new(),
            metadata: Vec::new(),
        }
    }

    pub(super) fn of(status: &Status) -> Self {
        let headers = status.metadata().clone().into_headers();
        let shown = headers.iter().filter(|(name, _)| name.as_str() != "date");
        let mut metadata: Vec<_> =
            shown.map(|(name, value)| format!("{name}: {value:?}")).collect();
        metadata.sort();
        let info = status.get_details_error_info();
        Self {
            code: status.code(),
            reason: info.map(|info| info.reason).unwrap_or_default(),
            message: status.message().to_owned(),
            details: status.details().to_owned(),
            metadata,
        }
    }
}

/// Calls any method with one message, and looks at the first of its answers.
///
/// On the wire the four kinds of methods begin alike, so one way to call does for all.
pub(super) async fn call(
    channel: &Channel,
    path: &str,
    headers: &[&str],
    message: Vec<u8>,
) -> Answer {
    let mut request = Request::new(tokio_stream::once(message));
    for header in headers {
        let value: MetadataValue<_> = header.parse().unwrap();
        request.metadata_mut().append("authorization", value);
    }
    let path: PathAndQuery = path.parse().unwrap();
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let answered = match client.streaming(request, path, Raw).await {
        Ok(answers) => answers.into_inner().message().await,
        Err(status) => Err(status),
    };
    answered.map_or_else(|status| Answer::of(&status), |_| Answer::ok())
}
