//! Keys that come, go and expire; the order they have.

use super::*;

/// A store of keys `0`, `1`, ... that expire at the given times.
fn store(expiries: &[Option<u64>]) -> Store {
    let mut store = Store::default();
    for (number, expires_ms) in expiries.iter().enumerate() {
        store.insert(number.to_string().as_bytes(), Value::Int(0), *expires_ms);
    }
    store
}

#[test]
fn a_key_is_there_up_to_its_time_and_gone_after() {
    let mut store = store(&[Some(100)]);
    assert!(store.get(b"0", 100).is_some());
    assert_eq!(store.len(), 1);
    assert!(store.get(b"0", 101).is_none());
    assert_eq!((store.len(), store.volatile()), (0, 0));
    assert_eq!(store.stats(), Stats { hits: 1, misses: 1, expired: 1, evicted: 0 });
}

#[test]
fn every_look_up_takes_an_expired_key_for_gone() {
    assert!(store(&[Some(1)]).peek(b"0", 2).is_none());
    assert!(store(&[Some(1)]).value_mut(b"0", 2).is_none());
    assert!(store(&[Some(1)]).remove(b"0", 2).is_none());
    assert!(!store(&[Some(1)]).set_expiry(b"0", None, 2));
    assert!(store(&[Some(1)]).random_key(&mut fastrand::Rng::with_seed(1), 2).is_none());
}

#[test]
fn keys_that_go_by_themselves_are_told_to_who_asked() {
    let taken = |store: &mut Store| {
        let mut taken = Vec::new();
        store.take_vanished(|key| taken.push(String::from_utf8_lossy(key).into_owned()));
        taken
    };
    let mut unasked = store(&[Some(1)]);
    unasked.expire_some(2, 10);
    assert!(taken(&mut unasked).is_empty());
    let mut store = store(&[Some(1), Some(1), None, Some(1), Some(9)]);
    store.keep_vanished();
    assert!(store.get(b"1", 2).is_none() && store.remove(b"2", 2).is_some());
    assert_eq!(taken(&mut store), ["1"]);
    assert_eq!(store.expire_some(2, 10).expired, 2);
    let mut rest = taken(&mut store);
    rest.sort();
    assert_eq!((rest, taken(&mut store)), (vec!["0".to_owned(), "3".to_owned()], vec![]));
}

#[test]
fn volatile_keys_are_counted_through_every_change() {
    let mut store = store(&[Some(1_000), None, Some(1_000)]);
    assert_eq!(store.volatile(), 2);
    store.insert_bytes(b"0", b"x", None);
    store.insert_bytes(b"1", b"x", Some(1_000));
    assert_eq!(store.volatile(), 2);
    store.insert_bytes(b"1", b"y", None);
    store.set_expiry(b"1", Some(1_000), 0);
    store.set_expiry(b"1", Some(2_000), 0);
    store.set_expiry(b"2", None, 0);
    assert_eq!(store.volatile(), 1);
    store.remove(b"1", 0);
    assert_eq!(store.volatile(), 0);
    store.insert(b"0", Value::Int(1), Some(1_000));
    store.clear();
    assert_eq!((store.volatile(), store.len()), (0, 0));
}

#[test]
fn active_expiry_finds_every_expired_key_in_one_walk() {
    let expiries: Vec<_> = (0..100).map(|n| if n % 3 == 0 { Some(n) } else { None }).collect();
    let mut store = store(&expiries);
    let mut expired = 0;
    for _ in 0..10 {
        let sweep = store.expire_some(1_000, 10);
        assert!(sweep.looked <= 10);
        expired += sweep.expired;
    }
    assert_eq!((expired, store.volatile(), store.len()), (34, 0, 66));
    assert_eq!(store.expire_some(1_000, 10), Sweep::default(), "nothing can expire, so nothing is looked at");
}

#[test]
fn the_order_is_that_of_the_changes() {
    let mut store = store(&[None; 4]);
    store.remove(b"1", 0);
    store.insert_bytes(b"new", b"", None);
    store.insert_bytes(b"0", b"again", None);
    let keys: Vec<_> = (0..store.len()).filter_map(|n| store.at(n).map(|(key, _)| key.to_vec())).collect();
    assert_eq!(keys, [&b"0"[..], b"3", b"2", b"new"]);
}

#[test]
fn a_key_is_found_to_fetch_its_elements_however_far_it_is() {
    // Of as many as an index has room for before it grows, one in ten is far from its slot.
    let store = store(&[None; 3_000]);
    let mut far = 0;
    for number in 0..store.len() {
        let key = number.to_string().into_bytes();
        let likely = store.likely(&key);
        far += usize::from(likely == usize::MAX);
        assert_eq!(store.certainly(&key, likely), number);
    }
    assert!(far > 0);
    assert_eq!(store.certainly(b"none", usize::MAX), usize::MAX);
}
