//! Merges that somebody captures: all that a policy would be given, what it answered, and what watchers saw before and
//! after. Nothing of this is put together where nobody is captured.

use crate::evaluate::{Merged, call};
use crate::mask::json;
use crate::policy::{CapturedMerge, CapturedView, Opinion, PolicyHost};
use crate::presentity::Change;
use crate::view::Look;
use merge_core::live::LiveSet;
use merge_core::policy::{ViewCall, Watcher, write_input, write_view_input};
use merge_core::time::Millis;

/// Tells of a merge. The documents are as they were and are sent; empty where there is none.
pub(crate) fn merge(
    set: &LiveSet,
    now: Millis,
    change: &Change,
    merged: &Merged<'_>,
    (before, after): (&[u8], &[u8]),
    host: &mut dyn PolicyHost,
) {
    let params = merged.assignment.as_ref().map_or("{}", |assignment| &*assignment.params);
    let input = write_input(&call(set, now, change, params, host), &merged.builtin);
    let captured = CapturedMerge {
        now,
        reason: change.reason,
        etag: change.etag.as_deref(),
        assignment: merged.assignment.as_ref(),
        input,
        output: merged.output.as_deref(),
        failure: merged.failure.as_ref(),
        masked: merged.masked(),
        before: json(before),
        after: json(after),
    };
    host.captured(&set.presentity, &captured);
}

/// Tells of a view that was made of the document that was merged last.
pub(crate) fn view(
    look: &Look<'_>,
    watcher: &Watcher,
    answer: &Opinion,
    (before, after): (&[u8], &[u8]),
    host: &mut dyn PolicyHost,
) {
    let Look { identity, assignment, merged, now } = *look;
    let captured = CapturedView {
        watcher,
        input: write_view_input(&ViewCall { merged, watcher, now, params: &assignment.params }),
        output: answer.as_ref().ok().and_then(Option::as_deref),
        failure: answer.as_ref().err(),
        before: json(before),
        after: json(after),
    };
    host.captured_view(identity, &captured);
}
