//! Access tokens: kept, listed, revoked, used.

use nextlead::domain::{AccessToken, RepId, Role, TokenId};
use nextlead::store::{Denied, NewToken, StoreError, TokenPage};

use super::desk::{Desk, MINUTE_MS, START};

fn id(nth: u8) -> TokenId {
    TokenId::new(&format!("token-{nth}")).expect("an id")
}

pub(super) fn new(nth: u8) -> NewToken {
    NewToken {
        id: id(nth),
        name: format!("name {nth}"),
        role: Role::Intake,
        rep: None,
        hash: [nth; 32],
        expires_at: START + MINUTE_MS,
        actor: "admin".into(),
        now: START,
        request: None,
    }
}

fn all() -> TokenPage {
    TokenPage { live_at: None, before: None, limit: 100 }
}

pub(super) async fn make(desk: &Desk, new: NewToken) -> AccessToken {
    let kept = desk.store.create_token(new).await.expect("a token");
    assert!(!kept.is_replay);
    kept.token
}

async fn list(desk: &Desk, page: TokenPage) -> Vec<AccessToken> {
    desk.store.tokens(page).await.expect("a read")
}

pub(super) async fn a_token_reads_back_newest_first_and_in_pages(desk: &Desk) {
    let rep = RepId::new("rep-3").expect("an id");
    let first = make(desk, new(1)).await;
    let second = NewToken { role: Role::Rep, rep: Some(rep.clone()), ..new(2) };
    let second = make(desk, second).await;
    let third = make(desk, new(3)).await;

    assert_eq!((first.id.clone(), first.hash, first.role), (id(1), [1; 32], Role::Intake));
    assert_eq!((first.created_at, first.expires_at), (START, START + MINUTE_MS));
    assert_eq!((first.name.as_str(), first.created_by.as_str()), ("name 1", "admin"));
    assert_eq!((first.revoked.clone(), first.last_used_at), (None, None));
    assert_eq!((second.role, second.rep.clone()), (Role::Rep, Some(rep)));
    assert_eq!(list(desk, all()).await, [third.clone(), second.clone(), first.clone()]);
    let page = list(desk, TokenPage { limit: 2, ..all() }).await;
    assert_eq!(page, [third, second]);
    let page = TokenPage { before: Some(page[1].key), ..all() };
    assert_eq!(list(desk, page).await, [first]);
}

pub(super) async fn the_token_of_an_unknown_rep_is_refused(desk: &Desk) {
    let nobody = RepId::new("nobody").expect("an id");
    let token = NewToken { role: Role::Rep, rep: Some(nobody.clone()), ..new(1) };
    match desk.store.create_token(token).await {
        Err(StoreError::Denied(denied)) => assert_eq!(denied, Denied::UnknownRep(nobody)),
        other => panic!("expected a refusal: {other:?}"),
    }
    assert!(list(desk, all()).await.is_empty());
}

pub(super) async fn a_token_is_made_once_a_request(desk: &Desk) {
    let first = NewToken { request: desk.request("r1", 1), ..new(1) };
    let made = make(desk, first).await;

    let again = NewToken { request: desk.request("r1", 1), ..new(2) };
    let kept = desk.store.create_token(again).await.expect("the same token");
    let other = NewToken { request: desk.request("r1", 2), ..new(3) };
    let refused = desk.store.create_token(other).await;

    assert!(kept.is_replay);
    assert_eq!(kept.token, made);
    assert!(matches!(refused, Err(StoreError::Denied(Denied::RequestReused))), "{refused:?}");
    assert_eq!(list(desk, all()).await, [made]);
}

pub(super) async fn a_token_is_revoked_once_and_is_live_no_more(desk: &Desk) {
    let (first, second) = (make(desk, new(1)).await, make(desk, new(2)).await);
    let live = |at| TokenPage { live_at: Some(at), ..all() };

    let revoked = desk.store.revoke_token(&first.id, "boss", START + 5).await.expect("a change");
    let again = desk.store.revoke_token(&first.id, "other", START + 9).await.expect("a change");
    let unknown = desk.store.revoke_token(&id(9), "boss", START).await.expect("a change");

    let expected = AccessToken { revoked: Some((START + 5, "boss".into())), ..first };
    assert_eq!(revoked, Some(expected.clone()));
    assert_eq!((again, unknown), (Some(expected), None));
    assert_eq!(list(desk, live(START + MINUTE_MS - 1)).await, [second]);
    assert!(list(desk, live(START + MINUTE_MS)).await.is_empty());
}

pub(super) async fn the_last_use_of_a_token_never_goes_back(desk: &Desk) {
    let (first, second) = (make(desk, new(1)).await, make(desk, new(2)).await);
    let note = |uses: Vec<(TokenId, i64)>| desk.store.note_token_uses(uses);

    note(vec![(first.id.clone(), START + 7), (id(9), START)]).await.expect("noted");
    note(vec![(first.id, START + 3), (second.id, START + 4)]).await.expect("noted");

    let uses: Vec<_> = list(desk, all()).await.iter().map(|token| token.last_used_at).collect();
    assert_eq!(uses, [Some(START + 4), Some(START + 7)]);
}
