//! What each attack costs.
