//! The one place that asks who calls. It stands before every service, reflection included, so that a
//! new service cannot forget it.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::{Request, Status};

use crate::auth::{Access, AuthError, Caller, Stay, is_open_to_all};
use crate::dialer::Dialer;

use super::Services;
use super::stay::during;

/// All services, behind the question who calls.
#[derive(Clone)]
pub(super) struct Gate<S> {
    service: S,
    access: Arc<Access>,
    dialer: Dialer,
}

impl<S> Gate<S> {
    pub(super) fn new(service: S, services: &Services) -> Self {
        Self { service, access: services.access.clone(), dialer: services.dialer.clone() }
    }

    fn admit(&self, request: &mut http::Request<Body>) -> Result<Stay, AuthError> {
        if is_open_to_all(request.uri().path()) {
            return Ok(Stay::endless());
        }
        let mut headers = request.headers().get_all(http::header::AUTHORIZATION).iter();
        let header = headers.next().map(http::HeaderValue::as_bytes);
        // Of two, one would count here and perhaps the other at a proxy in front.
        if headers.next().is_some() {
            return Err(AuthError::Unauthenticated);
        }
        let admitted = self.access.authorize(header, request.uri().path(), self.dialer.now())?;
        request.extensions_mut().insert(admitted.caller);
        Ok(admitted.stay)
    }
}

impl<S> Service<http::Request<Body>> for Gate<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        match self.admit(&mut request) {
            Ok(stay) => Box::pin(during(stay, self.service.call(request))),
            Err(error) => Box::pin(ready(Ok(Status::from(error).into_http()))),
        }
    }
}

/// The rep that a call of `RepService` is for: a rep's own token may leave them out, and names no other.
pub(super) fn rep_of<'a>(caller: &'a Caller, rep_id: &'a str) -> Result<&'a str, AuthError> {
    match &caller.rep {
        None => Ok(rep_id),
        Some(own) if rep_id.is_empty() || rep_id == own.as_str() => Ok(own.as_str()),
        Some(_) => Err(AuthError::OtherRep),
    }
}

/// Who sent a request.
pub(super) fn caller_of<T>(request: &Request<T>) -> Caller {
    let caller = request.extensions().get::<Caller>();
    caller.expect("the gate stands before every service").clone()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use crate::api::proto::DESCRIPTORS;
    use crate::auth::METHODS;

    #[test]
    fn the_table_of_roles_holds_every_method_once_and_nothing_else() {
        let set = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
        let mut methods = BTreeSet::new();
        for file in set.file.iter().filter(|file| file.package() == "nextlead.v1") {
            for service in &file.service {
                for method in &service.method {
                    let (service, method) = (service.name(), method.name());
                    methods.insert(format!("/nextlead.v1.{service}/{method}"));
                }
            }
        }
        methods.insert("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo".to_owned());
        let table: BTreeSet<String> = METHODS.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(table, methods);
        assert_eq!(METHODS.len(), methods.len());
    }
}
