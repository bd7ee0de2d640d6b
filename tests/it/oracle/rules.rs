//! The rules of the random day, as the model has them and as the server reads them.

use super::RESERVE_AFTER;

/// What becomes of all other dispositions.
const REST: &str = "[[after]]\ndispositions = [\"voicemail\", \"congestion\", \"dead_air\", \
    \"dropped_before_rep\", \"gatekeeper\", \"wrong_time\", \"not_interested\", \
    \"not_qualified\", \"language\", \"needs_specialist\"]\nthen = \"lost\"\n";

/// What a version of the rules gives.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) demo: i64,
    pub(super) per_score: i64,
    pub(super) fresh: i64,
}

impl Rules {
    pub(super) fn text(self) -> String {
        let Self { demo, per_score, fresh } = self;
        format!(
            "point_is = \"1m\"\n\
             [first_touch]\nwithin = \"4h\"\nreserve_after = {RESERVE_AFTER}\nclock = \"wall\"\n\
             [[value]]\nname = \"demo\"\nwhen = 'lead.source == \"demo\"'\npoints = {demo}\n\
             [[value]]\nname = \"score\"\npoints = 'lead.score * {per_score}.0'\n\
             [[value]]\nname = \"fresh\"\nwhen = 'lead.channel == \"web\"'\npoints = {fresh}\n\
             for_the_first = \"10m\"\n\
             [[after]]\ndispositions = [\"no_answer\", \"busy\"]\nretry_in = [\"5m\", \"20m\"]\n\
             attempts_max = 3\nthen = {{ nurture = \"40m\" }}\n{REST}"
        )
    }
}
