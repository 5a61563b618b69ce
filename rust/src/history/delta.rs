//! What a batch changes: observations, what was inferred between their pages, and the states before
//! them in; events and rows out.
//!
//! Invariant: an auction's observations count in journal order. One that is older than the newest
//! seen before it changes no state; what it adds to the history needs the auction's events, which
//! are asked for. The states are only looked at.

use std::collections::BTreeSet;

use crate::history::closings::{Closed, Closings, Inferred};
use crate::history::course::{Course, runs};
use crate::history::courses::{Courses, Found, Words};
use crate::history::late::{Amends, Late, Past, Timelines};
use crate::history::state::{States, Touched};
use crate::rows::copy::{CopyStream, CopyWriter};
use crate::rows::record::{AuctionRow, EventKind, Sighting};

/// COPY bytes of an event or a row of `m26.auction`, at most but for an odd status.
const ROW_BYTES: usize = 320;
/// COPY bytes of a row of `m26.sighting` beside its part and its auctions.
const PAGE_BYTES: usize = 80;

/// Where a batch stands in the journal.
#[derive(Clone, Copy, Debug)]
pub struct Journal<'a> {
    /// The part.
    pub part: &'a str,
    /// Place of each page of the batch in the part.
    pub positions: &'a [i64],
    /// Auctions that were posted before it, microseconds, are pruned: nothing is told of them.
    pub since: i64,
}

/// What the observations of one page came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageCounts {
    /// Index of the page in the batch.
    pub page: usize,
    /// Observations.
    pub seen: usize,
    /// First observations of auctions.
    pub new: usize,
    /// Events of auctions that were known; without late ones.
    pub changed: usize,
    /// Late observations that are events: states that nobody else had told.
    pub late: usize,
    /// Events of kind listed.
    pub listed: usize,
    /// Events of kind bid.
    pub bid: usize,
    /// Events of kind closed.
    pub closed: usize,
    /// Events of any kind: with late ones, and the states that those make to be told again.
    pub events: usize,
}

/// What some rows of a batch change.
#[derive(Debug)]
pub struct Delta {
    /// COPY stream of [`crate::rows::record::Event`]s.
    pub events: CopyStream,
    /// The events among and after them that repeat another.
    pub closed: Vec<Closed>,
    /// COPY stream of [`crate::rows::record::Current`] rows that are new.
    pub listed: CopyStream,
    /// COPY stream of [`crate::rows::record::Current`] rows that change; their `first_seen` is not meant.
    pub rewritten: CopyStream,
    /// COPY stream of [`Sighting`]s.
    pub sightings: CopyStream,
    /// Counts of each page that has a sighting.
    pub pages: Vec<PageCounts>,
    /// The states afterwards, for [`States::accept`] once the streams are sent.
    pub touched: Touched,
    /// Platform and id of the auctions with late rows, whose events are wanted: with those, derive
    /// again. None of its late rows are events yet. Empty where events were given.
    pub wanted: BTreeSet<(String, i64)>,
    /// What rows change beside.
    pub amends: Amends,
    /// Auctions of which something was seen or inferred, and not told, as they are pruned.
    pub pruned: Vec<i64>,
}

/// Derive what `rows`, consecutive rows of a batch, change; `head` is the last event's number.
/// `inferred` comes in the order of its pages; of an auction that neither is held nor was shown
/// before, it changes nothing. `past` is given where an earlier answer wanted it: every event of
/// those auctions.
///
/// # Panics
/// A page of `rows` has no position.
#[must_use]
pub fn derive(
    from: &States,
    rows: &[AuctionRow],
    head: i64,
    journal: Journal<'_>,
    inferred: &[Inferred],
    past: Option<&[Past]>,
) -> Delta {
    let mut words = Words::new(from);
    let mut timelines = Timelines::new(past, |text| words.number(text));
    // first all states are looked up, then used: so the waits for memory overlap
    let found: Vec<_> = rows.iter().map(|row| Found::of(row, &mut words)).collect();
    let unheld = found.iter().filter(|found| found.held.is_none()).count();
    let mut courses = Courses::new(rows.len());
    let mut pages = Pages::default();
    let mut events = CopyWriter::new(unheld, ROW_BYTES);
    let mut seq = head;
    let mut closings = Closings::new(inferred, journal.since);
    let mut pruned = Vec::new();
    for (index, (row, found)) in rows.iter().zip(&found).enumerate() {
        if closings.due.first().is_some_and(|next| next.page <= row.page) {
            closings.take(row.page, &mut courses, &mut words, &mut seq);
        }
        if row.posted_at.min(row.observed_at) < journal.since {
            pruned.push(row.auction_id);
            continue;
        }
        let course = courses.of(row, found, words.active);
        let status = words.number(&row.status);
        let meaning = words.list[status as usize].meaning;
        let event = if row.observed_at < course.newest {
            let late = Late { row, newest: course.newest, runs: runs(row, meaning) };
            let (event, told) = timelines.see(found.platform, status, late, &mut seq);
            if past.is_some() {
                pages.count_late(row, event.map(|event| event.kind), told);
            }
            event
        } else {
            let before = course.before(status, words.held(status));
            let told = closings.told(row);
            let kind = course.observe(index, row, status, before, (meaning, told));
            pages.count(row, before.is_none(), kind);
            seq += i64::from(kind.is_some());
            kind.map(|kind| course.event(seq, kind, row))
        };
        if let Some(event) = event {
            events.push(&event);
            if past.is_some() {
                timelines.tell(found.platform, status, &event);
            }
        }
    }
    closings.take(i32::MAX, &mut courses, &mut words, &mut seq);
    let sightings = pages.sightings(journal);
    let (listed, rewritten) = written(&courses.list, rows);
    let touched = Touched {
        states: courses.list.iter().filter_map(|course| course.after(rows)).collect(),
        words: words.list.iter().map(|word| word.spelling.into()).collect(),
        closed: courses.list.iter().filter_map(Course::closed).collect(),
    };
    let (events, pages) = (events.finish(), pages.counts);
    let Timelines { wanted, mut amends, .. } = timelines;
    amends.moved = courses.list.iter().filter_map(|course| course.moved(rows)).collect();
    pruned.append(&mut closings.pruned);
    Delta {
        events,
        closed: closings.closed,
        listed,
        rewritten,
        sightings,
        pages,
        touched,
        wanted,
        amends,
        pruned,
    }
}

/// The rows of `m26.auction` that are new, and those that change.
fn written(courses: &[Course<'_>], rows: &[AuctionRow]) -> (CopyStream, CopyStream) {
    let written = courses.iter().filter(|course| course.is_written(rows));
    let (mut new, mut changed): (Vec<_>, Vec<_>) = written.partition(|c| c.held.is_none());
    let encode = |courses: &mut Vec<&Course<'_>>| {
        // in the order of the primary key, as PostgreSQL likes to insert
        courses.sort_unstable_by_key(|course| (course.platform, course.auction_id));
        let mut writer = CopyWriter::new(courses.len(), ROW_BYTES);
        courses.iter().filter_map(|c| c.current(rows)).for_each(|row| writer.push(&row));
        writer.finish()
    };
    (encode(&mut new), encode(&mut changed))
}

/// What each page shows.
#[derive(Default)]
struct Pages<'r> {
    counts: Vec<PageCounts>,
    /// Platform and server time of each of `counts`.
    seen: Vec<(&'r str, i64)>,
    /// The auctions seen, page after page.
    auction_ids: Vec<i64>,
}

impl<'r> Pages<'r> {
    /// Count an observation; rows come page by page.
    fn count(&mut self, row: &'r AuctionRow, is_new: bool, kind: Option<EventKind>) {
        let Some(counts) = self.see(row, kind) else { return };
        counts.new += usize::from(is_new);
        counts.changed += usize::from(!is_new && kind.is_some());
        counts.events += usize::from(kind.is_some());
    }

    /// Count a late one: the kind of event that it made, and how many there are with it.
    #[cold]
    fn count_late(&mut self, row: &'r AuctionRow, kind: Option<EventKind>, events: usize) {
        let Some(counts) = self.see(row, kind) else { return };
        counts.late += usize::from(kind.is_some());
        counts.events += events;
    }

    #[inline]
    fn see(&mut self, row: &'r AuctionRow, kind: Option<EventKind>) -> Option<&mut PageCounts> {
        let page = usize::try_from(row.page).unwrap_or_default();
        if self.counts.last().is_none_or(|counts| counts.page != page) {
            self.counts.push(PageCounts { page, ..PageCounts::default() });
            self.seen.push((&row.platform, row.observed_at));
        }
        self.auction_ids.push(row.auction_id);
        let counts = self.counts.last_mut()?;
        counts.seen += 1;
        counts.listed += usize::from(kind == Some(EventKind::Listed));
        counts.bid += usize::from(kind == Some(EventKind::Bid));
        counts.closed += usize::from(kind == Some(EventKind::Closed));
        Some(counts)
    }

    fn sightings(&self, journal: Journal<'_>) -> CopyStream {
        let pages = self.counts.len();
        let ids = 12 * self.auction_ids.len() / pages.max(1);
        let mut writer = CopyWriter::new(pages, journal.part.len() + ids + PAGE_BYTES);
        let mut rest = &self.auction_ids[..];
        for (counts, &(platform, observed_at)) in self.counts.iter().zip(&self.seen) {
            let (auction_ids, others) = rest.split_at(counts.seen);
            rest = others;
            let pos = journal.positions[counts.page];
            writer.push(&Sighting { part: journal.part, pos, platform, observed_at, auction_ids });
        }
        writer.finish()
    }
}
