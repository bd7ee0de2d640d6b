//! News between nodes: each commit says what it means for the others, within its transaction, and every
//! node hears it a moment after. News are hints. Those that get lost are made up for: a node that was
//! out of hearing is told so, and what is kept of settings is compared by their number.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::task::JoinHandle;

use super::super::News;
use super::super::changes::Pass;
use super::super::sql::{CommitNews, Follower};
use super::options::Sharing;
use super::sessions::Sessions;
use crate::domain::{LeadId, QueueKey, RepKey};

/// The channel of this database.
const CHANNEL: &str = "nextlead";
/// What the server takes in one piece.
const PAYLOAD_LENGTH_MAX: usize = 7_900;
/// How long it may be quiet before the node makes sure that it still hears.
const QUIET: Duration = Duration::from_secs(5);
/// How long that may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a node that cannot hear waits before it tries again.
const PAUSE: Duration = Duration::from_millis(500);

/// News as they are sent.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Sent {
    node: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    settings: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ready: Vec<QueueKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    passes: Vec<(RepKey, LeadId, i64)>,
    /// There was too much to say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    incomplete: bool,
}

/// The statement by which a commit tells its news; nothing if there are none.
pub(super) fn notify(node: &str, news: &CommitNews) -> String {
    if !news.is_of_settings && news.ready.is_empty() && news.passes.is_empty() {
        return String::new();
    }
    let sent = Sent {
        node: node.to_owned(),
        settings: news.is_of_settings,
        ready: news.ready.iter().copied().collect(),
        passes: news.passes.iter().map(|pass| (pass.rep, pass.lead, pass.until)).collect(),
        incomplete: false,
    };
    let text = |sent: &Sent| serde_json::to_string(sent).expect("numbers are JSON");
    let mut payload = text(&sent);
    if payload.len() > PAYLOAD_LENGTH_MAX {
        // Who hears that looks at everything, so nothing else need be said: queues may be many, too.
        payload = text(&Sent { incomplete: true, ready: vec![], passes: vec![], ..sent });
    }
    // Nothing in it but numbers and the node's name, which is of our making.
    format!("NOTIFY {CHANNEL}, '{payload}';")
}

/// Stops to hear when it is dropped.
pub(super) struct Hearing(Option<JoinHandle<()>>);

impl Drop for Hearing {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

/// Hears the others' news from here on, if there may be others.
pub(super) fn hear(sessions: &Sessions, node: &str) -> (Follower, Hearing) {
    let follower: Follower = Arc::new(OnceLock::new());
    if sessions.options().sharing == Sharing::Alone {
        return (follower, Hearing(None));
    }
    let ear = Ear { sessions: sessions.clone(), node: node.to_owned(), follower: follower.clone() };
    (follower, Hearing(Some(tokio::spawn(ear.run()))))
}

struct Ear {
    sessions: Sessions,
    node: String,
    follower: Follower,
}

impl Ear {
    async fn run(self) {
        loop {
            if let Err(error) = self.listen().await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "cannot hear other nodes"
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Hears until the connection is lost.
    async fn listen(&self) -> Result<(), sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(ANSWER_TIMEOUT);
        let pool = pool.connect_lazy_with(self.sessions.ear());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        // Whatever was said before nobody heard.
        self.tell(Sent { settings: true, incomplete: true, ..Sent::default() }).await;
        loop {
            match tokio::time::timeout(QUIET, listener.try_recv()).await {
                Ok(Ok(Some(heard))) => match serde_json::from_str::<Sent>(heard.payload()) {
                    Ok(sent) if sent.node == self.node => {}
                    Ok(sent) => self.tell(sent).await,
                    Err(_) => {
                        self.tell(Sent { settings: true, incomplete: true, ..Sent::default() })
                            .await
                    }
                },
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    let asked = sqlx::query("SELECT 1").execute(&mut listener);
                    let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
                    tokio::time::timeout(ANSWER_TIMEOUT, asked).await.map_err(late)??;
                }
            }
        }
    }

    async fn tell(&self, sent: Sent) {
        let Some(follower) = self.follower.get() else { return };
        if sent.settings {
            follower.settings_changed().await;
        }
        let passes = sent.passes.into_iter();
        let news = News {
            ready: sent.ready,
            passes: passes.map(|(rep, lead, until)| Pass { rep, lead, until }).collect(),
            is_incomplete: sent.incomplete,
        };
        if news != News::default() {
            follower.others_committed(&news).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_say_what_matters_to_others_and_fit() {
        assert_eq!(notify("a1", &CommitNews::default()), "");
        let mut news = CommitNews { ready: [QueueKey(2)].into(), ..CommitNews::default() };
        assert_eq!(notify("a1", &news), r#"NOTIFY nextlead, '{"node":"a1","ready":[2]}';"#);
        let pass = |lead| Pass { rep: RepKey(1), lead: LeadId(lead), until: 1_700_000_000_000 };
        news.passes = (0..1_000).map(pass).collect();
        let text = notify("a1", &news);
        assert_eq!(text, r#"NOTIFY nextlead, '{"node":"a1","incomplete":true}';"#);
        news =
            CommitNews { ready: (1_000..9_000).map(QueueKey).collect(), ..CommitNews::default() };
        assert_eq!(notify("a1", &news), text);
    }
}
