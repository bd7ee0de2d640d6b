//! What every [`Store`](nextlead::store::Store) promises. Add a check here, never to one of them.

mod caps;
mod desk;
mod duties;
mod engagements;
mod erasures;
mod feedback;
mod handovers;
mod leases;
mod outcomes;
mod owners;
mod postgres;
mod reports;
mod skips;
mod strangers;
mod suppressions;
mod sweeps;
mod tokens;
mod touches;
mod transfers;

use nextlead::store::{Clocking, PostgresOptions, PostgresStore, SqliteStore};

use crate::servers::Postgres;

/// The list of checks stands here once. A check that is missing from it is dead code, which the
/// build refuses. After each one the books must add up.
macro_rules! check_store {
    ($name:ident, $open:path) => {
        mod $name {
            check_store!(@ $open:
                handovers {
                    a_handover_opens_a_lead_that_reads_back,
                    the_same_handover_again_adds_nothing,
                    new_facts_replace_the_old_ones_but_a_stopped_number_stays_stopped,
                    an_equal_email_or_number_merges_unless_the_names_contradict,
                    a_merged_handover_that_is_sent_again_only_fills_in,
                    two_different_matches_open_a_lead_and_report_the_conflict,
                    a_number_of_more_than_three_leads_merges_nobody,
                    another_queue_is_not_matched,
                    a_closed_match_is_named_as_predecessor_and_leaves_nurture,
                    a_suppressed_handover_is_opened_and_closed,
                    what_new_facts_forbid_holds_at_once,
                    a_leased_lead_holds_its_new_numbers_or_leaves_the_rep_s_hands,
                    rows_of_one_batch_see_each_other,
                    a_handover_request_is_answered_again,
                }
                leases {
                    the_first_candidate_that_holds_is_leased_and_the_others_say_why_not,
                    a_lead_of_an_ended_campaign_is_closed_when_it_is_asked_for,
                    a_lead_of_a_paused_campaign_is_not_leased,
                    a_lead_without_a_number_to_dial_is_turned_down,
                    a_lead_that_does_not_fit_is_turned_down_as_it_stands,
                    a_rep_with_a_lease_gets_it_again,
                    one_lead_goes_to_one_of_many_reps,
                    one_rep_gets_one_of_many_leads,
                    a_number_is_in_one_hand,
                    an_expired_lease_frees_the_rep_and_holds_the_lead,
                    a_lease_past_its_grace_ends_when_the_lead_is_asked_for,
                    a_pull_is_answered_again_while_its_lease_stands,
                    a_renewal_needs_a_standing_lease_and_has_an_end,
                    a_renewal_of_what_may_not_be_dialled_any_more_ends_the_lease,
                    a_release_keeps_the_place_and_passes_the_rep,
                    a_nurture_whose_date_has_come_can_be_leased,
                }
                touches {
                    a_touch_under_its_lease_moves_the_lead,
                    a_touch_is_recorded_once,
                    a_touch_within_the_grace_is_in_time_and_a_later_one_is_late,
                    a_first_touch_is_kept_by_a_lease_or_a_system_alone,
                    a_stopped_number_is_not_held_and_the_last_one_closes,
                    never_again_closes_the_leads_of_every_queue,
                    never_again_counts_when_it_comes_late,
                    a_touch_brings_the_next_lead,
                    an_unknown_lead_cannot_be_touched,
                    who_may_see_one_queue_touches_no_lead_of_another,
                }
                sweeps {
                    a_sweep_frees_wakes_and_closes,
                    a_sweep_is_bounded,
                    a_nurture_does_not_outlive_its_campaign,
                    a_suppression_closes_every_open_carrier,
                    old_requests_and_passes_are_forgotten,
                }
                erasures {
                    an_erased_lead_stays_in_the_books_wherever_it_stood,
                    a_rep_loses_an_erased_lead_and_a_late_touch_tells_nothing,
                    a_suppression_outlives_the_erasure_of_whoever_said_never,
                    an_erased_handover_is_turned_away,
                    an_erasure_is_done_once_and_names_who_else_it_may_be,
                }
                engagements {
                    an_engagement_counts_once_and_is_kept,
                    a_handover_sent_again_leaves_recorded_engagements,
                    a_new_interest_wakes_nurture_with_its_history,
                    a_new_interest_ends_a_retry_and_no_callback,
                    nobody_suppressed_or_of_an_ended_campaign_is_woken,
                    an_erasure_takes_engagements_and_lets_none_in,
                }
                outcomes {
                    outcomes_are_summed_by_result_and_currency,
                    an_outcome_closes_no_lead_in_a_rep_s_hands,
                    an_erasure_keeps_the_sums_and_forgets_whose_they_are,
                }
                owners {
                    a_callback_is_promised_until_the_next_touch,
                    callbacks_come_in_pages_by_their_instants,
                    a_lead_belongs_to_whom_it_was_given_last,
                    a_handover_gives_an_owner_and_takes_none_away,
                    the_own_leads_of_a_rep_come_in_pages,
                    the_working_time_of_a_rep_reads_back,
                }
                transfers {
                    a_transfer_moves_a_lead_with_its_book_and_its_history,
                    a_lead_is_found_again_in_its_queue_alone,
                    what_cannot_be_transferred_is_refused_and_nothing_moves,
                    a_transfer_is_asked_for_once,
                    a_policy_hands_a_lead_on_in_the_touch_s_commit,
                    policies_hand_a_lead_on_so_often_and_no_more,
                    whatever_happens_both_books_add_up,
                }
                duties {
                    a_duty_is_one_node_s_until_it_is_over,
                    a_duty_that_was_given_up_is_free_and_lost,
                    one_of_many_nodes_gets_a_duty,
                    what_names_a_lost_duty_changes_nothing,
                    every_change_of_settings_is_counted,
                }
                reports {
                    the_roster_reads_back_and_a_campaign_keeps_its_queue,
                    a_campaign_counts_the_changes_of_its_skills,
                    rule_versions_are_numbered_and_read_back,
                    books_count_every_handover_once,
                    the_uncontacted_come_in_the_order_of_their_promises,
                    open_leads_come_in_pages,
                    a_history_comes_in_pages_whatever_was_written_between,
                    what_changed_of_late_is_told_once,
                    leads_are_exported_between_two_ids_whatever_the_filter,
                    touches_are_exported_as_they_were_recorded,
                    the_follower_is_told_of_each_lead_once_a_commit,
                    a_copy_is_whole_alone_and_goes_with_its_handle,
                    a_closed_store_says_so,
                }
                tokens {
                    a_token_reads_back_newest_first_and_in_pages,
                    the_token_of_an_unknown_rep_is_refused,
                    a_token_is_made_once_a_request,
                    a_token_is_revoked_once_and_is_live_no_more,
                    the_last_use_of_a_token_never_goes_back,
                }
                suppressions {
                    a_list_closes_every_open_carrier_and_counts_each_value_once,
                    one_commit_closes_a_bounded_number_of_leads,
                    suppressions_come_in_pages_and_erased_ones_as_hashes,
                }
                caps {
                    a_lead_at_its_cap_waits_to_the_instant_and_keeps_its_place,
                    of_two_windows_the_stricter_one_holds,
                    many_at_once_never_exceed_a_cap_of_shared_numbers,
                    a_touch_and_the_next_lead_in_one_call_count_the_dial,
                    a_release_gives_the_slot_back_and_an_expiry_does_not,
                    a_late_touch_that_was_no_call_frees_the_slot,
                    what_counts_are_outbound_calls_under_a_lease_or_without,
                    only_the_numbers_below_their_cap_may_be_dialled,
                    dials_outlive_an_erasure_and_are_forgotten_in_time,
                    time_alone_lets_no_call_be_forgotten_that_the_audit_looks_for,
                    a_suppression_ends_and_stays_listed,
                    a_person_is_suppressed_with_all_they_are_known_by,
                }
                feedback {
                    who_owes_feedback_gets_no_lead_until_it_is_given,
                    feedback_is_given_with_a_touch_or_by_its_rep,
                    feedback_is_counted_and_outlives_an_erasure,
                }
                skips {
                    one_skip_too_many_is_refused_and_the_lead_stays,
                    of_many_skips_at_once_as_many_pass_as_are_allowed,
                    a_lease_that_runs_out_is_a_skip_whether_or_not_it_was_swept,
                    old_skips_are_forgotten_and_their_counts_are_not,
                    serves_are_counted_by_hour_rep_worth_and_end,
                }
                strangers {
                    a_refused_change_fails_nobody_else,
                    the_books_add_up_after_a_random_walk,
                }
            );
        }
    };
    (@ $open:path: $($topic:ident { $($check:ident,)+ })+) => {$($(
        #[tokio::test]
        async fn $check() {
            let (store, _folder) = $open().await;
            let desk = super::desk::Desk::over(store).await;
            super::$topic::$check(&desk).await;
            desk.audit().await;
        }
    )+)+};
}

check_store!(on_sqlite, super::open_sqlite);
check_store!(on_postgres, super::open_postgres);

async fn open_sqlite() -> (SqliteStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("nextlead.db")).await.expect("a store");
    (store, folder)
}

/// A store in a database of its own, whose time the caller moves.
async fn open_postgres() -> (PostgresStore, ()) {
    let options = postgres_options(Postgres::shared().database());
    (PostgresStore::open(&options).await.expect("a store"), ())
}

fn postgres_options(url: String) -> PostgresOptions {
    PostgresOptions { clocking: Clocking::Caller, ..PostgresOptions::new(url) }
}
