//! Clients that bring and clients that wait, on real workers and in real time: nothing is lost, nothing comes twice, and what
//! goes through one key stays in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use interleave::command::{Config, Peer, Server};
use interleave::resp::{ReplyDecoder, Value, encode_request};
use interleave::rt::Rt;
use interleave::session::Service;
use interleave::sharing::{Kind, Options, Sharing};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;

const SHARED: [Kind; 4] = [Kind::Mutex, Kind::AsyncMutex, Kind::Sharded, Kind::Actor];

/// Longer than any of this takes; passed, something waits that should not.
const PATIENCE: Duration = Duration::from_secs(60);

struct Client {
    stream: DuplexStream,
    arrived: BytesMut,
    decoder: ReplyDecoder,
}

impl Client {
    fn new(service: &Service) -> Self {
        let (stream, end) = duplex(1 << 14);
        service.spawn(end, Peer::default());
        Self { stream, arrived: BytesMut::new(), decoder: ReplyDecoder::default() }
    }

    async fn ask(&mut self, request: &str) -> Value {
        let mut bytes = BytesMut::new();
        encode_request(&request.split(' ').collect::<Vec<_>>(), &mut bytes);
        self.stream.write_all(&bytes).await.expect("the server reads");
        loop {
            if let Some(value) = self.decoder.decode(&mut self.arrived).expect("a good reply") {
                return value;
            }
            assert!(self.stream.read_buf(&mut self.arrived).await.expect("the server writes") > 0);
        }
    }
}

/// Runs `program` against a server of each kind, on four workers.
fn on_workers<F: Future<Output = ()>>(program: impl Fn(Kind, Rt, Service) -> F) {
    for kind in SHARED {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(4).enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let rt = Rt::native();
            let (_stop, stop) = watch::channel(false);
            let server = Arc::new(Server::new(Config::default(), 0, 7));
            let service = Service {
                sharing: Sharing::new(kind, Options { shards: 16, ..Options::default() }, &rt, &server),
                server,
                rt: rt.clone(),
                unfinished_timeout: PATIENCE,
                idle_timeout: None,
                stop,
            };
            let done = rt.timeout(PATIENCE, program(kind, rt.clone(), service)).await;
            assert!(done.is_some(), "under {kind} somebody still waits");
        });
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("expected a string, found {other:?}"),
    }
}

#[test]
fn every_element_comes_to_one_of_those_who_wait() {
    const PRODUCERS: usize = 4;
    const ELEMENTS: usize = 400;
    const CONSUMERS: usize = 6;
    on_workers(|kind, rt, service| async move {
        let consumers: Vec<_> = (0..CONSUMERS as u32)
            .map(|number| {
                let mut client = Client::new(&service);
                rt.spawn("consumer", number, async move {
                    let mut got = Vec::new();
                    // Some wait long, some give up all the time, some take from the other end.
                    let request = [
                        "BLPOP q0 q1 q2 q3 stop 0",
                        "BLPOP q3 q2 q1 q0 stop 0.001",
                        "BLMPOP 0 5 q1 q0 q2 q3 stop LEFT COUNT 1",
                    ][number as usize % 3];
                    loop {
                        let (key, element) = match client.ask(request).await {
                            Value::Array(parts) => match &parts[1] {
                                Value::Array(elements) => (text(&parts[0]), text(&elements[0])),
                                element => (text(&parts[0]), text(element)),
                            },
                            Value::Null => continue,
                            other => panic!("{other:?}"),
                        };
                        if key == "stop" {
                            return got;
                        }
                        got.push((key, element));
                    }
                })
            })
            .collect();
        let producers: Vec<_> = (0..PRODUCERS as u32)
            .map(|number| {
                let mut client = Client::new(&service);
                rt.spawn("producer", number, async move {
                    for element in 0..ELEMENTS {
                        let key = (element + number as usize) % 4;
                        let push = format!("RPUSH q{key} {number}:{element}");
                        match element % 5 {
                            0 => {
                                client.ask("MULTI").await;
                                client.ask(&push).await;
                                client.ask("EXEC").await;
                            }
                            _ => drop(client.ask(&push).await),
                        }
                    }
                })
            })
            .collect();
        for producer in producers {
            producer.await.expect("no producer panics");
        }
        let mut boss = Client::new(&service);
        let mut seen = BTreeMap::new();
        // Whoever stops early leaves the rest to the others, so the end is told when everything is gone.
        loop {
            let mut left = 0;
            for key in 0..4 {
                if let Value::Integer(len) = boss.ask(&format!("LLEN q{key}")).await {
                    left += len;
                }
            }
            if left == 0 {
                break;
            }
            rt.sleep(Duration::from_millis(1)).await;
        }
        for _ in 0..CONSUMERS {
            boss.ask("RPUSH stop x").await;
        }
        for consumer in consumers {
            let got = consumer.await.expect("no consumer panics");
            let mut last = BTreeMap::new();
            for (key, element) in got {
                let (producer, number) = element.split_once(':').expect("an element of ours");
                let number: usize = number.parse().expect("a number");
                // What one has put into one key comes out of it in that order, as far as one can see.
                let before = last.insert((key, producer.to_owned()), number);
                assert!(before.is_none_or(|before| before < number), "under {kind}, {element} too late");
                *seen.entry(element).or_insert(0) += 1;
            }
        }
        assert_eq!(seen.len(), PRODUCERS * ELEMENTS, "under {kind}");
        assert!(seen.values().all(|times| *times == 1), "under {kind}, something came twice");
    });
}

#[test]
fn elements_pass_from_key_to_key_in_order() {
    const ELEMENTS: usize = 500;
    on_workers(|kind, rt, service| async move {
        // In 16 shards these are not all in one; the last two moves go round in a circle with two others at work.
        let hops = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "end")];
        for (number, (from, to)) in hops.into_iter().enumerate() {
            let mut client = Client::new(&service);
            rt.spawn("mover", number as u32, async move {
                for _ in 0..ELEMENTS {
                    client.ask(&format!("BLMOVE {from} {to} LEFT RIGHT 0")).await;
                }
            });
        }
        for (number, (from, to)) in [("x", "y"), ("y", "x")].into_iter().enumerate() {
            let mut client = Client::new(&service);
            rt.spawn("circle", number as u32, async move {
                for _ in 0..ELEMENTS {
                    client.ask(&format!("BLMOVE {from} {to} LEFT RIGHT 0")).await;
                    client.ask(&format!("MSET k{from} 1 k{to} 2 a{from} 3")).await;
                }
            });
        }
        let mut producer = Client::new(&service);
        producer.ask("RPUSH x ball").await;
        rt.spawn("producer", 0, async move {
            for element in 0..ELEMENTS {
                producer.ask(&format!("RPUSH a {element}")).await;
            }
        });
        let mut consumer = Client::new(&service);
        for element in 0..ELEMENTS {
            let Value::Array(parts) = consumer.ask("BLPOP end 0").await else { panic!("an element comes") };
            assert_eq!(text(&parts[1]), element.to_string(), "under {kind}");
        }
    });
}

#[test]
fn no_update_is_lost_between_watch_and_exec() {
    const CLIENTS: u32 = 4;
    const UPDATES: usize = 100;
    on_workers(|kind, rt, service| async move {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let mut client = Client::new(&service);
                rt.spawn("client", number, async move {
                    for _ in 0..UPDATES {
                        loop {
                            client.ask("WATCH one").await;
                            let old = match client.ask("GET one").await {
                                Value::Null => 0,
                                value => text(&value).parse::<usize>().expect("a number"),
                            };
                            client.ask("MULTI").await;
                            client.ask(&format!("SET one {}", old + 1)).await;
                            client.ask("INCR other").await;
                            client.ask("MGET one other").await;
                            match client.ask("EXEC").await {
                                Value::Null => {}
                                Value::Array(replies) => {
                                    let Value::Array(both) = &replies[2] else { panic!("{replies:?}") };
                                    assert_eq!(both[0], both[1], "under {kind}, one without the other");
                                    break;
                                }
                                other => panic!("{other:?}"),
                            }
                        }
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.expect("no client panics");
        }
        let total = (CLIENTS as usize * UPDATES).to_string();
        assert_eq!(text(&Client::new(&service).ask("GET one").await), total, "under {kind}");
        assert_eq!(text(&Client::new(&service).ask("GET other").await), total, "under {kind}");
    });
}
