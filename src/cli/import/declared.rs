//! Asks the node which attributes the rules of a campaign's queue declare, and with which types: what
//! the rules will read decides how a cell is read.

use tonic::Code;

use super::field::Kind;
use super::types::DeclaredKinds;
use crate::api::client::Client;
use crate::api::proto::{
    ListCampaignsRequest, ListRuleVersionsRequest, RuleVersion, RuleVersionState,
};

const CAMPAIGN_PAGE_SIZE: i32 = 1_000;
/// How many versions are looked through for the one that decides.
const VERSION_PAGE_SIZE: i32 = 10;

/// The types that rules declare, or a sentence on why nobody knows.
pub(super) async fn declared_kinds(node: &Client, campaign: &str) -> Result<DeclaredKinds, String> {
    if campaign.is_empty() {
        return Err(
            "The campaign stands in a column, so no queue's rules were asked for types.".into()
        );
    }
    let queue_id = queue_of(node, campaign).await?;
    let request = ListRuleVersionsRequest {
        queue_id,
        page_size: VERSION_PAGE_SIZE,
        page_token: String::new(),
    };
    let answer = node.rules().list_rule_versions(request).await;
    let versions = answer.map_err(|status| unknown(status.code()))?.into_inner().rule_versions;
    let decides = |one: &&RuleVersion| one.state() == RuleVersionState::InForce;
    let version = versions.iter().find(decides).or(versions.first());
    Ok(version.map(|version| kinds_of(&version.text)).unwrap_or_default())
}

async fn queue_of(node: &Client, campaign: &str) -> Result<String, String> {
    let mut page_token = String::new();
    loop {
        let request = ListCampaignsRequest {
            queue_id: String::new(),
            page_size: CAMPAIGN_PAGE_SIZE,
            page_token,
        };
        let answer = node.intake().list_campaigns(request).await;
        let page = answer.map_err(|status| unknown(status.code()))?.into_inner();
        if let Some(found) = page.campaigns.into_iter().find(|one| one.campaign_id == campaign) {
            return Ok(found.queue_id);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Err(format!(
                "There is no campaign '{campaign}', so no rules were asked for types."
            ));
        }
    }
}

fn unknown(code: Code) -> String {
    match code {
        Code::PermissionDenied => {
            "This token may not read the queue's rules: types that they declare are not known."
        }
        _ => "The node did not tell the queue's rules: types that they declare are not known.",
    }
    .to_owned()
}

/// The fields that a document declares. Whether the rest of it makes sense was the node's to say.
fn kinds_of(document: &str) -> DeclaredKinds {
    let document: toml::Table = document.parse().unwrap_or_default();
    let fields = document.get("fields").and_then(toml::Value::as_table);
    let kind = |(name, kind): (&String, &toml::Value)| {
        Some((name.clone(), Kind::from_name(kind.as_str()?)?))
    };
    fields.into_iter().flatten().filter_map(kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_declares_types_by_name() {
        let kinds = kinds_of("queue = \"a\"\n[fields]\nsize = \"int\"\nplz = \"string\"\n");
        assert_eq!(kinds.len(), 2);
        assert_eq!((kinds["size"], kinds["plz"]), (Kind::Int, Kind::Text));
        assert!(kinds_of("queue = \"a\"\n").is_empty());
    }
}
