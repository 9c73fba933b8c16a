//! State and events in one commit: the store that composes ledgerstone's parts.
