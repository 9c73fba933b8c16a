//! What a verification has found, as plain objects.

#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use ledgerstone_canonical_store::Report;
use ledgerstone_event_log::LogReport;
use napi_derive::napi;

use crate::{environment::verification::Found, number::number};

/// What is wrong where.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeProblem {
    pub kind: String,
    pub file: String,
    pub offset: Option<f64>,
    pub message: String,
}

/// How much was looked at.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeChecked {
    pub files: f64,
    pub bytes: f64,
    pub entries: f64,
    pub events: f64,
}

/// What a verification has found; `omitted` problems are not listed.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeReport {
    pub problems: Vec<NativeProblem>,
    pub omitted: f64,
    pub checked: NativeChecked,
}

impl From<Report> for NativeReport {
    fn from(report: Report) -> Self {
        let problems = report.problems.into_iter().map(|problem| NativeProblem {
            kind: problem.kind.as_str().to_owned(),
            file: problem.file.to_string_lossy().into_owned(),
            offset: problem.offset.map(number),
            message: problem.what,
        });
        let checked = report.checked;
        Self {
            problems: problems.collect(),
            omitted: number(report.omitted),
            checked: NativeChecked {
                files: number(checked.files),
                bytes: number(checked.bytes),
                entries: number(checked.entries),
                events: number(checked.events),
            },
        }
    }
}

impl From<LogReport> for NativeReport {
    fn from(report: LogReport) -> Self {
        let mut problems = Report { omitted: report.omitted, ..Report::default() };
        report.damages.into_iter().for_each(|damage| problems.problem(damage));
        problems.checked.files = report.verified.files;
        problems.checked.bytes = report.verified.bytes;
        problems.checked.events = report.verified.events;
        problems.into()
    }
}

impl From<Found> for NativeReport {
    fn from(found: Found) -> Self {
        match found {
            Found::Store(report) => report.into(),
            Found::Log(report) => report.into(),
        }
    }
}
