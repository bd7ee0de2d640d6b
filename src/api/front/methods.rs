//! What the front has to know of a method before its request is read: one message or a stream of them,
//! how long it may be, and whether the node must take it when it takes nothing else. The first comes
//! from the API's own descriptors, so a new method needs no entry here.

use std::collections::HashSet;

use prost::Message as _;
use prost_types::FileDescriptorSet;

use super::limits::Limits;
use crate::api::proto;

const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
/// The services whose requests carry leads or rules.
const DOCUMENTS: [&str; 2] = ["/nextlead.v1.IntakeService/", "/nextlead.v1.RulesService/"];

/// How a request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One message of at most so many bytes.
    One { length_max: usize },
    /// As many as the client likes, when it likes.
    Stream,
}

/// The methods of the API that take a stream, and those that answer with one.
pub(super) struct Methods {
    takers: HashSet<String>,
    givers: HashSet<String>,
}

impl Methods {
    pub(super) fn of_api() -> Self {
        let set = FileDescriptorSet::decode(proto::DESCRIPTORS).expect("the build wrote them");
        let mut takers = HashSet::from([REFLECTION.to_owned()]);
        let mut givers = HashSet::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    let (package, service) = (file.package(), service.name());
                    let path = format!("/{package}.{service}/{}", method.name());
                    if method.server_streaming() {
                        givers.insert(path.clone());
                    }
                    if method.client_streaming() {
                        takers.insert(path);
                    }
                }
            }
        }
        Self { takers, givers }
    }

    /// Whether a method of the API answers with a stream.
    pub(super) fn is_answered_at_length(&self, path: &str) -> bool {
        self.givers.contains(path)
    }

    pub(super) fn shape(&self, path: &str, limits: &Limits) -> Shape {
        if self.takers.contains(path) {
            return Shape::Stream;
        }
        let length_max = if DOCUMENTS.iter().any(|service| path.starts_with(service)) {
            limits.document_length_max
        } else {
            limits.message_length_max
        };
        Shape::One { length_max }
    }
}

/// Whether a call records what happened or gives back what is held: an overloaded node still takes
/// those, since they lose a fact or keep a lead from everybody else.
pub(super) fn is_urgent(path: &str) -> bool {
    matches!(
        path,
        "/nextlead.v1.RepService/RecordTouch"
            | "/nextlead.v1.RepService/ReleaseLease"
            | "/nextlead.v1.RepService/RenewLease"
    )
}

#[cfg(test)]
mod tests {
    use crate::auth::METHODS;

    use super::*;

    #[test]
    fn imports_are_streams_and_the_rest_has_a_length() {
        let (methods, limits) = (Methods::of_api(), Limits::default());
        let shape = |path| methods.shape(path, &limits);
        assert_eq!(shape("/nextlead.v1.IntakeService/ImportLeads"), Shape::Stream);
        assert_eq!(shape(REFLECTION), Shape::Stream);
        let one = |length_max| Shape::One { length_max };
        assert_eq!(shape("/nextlead.v1.RepService/NextLead"), one(65_536));
        assert_eq!(shape("/nextlead.v1.RulesService/PublishRules"), one(1_048_576));
        assert_eq!(shape("/nextlead.v1.IntakeService/UpsertLead"), one(1_048_576));
        assert_eq!(shape("/no.such.Service/Method"), one(65_536));
        let is_long = |path| methods.is_answered_at_length(path);
        assert!(is_long("/nextlead.v1.CoverageService/ExportLeads"));
        assert!(is_long("/nextlead.v1.AdminService/Backup"));
        assert!(!is_long("/nextlead.v1.RepService/NextLead") && !is_long(REFLECTION));
    }

    #[test]
    fn what_is_urgent_is_in_the_api() {
        let urgent = METHODS.iter().filter(|(path, _)| is_urgent(path));
        assert_eq!(urgent.count(), 3);
    }
}
