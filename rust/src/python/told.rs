//! Plain tuples in, questions, replies and answers of the operator out; and what a planner says back.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::market::asked::{SECOND, Seen, Status};
use crate::market::found::{Ended, Flags, Notice, NoticeValue, Order, Recall};
use crate::market::lot::{Outcome, Verdict};
use crate::market::tracker::News;
use crate::rows::record::AuctionRow;

/// Offset and count of a search, or the ids of a refresh.
pub(super) type AskTuple = (Option<(u32, u32)>, Vec<i64>);
/// Id, status, bids, current bid, buyout price, posted (s), seconds left, median, card, copy,
/// acquired (s).
pub(super) type Row = (i64, String, i32, i64, i64, i64, i32, i64, i64, i64, i64);
/// Id, outcome, via, price, evidence, confidence, price confidence, after, before, closed at.
pub(super) type Label = (
    i64,
    &'static str,
    Option<&'static str>,
    Option<i64>,
    &'static str,
    f32,
    f32,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);
/// Flag, value as JSON text, why.
pub(super) type NoticeTuple = (&'static str, String, String);

/// Take the operator's word for one flag; None: that it cannot be.
pub(super) fn answer(flags: &mut Flags, flag: &str, value: &str) -> Option<()> {
    match flag {
        "order" => {
            flags.order = Some(match value {
                "newest" => Order::Newest,
                "ending" => Order::Ending,
                "random" => Order::Random,
                "none" => Order::None,
                _ => return None,
            });
        }
        "ended" => {
            flags.ended = Some(match value {
                "full" => Ended::Full,
                "omitted" => Ended::Omitted,
                "error" => Ended::Error,
                _ => return None,
            });
        }
        "recall" => {
            flags.recall = Some(match value.parse().ok()? {
                0 => Recall::Forever,
                seconds => Recall::Seconds(seconds),
            });
        }
        "paging" => flags.paging = Some(value.parse().ok()?),
        "visible" => flags.visible = Some(value.parse().ok()?),
        "page" => flags.page = Some(value.parse().ok()?),
        "truncate" => flags.truncate = Some(value.parse().ok()?),
        "batch" => flags.batch = Some(value.parse().ok()?),
        "ended_price" => {
            flags.final_price = Some(match value {
                "final" => true,
                "last_bid" => false,
                _ => return None,
            });
        }
        _ => return None,
    }
    Some(())
}

pub(super) fn seen(row: &Row) -> PyResult<Seen> {
    let unknown = || PyValueError::new_err(format!("{}: no status of an auction", row.1));
    let status = Status::of(&row.1).ok_or_else(unknown)?;
    Ok(Seen {
        auction_id: row.0,
        status,
        bids: row.2,
        current_bid: row.3,
        buyout_price: row.4,
        posted_at: row.5 * SECOND,
        seconds_remaining: row.6,
        median_price: row.7,
        card_id: row.8,
        card_instance_id: row.9,
        acquired_at: row.10 * SECOND,
    })
}

/// What a page's row shows, at the time that the page was served; None: nobody knows its status.
pub(super) fn shown(row: &AuctionRow) -> Option<Row> {
    let seen = row.seen(row.served_at, 0)?;
    Some((
        seen.auction_id,
        row.status.to_string(),
        seen.bids,
        seen.current_bid,
        seen.buyout_price,
        seen.posted_at / SECOND,
        seen.seconds_remaining,
        seen.median_price,
        seen.card_id,
        seen.card_instance_id,
        seen.acquired_at / SECOND,
    ))
}

pub(super) fn told(news: &News) -> (Vec<Label>, Vec<NoticeTuple>) {
    let labels = news.verdicts.iter().map(|(id, verdict)| label(*id, verdict)).collect();
    let notices = news.notices.iter().map(notice).collect();
    (labels, notices)
}

pub(super) fn notice(notice: &Notice) -> NoticeTuple {
    (notice.flag, json(&notice.value), notice.why.clone())
}

pub(super) fn json(value: &NoticeValue) -> String {
    match value {
        NoticeValue::Text(text) => format!("\"{text}\""),
        NoticeValue::Number(number) => number.to_string(),
        NoticeValue::Bool(value) => value.to_string(),
        NoticeValue::Null => "null".to_owned(),
    }
}

pub(super) fn label(id: i64, verdict: &Verdict) -> Label {
    let (outcome, via) = (verdict.fate.outcome(), verdict.fate.via());
    let known = |at: i64| (at != 0).then_some(at);
    let price = (outcome == Outcome::Sold).then_some(verdict.final_price);
    (
        id,
        outcome.name(),
        via,
        price,
        verdict.evidence.name(),
        verdict.confidence,
        verdict.price_confidence,
        known(verdict.closed_after),
        known(verdict.closed_before),
        known(verdict.closed_at),
    )
}
