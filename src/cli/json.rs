//! Any message of the API as JSON, read by its descriptor, so that a field added to `proto/` shows
//! up here without a line of code.
//!
//! Field names stay as in `proto/`. Every field is there: what was not given is `null`, `[]` or the
//! type's zero, so a program need not ask twice; only the branches of a oneof that were not taken
//! are left out. Instants are RFC 3339, a `…_duration` is `…_duration_ms` in whole milliseconds,
//! codes are in small letters without their prefix, an attribute's value is plain.

use std::any::type_name;
use std::collections::HashMap;
use std::sync::LazyLock;

use anyhow::{Context as _, bail};
use prost::Message;
use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint, skip_field};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, Duration, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    Timestamp,
};
use serde_json::{Map, Value, json};

use super::words::{enum_prefix, millis};
use crate::api::proto::DESCRIPTORS;

const PACKAGE: &str = ".nextlead.v1.";

struct Descriptors {
    messages: HashMap<String, DescriptorProto>,
    enums: HashMap<String, EnumDescriptorProto>,
}

static KNOWN: LazyLock<Descriptors> = LazyLock::new(|| {
    let set = FileDescriptorSet::decode(DESCRIPTORS).expect("the build made the descriptors");
    let mut known = Descriptors { messages: HashMap::new(), enums: HashMap::new() };
    for file in set.file {
        let package = format!(".{}.", file.package());
        for message in file.message_type {
            let name = format!("{package}{}", message.name());
            for nested in &message.nested_type {
                known.messages.insert(format!("{name}.{}", nested.name()), nested.clone());
            }
            known.messages.insert(name, message);
        }
        for one in file.enum_type {
            known.enums.insert(format!("{package}{}", one.name()), one);
        }
    }
    known
});

/// A message as JSON.
pub(super) fn of<M: Message>(message: &M) -> anyhow::Result<Value> {
    let name = type_name::<M>().rsplit("::").next().expect("a split has a last part");
    object(&format!("{PACKAGE}{name}"), message.encode_to_vec().as_slice())
}

fn object(type_path: &str, bytes: &[u8]) -> anyhow::Result<Value> {
    match type_path {
        ".google.protobuf.Timestamp" => return instant(&Timestamp::decode(bytes)?),
        ".google.protobuf.Duration" => return Ok(json!(millis(&Duration::decode(bytes)?))),
        _ => {}
    }
    let descriptor =
        KNOWN.messages.get(type_path).with_context(|| format!("{type_path} is not in the API"))?;
    let mut values = Map::new();
    for field in &descriptor.field {
        if field.oneof_index.is_none() || field.proto3_optional() {
            values.insert(field_name(field), absent(field));
        }
    }
    let mut rest = bytes;
    while rest.has_remaining() {
        let (tag, wire_type) = decode_key(&mut rest)?;
        let field = descriptor.field.iter().find(|field| u32::try_from(field.number()) == Ok(tag));
        match field {
            Some(field) => read_field(field, wire_type, &mut rest, &mut values)?,
            None => skip_field(wire_type, tag, &mut rest, Default::default())?,
        }
    }
    // A value that says its own type says it twice.
    if type_path == ".nextlead.v1.AttributeValue" {
        return Ok(values.into_iter().next().map_or(Value::Null, |(_, value)| value));
    }
    Ok(Value::Object(values))
}

fn instant(instant: &Timestamp) -> anyhow::Result<Value> {
    let at = jiff::Timestamp::new(instant.seconds, instant.nanos)?;
    Ok(Value::String(at.to_string()))
}

fn field_name(field: &FieldDescriptorProto) -> String {
    let name = field.name();
    if field.type_name() == ".google.protobuf.Duration" {
        return format!("{name}_ms");
    }
    name.to_owned()
}

fn is_map(field: &FieldDescriptorProto) -> bool {
    let entry = KNOWN.messages.get(field.type_name());
    entry.and_then(|one| one.options.as_ref()).is_some_and(|options| options.map_entry())
}

/// What a field is that was not sent.
fn absent(field: &FieldDescriptorProto) -> Value {
    if field.label() == Label::Repeated {
        return if is_map(field) { json!({}) } else { json!([]) };
    }
    if field.proto3_optional() {
        return Value::Null;
    }
    match field.r#type() {
        Type::Message | Type::Enum => Value::Null,
        Type::Bool => Value::Bool(false),
        Type::String | Type::Bytes => json!(""),
        Type::Double | Type::Float => json!(0.0),
        _ => json!(0),
    }
}

fn read_field(
    field: &FieldDescriptorProto,
    wire_type: WireType,
    rest: &mut &[u8],
    values: &mut Map<String, Value>,
) -> anyhow::Result<()> {
    let slot = values.entry(field_name(field)).or_insert_with(|| absent(field));
    if field.label() != Label::Repeated {
        *slot = read_value(field, wire_type, rest)?;
        return Ok(());
    }
    // Numbers come packed: many behind one key.
    let is_packed = wire_type == WireType::LengthDelimited
        && !matches!(field.r#type(), Type::String | Type::Message | Type::Bytes);
    let mut read = Vec::new();
    if is_packed {
        let mut packed = bytes_of(rest)?;
        let one =
            if field.r#type() == Type::Double { WireType::SixtyFourBit } else { WireType::Varint };
        while packed.has_remaining() {
            read.push(read_value(field, one, &mut packed)?);
        }
    } else {
        read.push(read_value(field, wire_type, rest)?);
    }
    match slot {
        Value::Array(array) => array.extend(read),
        Value::Object(map) => map.extend(read.into_iter().filter_map(entry)),
        _ => bail!("{} is not a list", field.name()),
    }
    Ok(())
}

/// The key and the value of a map's entry.
fn entry(mut entry: Value) -> Option<(String, Value)> {
    let key = entry.get("key")?.as_str()?.to_owned();
    Some((key, entry.get_mut("value")?.take()))
}

fn bytes_of<'bytes>(rest: &mut &'bytes [u8]) -> anyhow::Result<&'bytes [u8]> {
    let length = usize::try_from(decode_varint(rest)?)?;
    let (head, tail) = rest.split_at_checked(length).context("a message ends too early")?;
    *rest = tail;
    Ok(head)
}

fn read_value(
    field: &FieldDescriptorProto,
    wire_type: WireType,
    rest: &mut &[u8],
) -> anyhow::Result<Value> {
    Ok(match (field.r#type(), wire_type) {
        (Type::Message, WireType::LengthDelimited) => object(field.type_name(), bytes_of(rest)?)?,
        (Type::String, WireType::LengthDelimited) => json!(std::str::from_utf8(bytes_of(rest)?)?),
        (Type::Double, WireType::SixtyFourBit) => json!(rest.try_get_f64_le()?),
        (Type::Bool, WireType::Varint) => Value::Bool(decode_varint(rest)? != 0),
        (Type::Int32 | Type::Int64, WireType::Varint) => {
            json!(decode_varint(rest)?.cast_signed())
        }
        (Type::Enum, WireType::Varint) => code(field.type_name(), decode_varint(rest)?),
        (kind, _) => bail!("{} is of a type that this program cannot show: {kind:?}", field.name()),
    })
}

fn code(type_path: &str, number: u64) -> Value {
    let number = number.cast_signed();
    if number == 0 {
        return Value::Null;
    }
    let Some(one) = KNOWN.enums.get(type_path) else { return json!(number) };
    match one.value.iter().find(|value| i64::from(value.number()) == number) {
        Some(value) => {
            let name = value.name();
            json!(name.strip_prefix(&enum_prefix(one.name())).unwrap_or(name).to_ascii_lowercase())
        }
        None => json!(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::proto;

    #[test]
    fn a_message_shows_every_field_under_its_own_name() {
        let queue = proto::Queue {
            queue_id: "inside-sales".into(),
            lease_duration: Some(Duration { seconds: 90, nanos: 0 }),
            rule_version: -3,
            ..Default::default()
        };
        let value = of(&queue).unwrap();
        assert_eq!(value["queue_id"], "inside-sales");
        assert_eq!(value["lease_duration_ms"], 90_000);
        assert_eq!(value["grace_duration_ms"], Value::Null);
        assert_eq!(value["rule_version"], -3);
        assert_eq!(value["hours"], "");
    }

    #[test]
    fn attributes_are_plain_and_lists_are_lists() {
        let one = |value| proto::AttributeValue { value: Some(value) };
        let lead = proto::Lead {
            skills: vec!["de".into(), "en".into()],
            score: Some(1.5),
            attributes: [
                ("vip".to_owned(), one(proto::attribute_value::Value::BoolValue(false))),
                ("employees".to_owned(), one(proto::attribute_value::Value::IntValue(0))),
            ]
            .into(),
            ..Default::default()
        };
        let value = of(&lead).unwrap();
        assert_eq!(value["attributes"], json!({"vip": false, "employees": 0}));
        assert_eq!(value["skills"], json!(["de", "en"]));
        assert_eq!(value["score"], 1.5);
        assert_eq!(of(&proto::Lead::default()).unwrap()["score"], Value::Null);
    }

    #[test]
    fn codes_instants_and_oneofs_read_like_words() {
        let waiting = proto::WaitingStanding {
            until_time: Some(Timestamp { seconds: 0, nanos: 0 }),
            reason: proto::WaitReason::Callback as i32,
        };
        let standing =
            proto::Standing { standing: Some(proto::standing::Standing::Waiting(waiting)) };
        assert_eq!(
            of(&standing).unwrap(),
            json!({"waiting": {"until_time": "1970-01-01T00:00:00Z", "reason": "callback"}})
        );
        let served = proto::ServedLead { dispositions: vec![1, 2, 99], ..Default::default() };
        assert_eq!(of(&served).unwrap()["dispositions"], json!(["no_answer", "busy", 99]));
        assert_eq!(of(&proto::Touch::default()).unwrap()["disposition"], Value::Null);
    }
}
