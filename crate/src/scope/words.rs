//! Rows as words of 64 bits: so they lie in a thread's ring, and so they travel.
//!
//! A word is the kind, the ticks since the row before and the first field; a second one the other fields, where the kind has more.
//! Mostly there is no second one: the client is left out who had the last command, too ([`SAME_CLIENT`]), and two numbers that are not
//! large stand where one does ([`HALVES`]). Where the ticks do not fit, they stand before the row ([`LATER`]). What a tick is, those who
//! write and read agree on: natively, one of the time-stamp counter.
//!
//! To travel they need not be packed again, which would take several times as long as to copy them: whoever collects them takes the time
//! from the server's own workers. Knows nothing of rings and messages.

use super::row::{FIELDS, FIELDS_MAX, Row};

/// Bits of the kind and the two flags beside it, the lowest; of the ticks above them, 7 ms at 2.3 GHz; and where the first field
/// begins.
const KIND_BITS: u32 = 8;
const TICKS_BITS: u32 = 24;
const FIELD_AT: u32 = KIND_BITS + TICKS_BITS;
const KIND: u64 = 0x3f;
const TICKS: u64 = (1 << TICKS_BITS) - 1;

/// The client whose command starts is that of the last command that started, and left out of the fields.
const SAME_CLIENT: u64 = 0x40;

/// The fields are two of 16 bits, in the place of the first.
const HALVES: u64 = 0x80;
const HALF_BITS: u32 = 16;
const HALF: u32 = (1 << HALF_BITS) - 1;

/// A kind of its own: ticks, in all the bits above it, that pass before the next row.
const LATER: u64 = 0x3f;
const LATER_MAX: u64 = u64::MAX >> KIND_BITS;

const _: () = assert!(FIELDS.len() <= LATER as usize, "every kind has a number of its own");

/// What words are packed against: they tell the difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Before {
    /// When the row before was.
    pub(super) ticks: u64,
    /// Whose the last command was that started.
    pub(super) client: Option<u32>,
}

impl Before {
    /// Before the first row, at `ticks`.
    pub(super) fn at(ticks: u64) -> Self {
        Self { ticks, client: None }
    }

    /// Appends `row`, which happened at `ticks`, to `words`.
    #[inline(always)]
    pub(super) fn put(&mut self, row: Row, ticks: u64, words: &mut Vec<u64>) {
        let mut passed = ticks.saturating_sub(self.ticks);
        // As the reader adds them up, should the clock ever go back.
        self.ticks = self.ticks.max(ticks);
        if passed >> TICKS_BITS != 0 {
            words.push(LATER | passed.min(LATER_MAX) << KIND_BITS);
            passed = 0;
        }
        let mut kind = u64::from(row.kind());
        let (mut count, client_at) = row.layout();
        let mut fields = row.fields();
        if let Some(at) = client_at {
            let client = Some(fields[at]);
            if self.client == client {
                let [first, second, third] = fields;
                (kind, count) = (kind | SAME_CLIENT, count - 1);
                fields = if at == 0 { [second, third, 0] } else { [first, third, 0] };
            }
            self.client = client;
        }
        let [first, second, third] = fields;
        if count == 2 && first | second <= HALF {
            return words.push(
                kind | HALVES | passed << KIND_BITS | u64::from(first | second << HALF_BITS) << FIELD_AT,
            );
        }
        words.push(kind | passed << KIND_BITS | u64::from(first) << FIELD_AT);
        if count > 1 {
            words.push(u64::from(second) | u64::from(third) << FIELD_AT);
        }
    }
}

/// Words as rows and their ticks. An error where they are no row; what comes after it means nothing.
pub(super) struct Unpacked<'a, W> {
    words: W,
    before: &'a mut Before,
}

impl<'a, W: Iterator<Item = u64>> Unpacked<'a, W> {
    /// The first of `words` is packed against `before`, which is left as what would come next is packed against.
    pub(super) fn new(words: W, before: &'a mut Before) -> Self {
        Self { words, before }
    }

    fn row(&mut self, word: u64) -> Result<Row, &'static str> {
        let (kind, first) = ((word & KIND) as u32, (word >> FIELD_AT) as u32);
        let (mut count, client_at) = Row::new(kind, [0; FIELDS_MAX]).layout();
        let is_same = word & SAME_CLIENT != 0;
        if is_same {
            count = count.saturating_sub(1);
        }
        let mut fields = [first, 0, 0];
        if word & HALVES != 0 {
            fields = [first & HALF, first >> HALF_BITS, 0];
        } else if count > 1 {
            let rest = self.words.next().ok_or("an event that ends early")?;
            fields = [first, rest as u32, (rest >> FIELD_AT) as u32];
        }
        if let Some(at) = client_at {
            if is_same {
                let client = self.before.client.ok_or("a command of nobody")?;
                let [first, second, _] = fields;
                fields = if at == 0 { [client, first, second] } else { [first, client, second] };
            }
            self.before.client = Some(fields[at]);
        }
        Ok(Row::new(kind, fields))
    }
}

impl<W: Iterator<Item = u64>> Iterator for Unpacked<'_, W> {
    type Item = Result<(u64, Row), &'static str>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let mut word = self.words.next()?;
        while word & KIND == LATER {
            self.before.ticks = self.before.ticks.saturating_add(word >> KIND_BITS);
            word = self.words.next()?;
        }
        self.before.ticks = self.before.ticks.saturating_add(word >> KIND_BITS & TICKS);
        let row = self.row(word);
        Some(row.map(|row| (self.before.ticks, row)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::event::{LabelId, ObjectId};
    use super::*;

    proptest! {
        #[test]
        fn rows_come_back_with_their_ticks(
            steps in prop::collection::vec((any_ticks(), any_row()), 0..200),
            read_every in 1usize..20,
        ) {
            let mut ticks = 1 << 40;
            let (mut writer, mut reader) = (Before::at(ticks), Before::at(ticks));
            let (mut written, mut read) = (Vec::new(), Vec::new());
            for steps in steps.chunks(read_every) {
                let mut words = Vec::new();
                for &(passed, row) in steps {
                    ticks += passed;
                    writer.put(row, ticks, &mut words);
                    written.push(Ok((ticks, row)));
                }
                read.extend(Unpacked::new(words.into_iter(), &mut reader));
                prop_assert_eq!(reader, writer);
            }
            prop_assert_eq!(read, written);
        }
    }

    fn any_ticks() -> impl Strategy<Value = u64> {
        prop_oneof![0u64..1 << 26, 0u64..1 << 50]
    }

    /// A row of any kind; many of them the brief commands of few clients.
    pub(in super::super) fn any_row() -> impl Strategy<Value = Row> {
        // Some of the numbers fit into half a field, and some do not.
        let number = || prop_oneof![0u32..9, 0xfffe_u32..0x1_0002, any::<u32>()];
        let any = (0..FIELDS.len() as u32, [number(), number(), number()]).prop_map(|(kind, fields)| {
            let used = FIELDS[kind as usize].into();
            Row::new(kind, std::array::from_fn(|field| if field < used { fields[field] } else { 0 }))
        });
        let next = (number(), 1u32..3, number())
            .prop_map(|(lock, client, command)| Row::held_next(ObjectId(lock), client, LabelId(command)));
        prop_oneof![any, next]
    }

    #[test]
    fn what_is_no_row_is_an_error() {
        let check = |words: &[u64], expected| {
            let mut before = Before::default();
            let last = Unpacked::new(words.iter().copied(), &mut before).last();
            assert_eq!(last, Some(Err(expected)));
        };
        check(&[SAME_CLIENT | 29], "a command of nobody");
        check(&[u64::from(Row::POLL_START)], "an event that ends early");
        let mut before = Before::default();
        // Time alone is fine: nothing happened.
        assert_eq!(Unpacked::new([LATER | 3 << KIND_BITS].into_iter(), &mut before).next(), None);
    }

    #[test]
    fn a_clock_that_goes_back_stands_still() {
        let (mut before, mut words) = (Before::at(100), Vec::new());
        let row = Row::held_next(ObjectId(1), 2, LabelId(3));
        [90, 110].into_iter().for_each(|ticks| before.put(row, ticks, &mut words));
        let read: Vec<_> = Unpacked::new(words.into_iter(), &mut Before::at(100)).collect();
        assert_eq!(read, [Ok((100, row)), Ok((110, row))]);
    }
}
