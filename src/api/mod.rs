//! The door: gRPC, one file a service.

pub mod proto;
