//! Closing the active segment on demand, so that its file can be archived.

use std::path::PathBuf;

use crate::{
    Error, EventLog, Result,
    append::{Appender, Tail},
};

impl EventLog {
    /// Closes the active segment and begins the next one: flush, index and footer, flush, next file, folder flush. Returns the
    /// path of the segment that was closed; when nothing was appended since the last one was closed, that one's.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when there is neither an event to close a segment with nor a closed segment.
    pub fn rotate(&self) -> Result<PathBuf> {
        let closed = {
            let mut appender = self.ready_appender()?;
            self.close_newest(&mut appender)?
        };
        self.reclaim();
        closed.ok_or_else(|| Error::InvalidArgument {
            argument: "rotate",
            message: "there is no event to close a segment with: argument=`rotate`".to_owned(),
        })
    }

    /// Makes the newest segment an empty one, unless it is. The path of the closed one before it, if there is one.
    pub(crate) fn close_newest(&self, appender: &mut Appender) -> Result<Option<PathBuf>> {
        if matches!(&appender.tail, Tail::Active(writer) if !writer.is_empty()) {
            self.seal(appender).map_err(|failure| appender.failed(failure))?;
        }
        let begin = matches!(appender.tail, Tail::Sealed);
        let closed = {
            let segments = self.segments.read();
            segments.iter().rev().nth(usize::from(!begin)).map(|segment| segment.path.clone())
        };
        if begin {
            let timestamp_ms = appender.last_timestamp_ms;
            self.start_segment(appender, timestamp_ms).map_err(|failure| appender.failed(failure))?;
        }
        Ok(closed)
    }
}
