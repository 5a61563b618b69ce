//! Stub until the real one lands.
use serde::{Deserialize, Serialize};

use crate::market::asked::{Ask, Reply};
use crate::market::board::Board;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order { Newest, Ending, Random, None }
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended { Full, Omitted, Error }
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recall { Forever, Seconds(u32) }
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Flags { pub order: Option<Order>, pub paging: Option<bool>, pub page: Option<u32>, pub truncate: Option<u32>, pub batch: Option<u32>, pub ended: Option<Ended>, pub recall: Option<Recall>, pub visible: Option<bool>, pub final_price: Option<bool> }
#[derive(Clone, Debug)]
pub enum NoticeValue { Text(&'static str), Number(u32), Bool(bool), Null }
#[derive(Clone, Debug)]
pub struct Notice { pub flag: &'static str, pub value: NoticeValue, pub why: String }
#[derive(Debug, Serialize, Deserialize)]
pub struct Found { flags: Flags }
impl Found {
    pub fn new(_pins: Flags) -> Self {
        Self { flags: Flags { order: Some(Order::Newest), paging: Some(true), page: Some(100), truncate: Some(0), batch: Some(50), ended: Some(Ended::Full), recall: Some(Recall::Forever), visible: Some(false), final_price: Some(true) } }
    }
    pub fn flags(&self) -> &Flags { &self.flags }
    pub fn observe(&mut self, _: &Ask, _: &Reply, _: &Board) -> Vec<Notice> { Vec::new() }
    pub fn probe(&mut self, _: i64, _: &Board) -> Option<Ask> { None }
    pub fn batch_wish(&self) -> usize { 50 }
    pub fn riders(&mut self, _: i64, _: &Board, _: usize) -> Vec<i64> { Vec::new() }
}
