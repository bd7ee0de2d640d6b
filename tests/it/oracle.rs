//! Random days through the door, beside a model that goes through every lead: before each pull it says who
//! must be served and by which order, and after the day where every lead stands. It is written from the
//! rules of the house, in plain code, and shares nothing with the server but the clock.
//!
//! `NEXTLEAD_TEST_DAYS` says how many days there are, `NEXTLEAD_TEST_STEPS` how many steps each has, and
//! `NEXTLEAD_TEST_SEED` with which seed they begin.

mod acts;
mod choice;
mod company;
mod day;
mod desk;
mod dice;
mod documents;
mod ends;
mod follows;
mod leads;
mod model;
mod places;
mod walls;

use day::{Day, Tally};
use nextlead::api::proto::ServeOrder;

use crate::ground::On;

const STEPS_DEFAULT: u64 = 600;

/// How many days there are unless somebody wants more: a step costs less where nothing travels.
fn days_default() -> u64 {
    if On::from_environment() == On::Sqlite { 6 } else { 2 }
}

fn wanted(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[tokio::test]
async fn every_pull_of_random_days_is_the_one_that_an_oracle_names() {
    let step_count = usize::try_from(wanted("NEXTLEAD_TEST_STEPS", STEPS_DEFAULT)).unwrap();
    let first = wanted("NEXTLEAD_TEST_SEED", 0);
    let mut all = Tally::default();
    for seed in first..first + wanted("NEXTLEAD_TEST_DAYS", days_default()) {
        let day = Day::start(seed).await.run(step_count).await;
        eprintln!("the day of seed {seed}: {day}");
        all.add(&day);
    }
    eprintln!("all days: {all}");
    for order in [ServeOrder::Callback, ServeOrder::FirstTouch, ServeOrder::Ordinary] {
        let count = all.served(order);
        assert!(count > 5, "{count} pulls by {order:?} say little");
    }
}

#[tokio::test]
async fn leads_of_random_days_live_where_the_oracle_has_them() {
    Day::start(0).await.check_places().await;
}
