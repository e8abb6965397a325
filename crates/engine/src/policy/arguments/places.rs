//! Places to kinds: a graph with circles becomes a tree that ends.
//!
//! Two places that contain each other have no finite form, so whatever leads back into its own circle is
//! opaque; what leads into the circle from outside is written out once. Parts that many places share are
//! written out in each of them. Where that would be too much, the largest parts are left out first, so that
//! one monstrous argument does not cost the plain ones beside it.

use std::collections::BTreeMap;

use super::{Kind, Member, Opaque, Record, survey::Stands};
use crate::limits;

/// Places in the record of one tool, shared ones counted each time they are written out. Real tools, also
/// those with unions of fifty kinds of blocks, have some hundreds.
const WRITTEN_MAX: usize = 8_192;

/// One place of the arguments, by the numbers of those inside it.
pub(super) struct Place {
    pub(super) stands: Stands<usize>,
    pub(super) nullable: bool,
}

impl Place {
    fn inside(&self) -> Vec<usize> {
        match &self.stands {
            Stands::Scalar(_) | Stands::Opaque(_) => Vec::new(),
            Stands::List(items) => vec![*items],
            Stands::Object { members, .. } => members.values().map(|(place, _)| *place).collect(),
        }
    }
}

/// The record of the first place.
pub(super) fn record(places: &[Place]) -> Record {
    let tree = Tree::of(places);
    match tree.kind(0, 1) {
        Kind::Record(record) => record,
        Kind::Bool
        | Kind::Whole
        | Kind::Decimal
        | Kind::Micros
        | Kind::Text
        | Kind::Set(_)
        | Kind::Opaque(_) => Record { members: BTreeMap::new(), open: true },
    }
}

struct Tree<'p> {
    places: &'p [Place],
    /// The circle that each place belongs to.
    circles: Vec<usize>,
    /// The largest part that is still written out in each place.
    largest: Vec<usize>,
    /// How many places each place has when it is written out.
    sizes: Vec<usize>,
}

impl<'p> Tree<'p> {
    fn of(places: &'p [Place]) -> Self {
        let inside: Vec<Vec<usize>> = places.iter().map(Place::inside).collect();
        let order = inner_first(&inside);
        let circles = circles(&inside, &order);
        let (largest, sizes) = (vec![1; places.len()], vec![1; places.len()]);
        let mut tree = Self { places, circles, largest, sizes };
        // Whatever is inside a place and in another circle comes before it.
        for at in order {
            let parts = inside.get(at).map(Vec::as_slice).unwrap_or_default();
            tree.measure(at, parts);
        }
        tree
    }

    fn measure(&mut self, at: usize, parts: &[usize]) {
        let mut sizes: Vec<usize> =
            parts.iter().filter(|part| !self.is_circle(at, **part)).map(|part| self.size(*part)).collect();
        sizes.sort_unstable();
        // Each part takes a place at least, also if nothing of it is written out. Of several that are equally
        // large all are written out or none, so that it does not depend on their names.
        let (mut sum, mut largest) = (1 + parts.len(), 1);
        for equal in sizes.chunk_by(usize::eq) {
            let size = equal.first().copied().unwrap_or(1);
            let more = sum.saturating_add((size - 1).saturating_mul(equal.len()));
            if size > 1 && more > WRITTEN_MAX {
                break;
            }
            (sum, largest) = (more, size);
        }
        if let Some((size, kept)) = self.sizes.get_mut(at).zip(self.largest.get_mut(at)) {
            (*size, *kept) = (sum, largest);
        }
    }

    fn size(&self, at: usize) -> usize {
        self.sizes.get(at).copied().unwrap_or(1)
    }

    fn is_circle(&self, at: usize, part: usize) -> bool {
        self.circles.get(at) == self.circles.get(part)
    }

    fn is_written(&self, at: usize, part: usize) -> bool {
        !self.is_circle(at, part) && self.largest.get(at).is_some_and(|largest| self.size(part) <= *largest)
    }

    fn kind(&self, at: usize, depth: usize) -> Kind {
        let Some(place) = self.places.get(at) else { return Kind::Opaque(Opaque::Untyped) };
        match &place.stands {
            Stands::Scalar(kind) => kind.clone(),
            Stands::Opaque(why) => Kind::Opaque(*why),
            Stands::List(_) | Stands::Object { .. } if depth > limits::READ_DEPTH => {
                Kind::Opaque(Opaque::Recursive)
            }
            Stands::List(items) => self.list(at, *items, depth),
            Stands::Object { members, open } => {
                let members = members.iter().map(|(name, (part, required))| {
                    let nullable = self.places.get(*part).is_none_or(|part| part.nullable);
                    let member =
                        Member { kind: self.part(at, *part, depth), required: *required && !nullable };
                    (name.clone(), member)
                });
                Kind::Record(Record { members: members.collect(), open: *open })
            }
        }
    }

    fn part(&self, at: usize, part: usize, depth: usize) -> Kind {
        if self.is_written(at, part) { self.kind(part, depth + 1) } else { Kind::Opaque(Opaque::Recursive) }
    }

    /// A list is compared as a whole, so each item must have an exact form; `null` has none outside a member.
    fn list(&self, at: usize, items: usize, depth: usize) -> Kind {
        let kind = self.part(at, items, depth);
        match kind.exact() {
            Err(why) => Kind::Opaque(why),
            Ok(()) if self.places.get(items).is_none_or(|items| items.nullable) => {
                Kind::Opaque(Opaque::Union)
            }
            Ok(()) => Kind::Set(Box::new(kind)),
        }
    }
}

/// All places in an order in which those inside others come first, where there is no circle.
fn inner_first(inside: &[Vec<usize>]) -> Vec<usize> {
    let mut seen = vec![false; inside.len()];
    let mut order = Vec::with_capacity(inside.len());
    for start in 0..inside.len() {
        walk(start, inside, &mut seen, &mut order);
    }
    order
}

/// For each place a number that it shares with those that it contains and that contain it.
fn circles(inside: &[Vec<usize>], order: &[usize]) -> Vec<usize> {
    let mut around = vec![Vec::new(); inside.len()];
    for (at, parts) in inside.iter().enumerate() {
        for part in parts {
            if let Some(around) = around.get_mut(*part) {
                around.push(at);
            }
        }
    }
    let mut seen = vec![false; inside.len()];
    let mut circles = vec![0; inside.len()];
    for start in order.iter().rev() {
        let mut circle = Vec::new();
        walk(*start, &around, &mut seen, &mut circle);
        for at in circle {
            if let Some(number) = circles.get_mut(at) {
                *number = *start;
            }
        }
    }
    circles
}

/// Adds to `order` what is reached from `start` and not seen yet, each after what it leads to.
fn walk(start: usize, ways: &[Vec<usize>], seen: &mut [bool], order: &mut Vec<usize>) {
    let mut visit = |at: usize| seen.get_mut(at).is_some_and(|seen| !std::mem::replace(seen, true));
    if !visit(start) {
        return;
    }
    let mut path = vec![(start, 0)];
    while let Some((at, next)) = path.last_mut() {
        let way = ways.get(*at).and_then(|ways| ways.get(*next)).copied();
        *next += 1;
        match way {
            Some(way) if visit(way) => path.push((way, 0)),
            Some(_) => {}
            None => {
                order.push(*at);
                path.pop();
            }
        }
    }
}
