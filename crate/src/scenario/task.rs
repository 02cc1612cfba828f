//! One task of a run: executing statements in order.
//!
//! Owns what each statement does, by way of [`Rt`](crate::rt::Rt) and a connection of its own. Does not know how the run
//! began or what becomes of it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::ast::{Block, Body, Command, Expression, Kind, Operator, Part, Piece, Statement, Step, Text};
use super::error::Span;
use super::link::Link;
use super::names;
use super::outcome::{End, FailedAssert, Found};
use super::panics::{self, caught};
use super::progress::{Standing, TaskName, Wait};
use super::run::{Meeting, Senders, Shared, senders_for};
use super::value::{Value, apply};
use crate::resp;
use crate::rt::{JoinHandle, Receiver, ledger, step};

/// The task goes no further. Why is noted where others look: in its [`Standing`], or as the limit that stops the run.
#[derive(Debug)]
pub(super) struct Halt;

/// Where the variable `me` is: the first that a client declares.
const ME_SLOT: usize = 0;

type Done<T> = Result<T, Halt>;

/// A task and all it has.
#[derive(Debug)]
pub(super) struct Task {
    run: Arc<Shared>,
    meeting: Arc<Meeting>,
    standing: Arc<Standing>,
    names: Arc<[Arc<str>]>,
    /// By slot. What no `let` has set yet is nil, and no text can name it.
    variables: Vec<Value>,
    link: Option<Link>,
    senders: Senders,
    receivers: Vec<Option<Receiver<Value>>>,
    children: Vec<Child>,
    /// How many tasks it has spawned under each name.
    spawned: Vec<u32>,
    steps: u64,
}

/// A task that this one spawned and has not joined.
#[derive(Debug)]
struct Child {
    spawned: usize,
    standing: Arc<Standing>,
    handle: JoinHandle<()>,
}

impl Task {
    /// The task called `name` that is to run `part`, with a connection if it needs one.
    pub(super) fn new(
        run: &Arc<Shared>,
        meeting: &Arc<Meeting>,
        name: TaskName,
        part: &Part,
        senders: &Senders,
        link: Option<Link>,
    ) -> Self {
        Self {
            run: Arc::clone(run),
            meeting: Arc::clone(meeting),
            standing: run.progress.enter(name),
            names: part.variables.clone().into(),
            variables: vec![Value::Nil; part.variables.len()],
            link,
            senders: senders_for(&part.body, senders),
            receivers: Vec::new(),
            children: Vec::new(),
            spawned: Vec::new(),
            steps: 0,
        }
    }

    /// Sets the variable `me`.
    pub(super) fn set_me(&mut self, number: u32) {
        self.variables[ME_SLOT] = Value::Integer(number.into());
    }

    /// Runs `body` to its end, or until the run is stopped.
    pub(super) fn run(mut self, body: Arc<Body>) -> impl Future<Output = ()> + Send {
        let run = Arc::clone(&self.run);
        // Boxed: what is wrapped around it would hold it twice, and it is moved several times before it is polled.
        let work = Box::pin(async move {
            // How it ended is in its own entry.
            let _ = self.perform(&body).await;
            self.finish().await;
        });
        async move {
            run.until_stopped(work).await;
        }
    }

    /// Executes `body` and notes how that ended.
    pub(super) async fn perform(&mut self, body: &Body) -> Done<()> {
        self.standing.begins();
        let done = match caught(self.block(&body.block)).await {
            Ok(done) => done,
            Err(payload) => {
                let (span, message) = (self.standing.span(), panics::message(&payload));
                let end = End::Panicked { span, message };
                ledger::fact_of_task(end.clone());
                let _ = self.standing.end.set(end);
                // The runtime is to see it as well.
                std::panic::resume_unwind(payload)
            }
        };
        if done.is_ok() {
            // Nobody else sets it.
            let _ = self.standing.end.set(End::Completed);
            ledger::fact_of_task(End::Completed);
        }
        done
    }

    /// Lets go of the channels and waits for the tasks that nobody has joined. Gives the connection back.
    pub(super) fn finish(self) -> impl Future<Output = Option<Link>> + Send {
        let Self { link, senders, receivers, children, .. } = self;
        Self::finish_with(link, senders, receivers, children)
    }

    async fn finish_with(
        link: Option<Link>,
        senders: Senders,
        receivers: Vec<Option<Receiver<Value>>>,
        children: Vec<Child>,
    ) -> Option<Link> {
        ledger::read("finishes");
        if receivers.iter().any(Option::is_some) {
            // Whoever sends can tell whether somebody still receives.
            step::preempt().await;
        }
        // First of all: a child may wait for the last sender to be gone.
        drop((senders, receivers));
        for child in children {
            // A task of ours that panicked has no end, and shows as such.
            let _ = child.handle.await;
        }
        link
    }

    /// Executes `block`. Boxed, because blocks nest.
    fn block<'a>(&'a mut self, block: &'a Block) -> Pin<Box<dyn Future<Output = Done<()>> + Send + 'a>> {
        Box::pin(async move {
            for statement in block {
                self.step(statement.span)?;
                self.statement(statement).await?;
            }
            Ok(())
        })
    }

    /// Stands at `span` from now on, one step further.
    fn step(&mut self, span: Span) -> Done<()> {
        if self.run.is_stopping() {
            return Err(Halt);
        }
        self.standing.stands_at(span);
        self.steps += 1;
        let most = self.run.setting.limits.steps;
        if self.steps > most {
            let message = format!("{} executed more than {most} statements", self.standing.name);
            return Err(self.stop(("steps", message)));
        }
        Ok(())
    }

    async fn statement(&mut self, statement: &Statement) -> Done<()> {
        match &statement.kind {
            Kind::Command(command) => {
                self.command(command).await?;
                // Its reply is nothing to this task.
                ledger::read("commanded");
            }
            Kind::Set { slot, value } => {
                let value = self.eval(value).await?;
                self.standing.kept().variables.insert(Arc::clone(&self.names[*slot]), value.clone());
                self.variables[*slot] = value;
            }
            Kind::If { arms, otherwise } => {
                for (index, arm) in arms.iter().enumerate() {
                    if index > 0 {
                        self.step(arm.span)?;
                    }
                    if self.eval(&arm.condition).await?.is_true() {
                        return self.block(&arm.block).await;
                    }
                }
                self.block(otherwise).await?;
            }
            Kind::While { condition, body } => {
                while self.eval(condition).await?.is_true() {
                    self.block(body).await?;
                    self.step(statement.span)?;
                }
            }
            Kind::Repeat { times, body } => {
                let times = match self.eval(times).await? {
                    Value::Integer(times @ 0..) => times,
                    other => return Err(self.error(format!("expected how many times, found {other}"))),
                };
                for _ in 0..times {
                    self.block(body).await?;
                    self.step(statement.span)?;
                }
            }
            Kind::Spawn { spawned, name, body } => self.spawn(*spawned, name, body)?,
            Kind::Join { spawned } => self.join(*spawned).await,
            Kind::Assert(condition) => self.assert(statement.span, condition).await?,
            Kind::Yield => {
                self.standing.waits(Some(Wait::Turn));
                self.run.rt.yield_now().await;
                self.standing.waits(None);
            }
            Kind::Sleep(time) => {
                self.count(|run| run.count_time(*time))?;
                step::preempt_before_sleep().await;
                self.standing.waits(Some(Wait::Sleep));
                self.run.rt.sleep(*time).await;
                self.standing.waits(None);
            }
            Kind::Spin(time) => {
                self.count(|run| run.count_time(*time))?;
                step::preempt_before_spin().await;
                self.spin(*time);
                step::spun();
                ledger::read("spun");
            }
            Kind::Lock { lock, body } => self.lock(*lock, body).await?,
            Kind::Send { channel, value } => self.send(*channel, value).await?,
            Kind::Receive { channel } => {
                self.receive(*channel).await?;
            }
        }
        Ok(())
    }

    async fn assert(&mut self, span: Span, condition: &Expression) -> Done<()> {
        let (found, holds) = match &*condition.steps {
            [sides @ .., Step::Apply(operator)] if operator.compares() => {
                let (left, right) = two(&mut self.eval_steps(sides).await?);
                let holds = self.apply(&left, *operator, &right)?.is_true();
                (Found::Comparison(left, *operator, right), holds)
            }
            _ => {
                let value = self.eval(condition).await?;
                let holds = value.is_true();
                (Found::Value(value), holds)
            }
        };
        if !holds {
            let failed = &mut self.standing.kept().failed;
            if failed.iter().all(|failed| failed.span != span) {
                ledger::fact_of_task((failed.len(), span, &found));
                failed.push(FailedAssert { span, found });
            }
        }
        Ok(())
    }

    /// Spawns a task with a copy of this one's variables.
    fn spawn(&mut self, spawned: usize, name: &str, body: &Arc<Body>) -> Done<()> {
        self.count(Shared::count_task)?;
        // Whether a child has ended shows to its parent only, which may be ready meanwhile.
        ledger::entangles();
        if self.spawned.len() <= spawned {
            self.spawned.resize(spawned + 1, 0);
        }
        let name = self.standing.name.child(spawned as u32, name, self.spawned[spawned]);
        self.spawned[spawned] += 1;
        let (label, number) = (names::kept(name.label()), name.number());
        let link = body.talks.then(|| Link::open(&self.meeting.way, &name.to_string()));
        let child = Self {
            run: Arc::clone(&self.run),
            meeting: Arc::clone(&self.meeting),
            standing: self.run.progress.enter(name),
            names: Arc::clone(&self.names),
            variables: self.variables.clone(),
            link,
            senders: senders_for(body, &self.senders),
            receivers: Vec::new(),
            children: Vec::new(),
            spawned: Vec::new(),
            steps: 0,
        };
        let standing = Arc::clone(&child.standing);
        let handle = self.run.rt.spawn(label, number, child.run(Arc::clone(body)));
        self.children.push(Child { spawned, standing, handle });
        Ok(())
    }

    async fn join(&mut self, spawned: usize) {
        let named = self.children.extract_if(.., |child| child.spawned == spawned);
        for child in named.collect::<Vec<_>>() {
            self.standing.waits(Some(Wait::Join(child.standing.number)));
            // A task of ours that panicked has no end, and shows as such.
            let _ = child.handle.await;
            self.standing.waits(None);
        }
    }

    /// Computes for `time` without giving way. In real time a run that is to end does not wait for it.
    fn spin(&self, time: Duration) {
        self.run.rt.compute(time, || {
            std::hint::spin_loop();
            !self.run.is_stopping()
        });
    }

    /// Executes `body` while holding `lock`.
    async fn lock(&mut self, lock: usize, body: &Block) -> Done<()> {
        let meeting = Arc::clone(&self.meeting);
        self.standing.waits(Some(Wait::Lock(lock)));
        let guard = meeting.locks[lock].lock().await;
        self.standing.waits(None);
        self.run.progress.holds(lock, Some(&self.standing));
        // Held across every `.await` of the block: that is what the statement is for.
        let done = self.block(body).await;
        self.run.progress.holds(lock, None);
        drop(guard);
        done
    }

    async fn send(&mut self, channel: usize, value: &Expression) -> Done<()> {
        let value = self.eval(value).await?;
        self.standing.waits(Some(Wait::Room(channel)));
        let sent = match self.senders.get(channel) {
            Some(Some(sender)) => {
                let sent = sender.send(value.clone()).await.is_ok();
                if sent {
                    self.run.progress.sent(channel, value);
                }
                sent
            }
            // In `finally` the channels are closed.
            _ => false,
        };
        self.standing.waits(None);
        if sent {
            Ok(())
        } else {
            Err(self.error("expected a task that receives, found none any more".to_owned()))
        }
    }

    /// The next message; nil when all who could send have ended.
    async fn receive(&mut self, channel: usize) -> Done<Value> {
        if self.receivers.len() <= channel {
            self.receivers.resize_with(channel + 1, || None);
        }
        if self.receivers[channel].is_none() {
            self.receivers[channel] = self.meeting.take_receiver(channel);
            ledger::read((channel, self.receivers[channel].is_some()));
        }
        let Some(receiver) = &mut self.receivers[channel] else {
            let message = "expected to be the only task that receives from the channel, found another before";
            return Err(self.error(message.to_owned()));
        };
        self.standing.waits(Some(Wait::Message(channel)));
        let message = receiver.receive().await;
        self.standing.waits(None);
        if message.is_some() {
            self.run.progress.received(channel);
        }
        Ok(message.unwrap_or_default())
    }

    /// The value of `expression`.
    async fn eval(&mut self, expression: &Expression) -> Done<Value> {
        let mut stack = self.eval_steps(&expression.steps).await?;
        Ok(stack.pop().expect("an expression leaves its value"))
    }

    /// What `steps` leave on the stack.
    async fn eval_steps(&mut self, steps: &[Step]) -> Done<Vec<Value>> {
        let mut stack = Vec::new();
        for step in steps {
            let value = match step {
                Step::Push(value) => value.clone(),
                Step::Load(slot) => self.variables[*slot].clone(),
                Step::Text(text) => {
                    let bytes = self.text(text)?;
                    self.count(|run| run.count_bytes(bytes.len()))?;
                    Value::from_bytes(bytes)
                }
                Step::Command(command) => {
                    let reply = self.command(command).await?;
                    if let resp::Value::Bulk(bytes) = &reply {
                        self.count(|run| run.count_bytes(bytes.len()))?;
                    }
                    let value = Value::from_reply(reply).map_err(|found| {
                        self.error(format!(
                            "expected an integer, a string or nil as the reply, found {found}"
                        ))
                    })?;
                    ledger::read(&value);
                    value
                }
                Step::Receive(channel) => self.receive(*channel).await?,
                Step::Apply(operator) => {
                    let (left, right) = two(&mut stack);
                    self.apply(&left, *operator, &right)?
                }
            };
            stack.push(value);
        }
        Ok(stack)
    }

    fn apply(&self, left: &Value, operator: Operator, right: &Value) -> Done<Value> {
        apply(left, operator, right).map_err(|message| self.error(message))
    }

    /// `text` with its variables filled in.
    fn text(&self, text: &Text) -> Done<Vec<u8>> {
        let mut bytes = Vec::new();
        for piece in text {
            match piece {
                Piece::Bytes(piece) => bytes.extend_from_slice(piece),
                Piece::Variable(slot) => {
                    if !self.variables[*slot].write(&mut bytes) {
                        let name = &self.names[*slot];
                        return Err(self.error(format!("expected a value in `{name}` to send, found nil")));
                    }
                }
            }
        }
        Ok(bytes)
    }

    /// Sends `command` and waits for its reply, which is no error.
    async fn command(&mut self, command: &Command) -> Done<resp::Value> {
        self.count(Shared::count_command)?;
        let mut request = Vec::with_capacity(command.words.len());
        for word in &command.words {
            let word = self.text(word)?;
            self.count(|run| run.count_bytes(word.len()))?;
            request.push(word);
        }
        self.run.note_keys(&request);
        self.standing.waits(Some(Wait::Reply));
        let link = self.link.as_mut().expect("the parser saw the command: the task was given a connection");
        let reply = link.call(&request).await;
        self.standing.waits(None);
        match reply {
            Ok(resp::Value::Error(message)) => Err(self.error(format!("the server answers: {message}"))),
            Ok(reply) => Ok(reply),
            Err(error) => {
                let found = match error.kind() {
                    io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
                        "the connection closed by the server".to_owned()
                    }
                    _ => error.to_string(),
                };
                Err(self.error(format!("expected a reply, found {found}")))
            }
        }
    }

    /// Counts something that is limited.
    fn count(&self, count: impl FnOnce(&Shared) -> Result<(), (&'static str, String)>) -> Done<()> {
        count(&self.run).map_err(|passed| self.stop(passed))
    }

    /// Ends the run because a limit is passed.
    fn stop(&self, (limit, message): (&'static str, String)) -> Halt {
        self.run.pass(limit, &message, &self.standing.name, self.standing.span());
        Halt
    }

    /// Ends this task because of what its statement says.
    fn error(&self, message: String) -> Halt {
        let end = End::Error { span: self.standing.span(), message };
        ledger::fact_of_task(&end);
        // Nobody else sets it, and the task ends here.
        let _ = self.standing.end.set(end);
        Halt
    }
}

/// The operands of an operator: the last two values.
fn two(stack: &mut Vec<Value>) -> (Value, Value) {
    let right = stack.pop().expect("an operator has two operands");
    let left = stack.pop().expect("an operator has two operands");
    (left, right)
}
