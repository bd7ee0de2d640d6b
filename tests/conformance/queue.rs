//! What every [`nextlead::queue::LeadQueue`] promises. Add a check here, never to one engine.

mod build;
mod flight;
mod kept;
mod liar;
mod loss;
mod oracle;
mod oracle_agrees;
mod order;
mod reserve;
mod shared;
mod support;
mod swap;
mod time;
mod versions;
mod view;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nextlead::queue::{MemoryQueue, RedisOptions, RedisQueue};

use crate::servers::{Redis, RedisCluster};

/// The list of checks stands here once. A check that is missing from it is dead code, which the
/// build refuses.
macro_rules! check_engine {
    ($engine:ident, $open:path, $case_count:literal) => {
        mod $engine {
            check_engine!(@ $open:
                build::a_queue_that_has_an_index_keeps_it_when_it_is_begun_again,
                build::a_swap_builds_a_queue_that_had_no_index,
                build::before_a_queue_is_built_everything_says_so,
                build::changes_of_a_queue_that_is_not_built_hold_up_no_other,
                build::what_an_index_holds_is_listed_whole_or_not_at_all,
                flight::a_dead_flight_ends_at_its_deadline_and_not_before,
                flight::a_lead_in_flight_is_not_offered_again,
                flight::a_served_lead_does_not_come_back,
                flight::nothing_is_forgotten_whatever_becomes_of_a_flight,
                flight::promote_never_does_more_than_its_limit,
                flight::what_is_put_back_stands_where_it_was,
                flight::what_was_removed_in_flight_is_not_put_back,
                kept::a_kept_lead_is_offered_to_its_rep_alone,
                kept::a_kept_lead_that_waits_is_ready_for_its_rep_first,
                kept::a_newer_entry_changes_for_whom_a_lead_is_kept,
                kept::a_swap_loses_nothing_that_is_kept,
                kept::beyond_the_last_lane_own_leads_need_their_skills_still,
                kept::changes_at_once_may_fill_a_list_and_empty_it,
                kept::many_that_get_free_at_once_do_so_in_bounded_slices,
                kept::own_callbacks_go_before_those_of_anyone,
                kept::own_leads_and_others_are_one_order_by_rank,
                kept::own_leads_need_skills_and_open_hours_all_the_same,
                kept::own_leads_that_were_passed_are_skipped_and_not_lost,
                kept::own_leads_whose_hours_are_closed_hold_nothing_up,
                kept::people_see_what_is_kept_and_for_whom,
                kept::promote_frees_what_was_kept_in_slices,
                kept::the_reserve_is_over_own_leads_and_others,
                kept::what_is_kept_is_counted_apart,
                kept::what_is_kept_until_an_instant_is_anyones_from_then_on,
                kept::what_is_put_back_is_kept_as_before,
                order::a_callback_goes_before_any_rank,
                order::a_head_start_counts_as_waiting,
                order::a_lane_that_comes_later_is_open_too,
                order::a_lead_needs_every_skill_of_its_lane,
                order::a_lead_without_hours_is_never_served,
                order::beyond_the_last_lane_skills_are_still_checked,
                order::closed_hours_close_a_lane,
                order::passed_leads_are_skipped_and_not_lost,
                order::queues_do_not_mix,
                order::several_candidates_are_those_of_as_many_pulls,
                order::sets_of_hours_are_told_apart_however_many_there_were,
                order::the_longest_wait_goes_first_and_a_tie_ends_at_the_id,
                reserve::a_callback_leaves_the_debt_alone,
                reserve::a_missing_debt_serves_the_untouched_first,
                reserve::callbacks_go_before_the_reserve,
                reserve::ordinary_pulls_raise_the_debt_to_the_reserve,
                reserve::the_debt_is_capped_at_twice_the_reserve,
                reserve::the_debt_is_the_reps_own,
                reserve::the_debt_stays_while_candidates_are_only_proposed,
                reserve::the_reserve_keeps_its_order,
                reserve::the_reserve_stays_within_open_lanes,
                swap::a_lead_that_changed_beside_the_stage_holds_up_the_swap,
                swap::a_new_stage_drops_the_one_before,
                swap::a_removal_that_overtakes_the_page_it_is_about_holds,
                swap::a_staged_line_obeys_the_same_versions,
                swap::a_stage_that_ended_is_told_nothing_more,
                swap::debts_outlive_a_swap,
                swap::few_leads_that_changed_beside_the_stage_are_carried_over,
                swap::pulls_go_on_under_the_old_line_until_the_swap,
                swap::what_is_in_flight_stays_so_and_returns_as_the_new_line_ranks_it,
                swap::what_was_served_before_a_swap_needs_no_new_line,
                time::a_flood_that_fell_due_is_served_in_bounded_slices,
                time::a_waiting_lead_is_ready_at_its_instant_and_not_before,
                time::a_worth_that_ended_is_never_served_as_if_it_had_not,
                time::a_worth_that_ended_while_waiting_does_not_count,
                time::many_worths_that_end_together_are_ranked_in_slices,
                time::promote_makes_due_leads_ready_in_slices,
                versions::a_change_is_counted_if_it_changed_anything,
                versions::a_look_names_what_would_change_and_changes_nothing,
                versions::a_newer_put_moves_and_does_not_copy,
                versions::a_newer_put_ends_a_flight,
                versions::a_put_by_newer_rules_moves_and_leaves_its_flight_alone,
                versions::a_put_by_older_rules_counts_and_is_told,
                versions::a_put_into_newer_lanes_moves_and_an_older_one_is_told,
                versions::a_put_of_the_same_version_changes_nothing,
                versions::a_put_that_waits_takes_the_lead_out_of_line,
                versions::a_remove_of_an_older_version_is_ignored,
                versions::a_removed_lead_is_gone,
                versions::an_older_put_is_ignored_in_line_and_in_flight,
                view::a_census_counts_each_lane_for_whoever_looks,
                view::an_empty_queue_answers_like_one,
                view::counts_say_where_the_leads_are,
                view::counts_look_into_coarse_lanes,
                view::hours_are_those_of_the_lanes,
                view::peek_is_in_the_order_of_service,
                view::peek_sees_what_time_changed,
                view::place_of_counts_those_before,
                view::the_next_due_instant_is_the_first,
            );

            #[test]
            fn agrees_with_the_oracle() {
                let open = || async { super::support::begin($open().await).await };
                super::oracle_agrees::check($case_count, open);
            }
        }
    };
    (@ $open:path: $($part:ident::$check:ident,)+) => {$(
        #[tokio::test]
        async fn $check() {
            super::$part::$check(super::support::begin($open().await).await).await;
        }
    )+};
}

check_engine!(on_memory, super::open_memory, 256);
check_engine!(on_redis, super::open_redis, 48);
check_engine!(on_redis_cluster, super::open_redis_cluster, 24);

async fn open_memory() -> MemoryQueue {
    MemoryQueue::new()
}

/// An index of its own on a server that all checks share.
async fn open_redis() -> RedisQueue {
    static SERVER: LazyLock<Redis> = LazyLock::new(Redis::start);
    open_at(&SERVER.url()).await
}

/// An index of its own on a cluster that all checks share.
async fn open_redis_cluster() -> RedisQueue {
    static SERVERS: LazyLock<RedisCluster> = LazyLock::new(RedisCluster::start);
    open_at(&SERVERS.urls()).await
}

async fn open_at(urls: &str) -> RedisQueue {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let prefix = format!("check{}", COUNT.fetch_add(1, Ordering::Relaxed));
    // Many checks share two cores: what is slow here is not out of reach.
    let options = RedisOptions { prefix, timeout: Duration::from_secs(30) };
    RedisQueue::open(urls, options).await.unwrap()
}
