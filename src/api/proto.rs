//! The messages and services of `proto/`, as Rust. Generated at build time and not kept, so that the
//! proto files are the only text of the API.
//!
//! Messages with something personal or secret in them show nothing in `Debug`; `build.rs` names them.

use std::fmt;

#[expect(clippy::allow_attributes, clippy::large_enum_variant, reason = "generated")]
mod generated {
    tonic::include_proto!("nextlead.v1");
}

pub use generated::*;

/// All proto files with their comments, encoded as a `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/nextlead_descriptors.bin"));

macro_rules! hide {
    ($($message:path),+) => {$(
        impl fmt::Debug for $message {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($message), "(hidden)"))
            }
        }
    )+};
}

hide!(
    Lead,
    LeadNumber,
    AttributeValue,
    Touch,
    RecordTouchRequest,
    RenewLeaseRequest,
    ReleaseLeaseRequest,
    SuppressContactRequest,
    ServedLead,
    CreateTokenResponse,
    BackupResponse
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message as _;
    use prost_types::{
        DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    };

    use super::*;

    // Field numbers of descriptor.proto: a comment's place is a path of them.
    const FILE_MESSAGE: i32 = 4;
    const FILE_ENUM: i32 = 5;
    const FILE_SERVICE: i32 = 6;
    const MESSAGE_FIELD: i32 = 2;
    const MESSAGE_ONEOF: i32 = 8;
    const ENUM_VALUE: i32 = 2;
    const SERVICE_METHOD: i32 = 2;

    type Place = (String, Vec<i32>);

    fn files() -> Vec<FileDescriptorProto> {
        let set = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
        set.file.into_iter().filter(|file| file.package() == "nextlead.v1").collect()
    }

    fn place(name: &str, path: &[i32], more: [i32; 2]) -> Place {
        (name.to_owned(), [path, &more].concat())
    }

    fn of_message(message: &DescriptorProto, path: &[i32]) -> Vec<Place> {
        let mut places = vec![(message.name().to_owned(), path.to_owned())];
        for (nth, field) in (0..).zip(&message.field) {
            places.push(place(field.name(), path, [MESSAGE_FIELD, nth]));
        }
        let made_up: BTreeSet<_> = message
            .field
            .iter()
            .filter(|field| field.proto3_optional())
            .filter_map(|field| field.oneof_index)
            .collect();
        for (nth, oneof) in (0..).zip(&message.oneof_decl) {
            if !made_up.contains(&nth) {
                places.push(place(oneof.name(), path, [MESSAGE_ONEOF, nth]));
            }
        }
        let maps = |one: &DescriptorProto| one.options.as_ref().is_some_and(|it| it.map_entry());
        assert!(message.nested_type.iter().all(maps), "{} nests a message", message.name());
        assert!(message.enum_type.is_empty(), "{} nests an enum", message.name());
        places
    }

    fn of_enum(one: &EnumDescriptorProto, path: &[i32]) -> Vec<Place> {
        let mut places = vec![(one.name().to_owned(), path.to_owned())];
        for (nth, value) in (0..).zip(&one.value) {
            places.push(place(value.name(), path, [ENUM_VALUE, nth]));
        }
        places
    }

    fn places(file: &FileDescriptorProto) -> Vec<Place> {
        let mut places = Vec::new();
        for (nth, message) in (0..).zip(&file.message_type) {
            places.extend(of_message(message, &[FILE_MESSAGE, nth]));
        }
        for (nth, one) in (0..).zip(&file.enum_type) {
            places.extend(of_enum(one, &[FILE_ENUM, nth]));
        }
        for (nth, service) in (0..).zip(&file.service) {
            places.push(place(service.name(), &[], [FILE_SERVICE, nth]));
            for (method_nth, method) in (0..).zip(&service.method) {
                let path = [FILE_SERVICE, nth];
                places.push(place(method.name(), &path, [SERVICE_METHOD, method_nth]));
            }
        }
        places
    }

    #[test]
    fn everything_in_the_api_has_a_comment() {
        let mut seen_count = 0;
        for file in files() {
            let info = file.source_code_info.as_ref().unwrap();
            let commented: BTreeSet<&[i32]> = info
                .location
                .iter()
                .filter(|one| !one.leading_comments().trim().is_empty())
                .map(|one| one.path.as_slice())
                .collect();
            for (name, path) in places(&file) {
                assert!(
                    commented.contains(path.as_slice()),
                    "{}: {name} has no comment",
                    file.name()
                );
                seen_count += 1;
            }
        }
        assert!(seen_count > 300, "{seen_count} things were looked at");
    }

    #[test]
    fn no_field_is_unsigned_and_every_enum_begins_unspecified() {
        for file in files() {
            for field in file.message_type.iter().flat_map(|message| &message.field) {
                let name = format!("{:?}", field.r#type());
                assert!(!name.contains("Uint") && !name.contains("Fixed"), "{}", field.name());
            }
            for one in &file.enum_type {
                assert!(one.value[0].name().ends_with("_UNSPECIFIED"), "{}", one.name());
            }
        }
    }

    #[test]
    fn what_is_personal_does_not_show_in_debug() {
        let lead = Lead { name: "Ann".into(), ..Lead::default() };
        let request = UpsertLeadRequest { lead: Some(lead), request_id: "r".into() };
        assert!(!format!("{request:?}").contains("Ann"));
        let served = ServedLead { lease_token: "secret".into(), ..ServedLead::default() };
        assert!(!format!("{served:?}").contains("secret"));
        let renewal = RenewLeaseRequest { lease_token: "secret".into(), ..Default::default() };
        assert!(!format!("{renewal:?}").contains("secret"));
        let made = CreateTokenResponse { token_text: "secret".into(), ..Default::default() };
        assert!(!format!("{made:?}").contains("secret"));
    }
}
