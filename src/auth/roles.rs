//! Role by method: the one table of who may call what. A test walks every cell of it.

use crate::domain::Role;

use Role::{Admin, Intake, Manager, Marketing, Rep};

/// Which roles each method is open to. A method that is missing here is open to the admin alone.
pub const METHODS: &[(&str, &[Role])] = &[
    ("/nextlead.v1.RepService/NextLead", &[Rep, Admin]),
    ("/nextlead.v1.RepService/RenewLease", &[Rep, Admin]),
    ("/nextlead.v1.RepService/ReleaseLease", &[Rep, Admin]),
    ("/nextlead.v1.RepService/RateLead", &[Rep, Admin]),
    ("/nextlead.v1.RepService/RecordTouch", &[Rep, Admin]),
    ("/nextlead.v1.RepService/ListCallbacks", &[Rep, Manager, Admin]),
    ("/nextlead.v1.IntakeService/UpsertCampaign", &[Intake, Admin]),
    ("/nextlead.v1.IntakeService/PauseCampaign", &[Intake, Manager, Admin]),
    ("/nextlead.v1.IntakeService/ListCampaigns", &[Intake, Manager, Marketing, Admin]),
    ("/nextlead.v1.IntakeService/UpsertLead", &[Intake, Admin]),
    ("/nextlead.v1.IntakeService/ImportLeads", &[Intake, Admin]),
    ("/nextlead.v1.IntakeService/RecordEngagement", &[Intake, Admin]),
    ("/nextlead.v1.IntakeService/RecordOutcome", &[Intake, Admin]),
    ("/nextlead.v1.IntakeService/SuppressContact", &[Intake, Manager, Admin]),
    ("/nextlead.v1.IntakeService/ImportSuppressions", &[Intake, Manager, Admin]),
    ("/nextlead.v1.IntakeService/ListSuppressions", &[Intake, Manager, Admin]),
    ("/nextlead.v1.IntakeService/EraseLead", &[Intake, Admin]),
    ("/nextlead.v1.RulesService/CheckRules", &[Manager, Admin]),
    ("/nextlead.v1.RulesService/PublishRules", &[Manager, Admin]),
    ("/nextlead.v1.RulesService/ListRuleVersions", &[Manager, Admin]),
    ("/nextlead.v1.QueueService/UpsertQueue", &[Manager, Admin]),
    ("/nextlead.v1.QueueService/ListQueues", &[Manager, Marketing, Admin]),
    ("/nextlead.v1.QueueService/UpsertRep", &[Manager, Admin]),
    ("/nextlead.v1.QueueService/ListReps", &[Manager, Admin]),
    ("/nextlead.v1.QueueService/AssignLead", &[Manager, Admin]),
    ("/nextlead.v1.QueueService/TransferLead", &[Manager, Admin]),
    ("/nextlead.v1.QueueService/PeekQueue", &[Manager, Admin]),
    ("/nextlead.v1.QueueService/ExplainLead", &[Manager, Admin]),
    ("/nextlead.v1.QueueService/TraceLead", &[Manager, Admin]),
    ("/nextlead.v1.CoverageService/GetCoverage", &[Marketing, Manager, Admin]),
    ("/nextlead.v1.CoverageService/ListUncontacted", &[Marketing, Manager, Admin]),
    ("/nextlead.v1.CoverageService/ListUnroutable", &[Marketing, Manager, Admin]),
    ("/nextlead.v1.CoverageService/GetQuality", &[Marketing, Manager, Admin]),
    ("/nextlead.v1.CoverageService/GetSkips", &[Marketing, Manager, Admin]),
    ("/nextlead.v1.CoverageService/AuditLedger", &[Marketing, Manager, Admin]),
    ("/nextlead.v1.CoverageService/ExportLeads", &[Marketing, Manager, Admin]),
    ("/nextlead.v1.CoverageService/ExportTouches", &[Marketing, Manager, Admin]),
    ("/nextlead.v1.AdminService/CreateToken", &[Admin]),
    ("/nextlead.v1.AdminService/RevokeToken", &[Admin]),
    ("/nextlead.v1.AdminService/ListTokens", &[Admin]),
    ("/nextlead.v1.AdminService/Backup", &[Admin]),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &EVERY_ROLE),
];

const EVERY_ROLE: [Role; 5] = [Rep, Manager, Marketing, Intake, Admin];

/// Whether anybody may call a method, without a token: whoever watches over a node has none.
pub fn is_open_to_all(path: &str) -> bool {
    matches!(path, "/grpc.health.v1.Health/Check" | "/grpc.health.v1.Health/Watch")
}

#[cfg(test)]
mod tests {
    use crate::auth::Caller;

    use super::*;

    #[test]
    fn a_role_opens_its_own_methods_and_no_others() {
        let may = |role, path| Caller { name: "x".into(), role, rep: None }.may(path);
        let next_lead = "/nextlead.v1.RepService/NextLead";
        assert!(may(Role::Rep, next_lead) && !may(Role::Marketing, next_lead));
        assert!(!may(Role::Rep, "/nextlead.v1.RulesService/PublishRules"));
        assert!(!may(Role::Manager, "/nextlead.v1.RepService/Unheard"));
        for (path, roles) in METHODS {
            for role in EVERY_ROLE {
                assert_eq!(may(role, path), roles.contains(&role), "{path} {role:?}");
            }
            assert!(may(Role::Admin, path), "{path}");
        }
    }
}
