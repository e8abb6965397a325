//! Random numbers that choose a case: when they are fewer or smaller the case is simpler, so a failing one shrinks.

/// Numbers, in the order in which they are asked for; zeros when they have run out.
#[derive(Debug)]
pub(crate) struct Dice<'a>(pub(crate) std::slice::Iter<'a, u16>);

impl Dice<'_> {
    /// Less than `sides`.
    pub(crate) fn of(&mut self, sides: usize) -> usize {
        usize::from(*self.0.next().unwrap_or(&0)) % sides
    }

    pub(crate) fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.of(all.len())].clone()
    }

    /// Seldom so; never when the numbers have run out.
    pub(crate) fn one_in(&mut self, sides: usize) -> bool {
        self.of(sides) == sides - 1
    }

    /// Each of them or not.
    pub(crate) fn some<T: Clone>(&mut self, all: &[T]) -> Vec<T> {
        all.iter().filter(|_| self.one_in(2)).cloned().collect()
    }
}
