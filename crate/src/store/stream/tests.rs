//! The log and the groups against plain vectors and maps.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId::new(ms, seq)
}

fn append(log: &mut Log, id: StreamId, fields: &Fields) {
    log.append(id, fields.iter().map(|(name, value)| (&name[..], &value[..])));
}

fn seen<'a>(entries: impl Iterator<Item = StreamEntry<'a>>) -> Vec<(StreamId, Fields)> {
    let pairs = |entry: StreamEntry<'a>| entry.pairs().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
    entries.map(|entry| (entry.id, pairs(entry))).collect()
}

/// Entries of one field and the numbers from 1 on as ids.
fn numbered(count: u64) -> Log {
    let mut log = Log::default();
    (1..=count).for_each(|n| append(&mut log, id(n, 0), &vec![(b"f".to_vec(), b"v".to_vec())]));
    log
}

#[derive(Clone, Debug)]
enum Change {
    /// So many milliseconds and numbers above the last.
    Append(u64, u64, Fields),
    Remove(usize),
    Trim(Threshold, bool),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let string = || prop_oneof![4 => Just(1usize), 2 => 0usize..4, 1 => 120usize..140, 1 => Just(3_000)];
    let name = prop_oneof![4 => Just(b"f".to_vec()), 1 => Just(b"g".to_vec())];
    let fields = proptest::collection::vec((name, string().prop_map(|len| vec![b'v'; len])), 1..4);
    let ahead = || prop_oneof![4 => 0u64..3, 1 => Just(1 << 40)];
    let threshold = prop_oneof![
        (0usize..300).prop_map(Threshold::MaxLen),
        (0u64..200, 0u64..3).prop_map(|(ms, seq)| Threshold::MinId(id(ms, seq))),
    ];
    let change = prop_oneof![
        30 => (ahead(), ahead(), fields).prop_map(|(ms, seq, fields)| Change::Append(ms, seq, fields)),
        5 => (0usize..400).prop_map(Change::Remove),
        1 => (threshold, any::<bool>()).prop_map(|(to, whole)| Change::Trim(to, whole)),
    ];
    proptest::collection::vec(change, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// A log is a sorted map of entries, whatever block they lie in.
    #[test]
    fn a_log_is_a_sorted_map(changes in changes()) {
        let (mut log, mut model) = (Log::default(), BTreeMap::<StreamId, Fields>::new());
        for change in changes {
            match change {
                Change::Append(ms, seq, fields) => {
                    let last = log.last_id();
                    let new = if ms == 0 { id(last.ms, last.seq + 1 + seq) } else { id(last.ms + ms, seq) };
                    append(&mut log, new, &fields);
                    model.insert(new, fields);
                }
                Change::Remove(at) => {
                    let there = model.keys().nth(at).copied();
                    let (before, gone) = (log.max_deleted_id(), there.unwrap_or(id(3, 1 << 50)));
                    prop_assert_eq!(log.remove(gone), model.remove(&gone).is_some());
                    prop_assert_eq!(log.max_deleted_id(), there.map_or(before, |gone| before.max(gone)));
                }
                Change::Trim(threshold, whole) => {
                    let all = match threshold {
                        Threshold::MaxLen(most) => model.len().saturating_sub(most),
                        Threshold::MinId(min) => model.range(..min).count(),
                    };
                    let removed = if whole {
                        let removed = log.trim_blocks(threshold, usize::MAX);
                        prop_assert!((all.saturating_sub(BLOCK_LEN_MAX - 1)..=all).contains(&removed));
                        removed
                    } else {
                        log.trim(threshold)
                    };
                    prop_assert!(whole || removed == all);
                    model = model.into_iter().skip(removed).collect();
                }
            }
            prop_assert_eq!(log.len(), model.len());
            let first = model.keys().next().copied().unwrap_or(StreamId::MIN);
            prop_assert_eq!(log.first_id(), first);
        }
        let expected: Vec<_> = model.clone().into_iter().collect();
        prop_assert_eq!(seen(log.range(StreamId::MIN, StreamId::MAX)), expected.clone());
        let backwards: Vec<_> = expected.into_iter().rev().collect();
        prop_assert_eq!(seen(log.range_back(StreamId::MIN, StreamId::MAX)), backwards);
        let ids: Vec<_> = model.keys().copied().collect();
        for pair in ids.windows(2).step_by(7) {
            for (min, max) in [(pair[0], pair[1]), (pair[1], pair[0])] {
                let min_next = min.next().unwrap();
                let between = |min| model.range(min..).take_while(|(id, _)| **id <= max).map(|(id, _)| *id);
                let ids = |entries: Vec<(StreamId, Fields)>| entries.into_iter().map(|(id, _)| id);
                prop_assert!(ids(seen(log.range(min, max))).eq(between(min)));
                prop_assert!(ids(seen(log.range(min_next, max))).eq(between(min_next)));
                let back: Vec<_> = ids(seen(log.range_back(min, max))).collect();
                prop_assert!(back.into_iter().rev().eq(between(min)));
            }
            prop_assert_eq!(log.get(pair[0]).map(|entry| entry.id), Some(pair[0]));
        }
    }
}

#[test]
fn ids_follow_the_clock_and_never_go_back() {
    let mut log = Log::default();
    assert_eq!(log.next_id(0), Some(id(0, 1)));
    assert_eq!(log.next_id(5), Some(id(5, 0)));
    append(&mut log, id(7, u64::MAX), &Vec::new());
    assert_eq!(log.next_id(7), Some(id(8, 0)));
    assert_eq!(log.next_id(6), Some(id(8, 0)));
    append(&mut log, StreamId::MAX, &Vec::new());
    assert_eq!(log.next_id(9), None);
}

#[test]
fn whole_blocks_go_and_no_part_of_one() {
    let mut log = numbered(250);
    assert_eq!(log.blocks(), 3);
    assert_eq!(log.trim_blocks(Threshold::MaxLen(151), usize::MAX), 0);
    assert_eq!(log.trim_blocks(Threshold::MaxLen(150), 99), 0);
    assert_eq!(log.trim_blocks(Threshold::MaxLen(10), usize::MAX), 200);
    let mut log = numbered(250);
    assert_eq!(log.trim_blocks(Threshold::MinId(id(200, 1)), 199), 100);
    assert_eq!(log.trim_blocks(Threshold::MinId(id(200, 0)), usize::MAX), 0);
    assert_eq!(log.trim_blocks(Threshold::MinId(id(200, 1)), usize::MAX), 100);
    // What was removed counts to what a block was given, as in Redis.
    let mut log = numbered(99);
    (1..=50).for_each(|n| assert!(log.remove(id(n, 0))));
    (100..=101).for_each(|n| append(&mut log, id(n, 0), &Vec::new()));
    assert_eq!((log.blocks(), log.len()), (2, 51));
}

#[test]
fn small_entries_take_few_bytes() {
    let mut log = Log::default();
    (0..100_000)
        .for_each(|n| append(&mut log, id(1 << 40, n + 1), &vec![(b"field".to_vec(), b"abc".to_vec())]));
    // Redis takes 15.
    assert!(log.byte_len() < 1_000_000, "{}", log.byte_len());
}

#[test]
fn a_pending_entry_is_one_consumers_at_a_time() {
    let mut group = Group::new(StreamId::MIN, Some(0));
    assert!(group.add_consumer(b"a", 1) && group.add_consumer(b"b", 2) && !group.add_consumer(b"a", 3));
    (1..4).for_each(|n| group.assign(id(n, 0), b"a", 5, 1));
    group.assign(id(2, 0), b"b", 6, 9);
    group.deliver_again(id(2, 0), 7);
    let of = |group: &Group, name: Option<&[u8]>| {
        group.pending_of(name, StreamId::MIN..=StreamId::MAX).map(|(id, _)| id.ms).collect::<Vec<_>>()
    };
    assert_eq!(of(&group, None), [1, 2, 3]);
    assert_eq!(of(&group, Some(b"a")), [1, 3]);
    assert_eq!(of(&group, Some(b"b")), [2]);
    assert_eq!(of(&group, Some(b"nobody")), [0; 0]);
    let expected = Pending { consumer: b"b"[..].into(), delivered_ms: 7, deliveries: 10 };
    assert_eq!(group.pending()[&id(2, 0)], expected);
    assert!(group.acknowledge(id(1, 0)) && !group.acknowledge(id(1, 0)));
    assert_eq!(group.remove_consumer(b"a"), 1);
    assert_eq!(group.remove_consumer(b"a"), 0);
    assert_eq!(of(&group, None), [2]);
    assert_eq!(group.pending_of(None, StreamId::MAX..=StreamId::MIN).count(), 0);
}

#[test]
fn lag_is_told_where_it_can_be() {
    let log = numbered(5);
    let at = |read, ms| Group::new(id(ms, 0), read).lag(&log);
    assert_eq!(at(Some(2), 2), Some(3), "counted");
    assert_eq!(at(None, 0), Some(5), "before the first");
    assert_eq!(at(None, 1), Some(4), "at the first");
    assert_eq!(at(None, 2), None, "somewhere between");
    assert_eq!(at(None, 5), Some(0), "at the last");
    assert_eq!(at(None, 6), None, "past it");
    let mut log = numbered(5);
    log.remove(id(4, 0));
    let at = |read, ms| Group::new(id(ms, 0), read).lag(&log);
    assert_eq!(at(Some(2), 2), None, "one ahead is gone");
    assert_eq!(at(Some(5), 5), Some(0));
    let mut group = Group::new(id(2, 0), Some(2));
    group.advance(&log, id(3, 0));
    assert_eq!(group.read(), None);
    group.advance(&log, id(5, 0));
    assert_eq!((group.read(), group.lag(&log)), (Some(5), Some(0)));
}
