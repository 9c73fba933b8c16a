//! Closing the active segment on demand, so that its file can be archived.

use std::path::PathBuf;

use crate::{
    EventLog, Result,
    append::{Appender, Tail},
};

impl EventLog {
    /// Closes the active segment and begins the next one: flush, index and footer, flush, next file, folder flush. Returns the
    /// path of the closed segment; if nothing was appended since the last one was closed, that one's. `None` when no closed
    /// segment holds an event: none was ever appended, or all were trimmed.
    pub fn rotate(&self) -> Result<Option<PathBuf>> {
        {
            let mut appender = self.ready_appender()?;
            self.close_newest(&mut appender)?;
        }
        self.reclaim();
        Ok(self.newest_closed())
    }

    /// The file of the newest closed segment that holds an event. Trimmed ones are removed, or about to be.
    pub(crate) fn newest_closed(&self) -> Option<PathBuf> {
        self.sealed_segments().pop().map(|segment| segment.path)
    }

    /// Closes the newest segment and begins an empty one, unless it is empty.
    pub(crate) fn close_newest(&self, appender: &mut Appender) -> Result<()> {
        if matches!(&appender.tail, Tail::Active(writer) if !writer.is_empty()) {
            self.seal(appender).map_err(|failure| appender.failed(failure))?;
        }
        if matches!(appender.tail, Tail::Sealed | Tail::Resting) {
            let timestamp_ms = appender.last_timestamp_ms;
            self.start_segment(appender, timestamp_ms).map_err(|failure| appender.failed(failure))?;
        }
        Ok(())
    }
}
