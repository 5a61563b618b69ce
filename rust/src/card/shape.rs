//! Shapes: the members that objects had before, as they are spelled on the wire, place by place.
//!
//! Invariant: a shape is an expectation and nothing more: its text counts only where the bytes are
//! equal to it, one by one, and it came from bytes that were checked in full. Each step looks at a
//! bounded number of alternatives, and a shape costs memory in proportion to the bytes it came from.
//!
//! Every node is a member after certain others: `{"a":1,"b":2}` and `{"a":1,"c":2}` share the node
//! of `a`, which has two followers. Node 0 stands for the outermost value.

use crate::card::role::{Role, Scope};
use crate::error::Reason;
use crate::json::scan::{LITERAL, has_literal};
use crate::json::text::Text;

/// A node, by its number.
pub(crate) type Node = u32;
/// The outermost value; as a link, that there is none.
pub(crate) const ROOT: Node = 0;
/// More alternatives than this at one place are forgotten, and begin anew: ratings by position begin
/// with one of 21 keys.
const MAX_ALTERNATIVES: usize = 64;

/// Where an object's members, or its next one, are looked for from a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The member after this one.
    Next,
    /// The first member of the object that is this member's value.
    Object,
    /// The first member of an object in the list that is this member's value.
    Elements,
}

#[derive(Debug)]
struct Member {
    /// Of `{"key":` or `,"key":` in the text, and its length.
    literal: u32,
    length: u32,
    /// Of the key's canonical form with quotes and colon in the text, and its length.
    key: u32,
    key_length: u32,
    /// First of the members that followed, by [`Step`].
    links: [Node; 3],
    /// The next alternative to this member.
    other: Node,
    /// The order of an object that ends here.
    order: Order,
    role: Role,
}

/// Canonical order of an object's members, by its number.
pub(crate) type Order = u32;
/// The order of no members; also where none is known.
pub(crate) const EMPTY: Order = 0;

#[derive(Debug)]
struct Members {
    /// Indices of members as they stand on the wire.
    indices: Box<[u32]>,
    /// The wire's order is the canonical one.
    sorted: bool,
}

/// All shapes.
#[derive(Debug)]
pub(crate) struct Shapes {
    text: Vec<u8>,
    members: Vec<Member>,
    orders: Vec<Members>,
    /// Indices in all orders.
    ordered: usize,
}

impl Default for Shapes {
    fn default() -> Self {
        let mut shapes =
            Self { text: Vec::new(), members: Vec::new(), orders: Vec::new(), ordered: 0 };
        shapes.clear();
        shapes
    }
}

impl Shapes {
    /// Forget all.
    pub(crate) fn clear(&mut self) {
        // so many bytes can be read wherever a literal begins
        self.text = vec![0; LITERAL];
        self.orders = vec![Members { indices: Box::default(), sorted: true }];
        self.ordered = 0;
        self.members = vec![Member {
            literal: 0,
            length: 0,
            key: 0,
            key_length: 0,
            links: [ROOT; 3],
            other: ROOT,
            order: EMPTY,
            role: Role::in_scope(Scope::Card),
        }];
    }

    /// Bytes in use.
    pub(crate) fn memory(&self) -> usize {
        let orders = self.orders.len() * size_of::<Members>() + self.ordered * size_of::<u32>();
        self.text.len() + self.members.len() * size_of::<Member>() + orders
    }

    pub(crate) fn role(&self, node: Node) -> Role {
        self.members[node as usize].role
    }

    /// Whether the canonical key is the one of the wire.
    pub(crate) fn plain(&self, node: Node) -> bool {
        let member = &self.members[node as usize];
        member.key == member.literal + 1
    }

    /// The canonical key with its quotes and colon.
    pub(crate) fn key(&self, node: Node) -> &[u8] {
        let member = &self.members[node as usize];
        &self.text[member.key as usize..][..member.key_length as usize]
    }

    /// The member last seen at this place if it stands in `bytes` at `at`, and where it ends.
    #[inline(always)]
    #[allow(clippy::inline_always)] // the innermost loop
    pub(crate) fn expected(
        &self,
        last: Node,
        step: Step,
        bytes: &[u8],
        at: usize,
    ) -> Option<(Node, usize)> {
        let node = self.members[last as usize].links[step as usize];
        let member = &self.members[node as usize];
        let length = member.length as usize;
        let stands =
            node != ROOT && has_literal(&self.text, member.literal as usize, length, bytes, at);
        stands.then_some((node, at + length))
    }

    /// The member whose key is spelled `key` at this place, new if it was not seen there. It is
    /// the one that is expected from now on.
    pub(crate) fn find(
        &mut self,
        last: Node,
        step: Step,
        key: Text<'_>,
        role: impl FnOnce(&str) -> Role,
    ) -> Node {
        let first = self.members[last as usize].links[step as usize];
        let (mut before, mut node) = (ROOT, first);
        let mut tried = 0;
        while node != ROOT && self.spelling(node) != key.raw().as_bytes() {
            (before, node) = (node, self.members[node as usize].other);
            tried += 1;
        }
        if node == ROOT {
            let others = if tried < MAX_ALTERNATIVES { first } else { ROOT };
            node = self.add(step, key, others, role);
        } else if before != ROOT {
            self.members[before as usize].other = self.members[node as usize].other;
            self.members[node as usize].other = first;
        }
        self.members[last as usize].links[step as usize] = node;
        node
    }

    /// The key between its quotes.
    fn spelling(&self, node: Node) -> &[u8] {
        let member = &self.members[node as usize];
        let literal = &self.text[member.literal as usize..][..member.length as usize];
        &literal[2..literal.len() - 2]
    }

    fn add(
        &mut self,
        step: Step,
        key: Text<'_>,
        other: Node,
        role: impl FnOnce(&str) -> Role,
    ) -> Node {
        let decoded = key.decode();
        self.text.truncate(self.text.len() - LITERAL);
        let literal = self.text.len();
        self.text.push(if step == Step::Next { b',' } else { b'{' });
        self.text.push(b'"');
        self.text.extend_from_slice(key.raw().as_bytes());
        self.text.extend_from_slice(b"\":");
        let end = self.text.len();
        let (mut canonical, mut key_length) = (literal + 1, end - literal - 1);
        if key.is_escaped() {
            canonical = end;
            crate::json::text::write_canonical(&decoded, &mut self.text);
            self.text.push(b':');
            key_length = self.text.len() - end;
        }
        self.text.resize(self.text.len() + LITERAL, 0);
        let node = number(self.members.len());
        self.members.push(Member {
            literal: number(literal),
            length: number(end - literal),
            key: number(canonical),
            key_length: number(key_length),
            links: [ROOT; 3],
            other,
            order: EMPTY,
            role: role(&decoded),
        });
        node
    }

    /// The order of an object that ended at this node before.
    #[inline]
    pub(crate) fn order(&self, last: Node) -> Option<Order> {
        Some(self.members[last as usize].order).filter(|order| *order != EMPTY)
    }

    /// Indices of the members as they stand on the wire, in canonical order.
    pub(crate) fn members(&self, order: Order) -> &[u32] {
        &self.orders[order as usize].indices
    }

    #[inline]
    pub(crate) fn is_sorted(&self, order: Order) -> bool {
        self.orders[order as usize].sorted
    }

    /// Find the order of an object that ends at the node `last`; its members are `nodes`.
    pub(crate) fn learn_order(
        &mut self,
        last: Node,
        nodes: impl Iterator<Item = Node>,
    ) -> Result<Order, Reason> {
        let keys = nodes.map(|node| {
            let member = &self.members[node as usize];
            let literal = &self.text[member.literal as usize..][..member.length as usize];
            Text::read(literal, 1).map(|(key, _)| key.decode())
        });
        let keys = keys.collect::<Result<Vec<_>, _>>().map_err(|fault| fault.reason)?;
        let mut indices: Box<[u32]> = (0..number(keys.len())).collect();
        indices.sort_by(|&a, &b| keys[a as usize].cmp(&keys[b as usize]));
        if indices.windows(2).any(|pair| keys[pair[0] as usize] == keys[pair[1] as usize]) {
            return Err(Reason::DuplicateKey);
        }
        self.ordered += indices.len();
        let sorted = indices.is_sorted();
        let order = number(self.orders.len());
        self.orders.push(Members { indices, sorted });
        self.members[last as usize].order = order;
        Ok(order)
    }
}

/// Far below 2³²: all shapes come from one card and what is kept of earlier ones.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
