//! Pages in; whether searches show auctions that have ended, out.

use serde::{Deserialize, Serialize};

use crate::market::asked::{Reply, Status};
use crate::market::found::question::Question;

/// Pages without an ended auction that show that they leave the list at once.
const BLANK_PAGES: u16 = 25;
/// The most of them where ended auctions were shown before.
const MOST_BLANK: u16 = 60;

/// Pages that showed one, and those since.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ends {
    /// Pages since one showed an ended auction, their rows, and the share of pages that show one.
    blank: (u16, u32),
    share: f64,
    pages: u8,
}

impl Default for Ends {
    fn default() -> Self {
        Self { blank: (0, 0), share: 0.5, pages: 0 }
    }
}

impl Ends {
    /// Take in a page.
    pub fn observe(&mut self, reply: &Reply, visible: &mut Question<bool>) {
        if reply.seen.is_empty() {
            return;
        }
        let ended = reply.seen.iter().filter(|seen| seen.status != Status::Active).count();
        if ended > 0 {
            self.share = 0.1 + self.share * 0.9_f64.powi(1 + i32::from(self.blank.0));
            self.blank = (0, 0);
            self.pages = self.pages.saturating_add(1);
            if self.pages >= 2 && visible.believed() != Some(true) {
                let why = format!("a search showed {ended} auctions that had ended");
                visible.settle(true, reply.at, why);
            }
            return;
        }
        let rows = u32::try_from(reply.seen.len()).unwrap_or(u32::MAX);
        self.blank = (self.blank.0.saturating_add(1), self.blank.1.saturating_add(rows));
        let enough = if visible.believed() == Some(true) {
            // so many that by chance one in a million runs would be as long
            let share = self.share.clamp(0.01, 0.9);
            ((-13.8 / (1.0 - share).ln()).ceil() as u16).clamp(8, MOST_BLANK)
        } else {
            BLANK_PAGES
        };
        let is_enough = self.blank.0 >= enough && self.blank.1 >= 1_000.min(u32::from(enough) * 20);
        if is_enough {
            self.pages = 0;
            if visible.believed() != Some(false) {
                let pages = self.blank.0;
                let why = format!("none of {pages} pages showed an auction that had ended");
                visible.settle(false, reply.at, why);
            }
        }
    }
}
