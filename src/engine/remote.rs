//! A server's connection on a thread of its own, for callers that are synchronous.
//!
//! The thread runs the driver's event loop; a caller hands it a job and waits for the answer, so
//! that reading ahead goes on while rows are hashed and compressed elsewhere, and nothing above
//! the engines is asynchronous. A caller that is told to stop drops the job in the middle; after
//! that the connection is in no known state and takes no more jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::{mpsc, oneshot};

/// How often a waiting caller looks whether it is told to stop.
const STOP_CHECK: Duration = Duration::from_millis(20);

type Job<C> = Box<dyn for<'c> FnOnce(&'c mut C) -> BoxFuture<'c, ()> + Send>;

struct Order<C> {
    job: Job<C>,
    /// Dropped where the caller gave up.
    caller: oneshot::Receiver<std::convert::Infallible>,
}

/// Why a job was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Abandoned {
    /// The caller was told to stop.
    Stopped,
    /// The connection takes no more jobs.
    Gone,
}

/// A connection and its thread.
pub(super) struct Remote<C> {
    orders: Option<mpsc::UnboundedSender<Order<C>>>,
    thread: Option<JoinHandle<()>>,
    stop: Option<Arc<AtomicBool>>,
}

impl<C: Send + 'static> Remote<C> {
    /// Starts the thread and connects on it.
    pub(super) fn connect<E: Send + 'static>(
        stop: Option<Arc<AtomicBool>>,
        connect: impl FnOnce() -> BoxFuture<'static, Result<C, E>> + Send + 'static,
    ) -> std::io::Result<Result<Remote<C>, Result<E, Abandoned>>> {
        let (orders, mut incoming) = mpsc::unbounded_channel::<Order<C>>();
        let (answer, answered) = sync_channel(1);
        let (alive, caller) = oneshot::channel::<std::convert::Infallible>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread =
            std::thread::Builder::new().name("connection".to_owned()).spawn(move || {
                runtime.block_on(async move {
                    let connected = tokio::select! {
                        connected = connect() => connected,
                        _ = caller => return,
                    };
                    let mut connection = match connected {
                        Ok(connection) => {
                            let _ = answer.send(Ok(()));
                            connection
                        }
                        Err(error) => {
                            let _ = answer.send(Err(error));
                            return;
                        }
                    };
                    while let Some(order) = incoming.recv().await {
                        tokio::select! {
                            () = (order.job)(&mut connection) => {}
                            _ = order.caller => return,
                        }
                    }
                });
            })?;
        let waited = wait(&answered, stop.as_deref());
        drop(alive);
        Ok(match waited {
            Ok(Ok(())) => Ok(Remote { orders: Some(orders), thread: Some(thread), stop }),
            Ok(Err(error)) => Err(Ok(error)),
            Err(abandoned) => Err(Err(abandoned)),
        })
    }

    /// Hands the connection a job and waits for its answer.
    pub(super) fn call<R: Send + 'static>(
        &self,
        job: impl for<'c> FnOnce(&'c mut C) -> BoxFuture<'c, R> + Send + 'static,
    ) -> Result<R, Abandoned> {
        let (answer, answered) = sync_channel(1);
        let alive = self.order(move |connection| {
            async move {
                let _ = answer.send(job(connection).await);
            }
            .boxed()
        })?;
        let waited = wait(&answered, self.stop.as_deref());
        drop(alive);
        waited
    }

    /// Hands the connection a job that sends many things, and calls for each of them here, until
    /// `each` says false or fails. The job sees that as an error of its sender, and should then end
    /// in order: the next job waits for that.
    pub(super) fn stream<T: Send + 'static, R: Send + 'static, E>(
        &self,
        ahead: usize,
        job: impl for<'c> FnOnce(&'c mut C, SyncSender<T>) -> BoxFuture<'c, R> + Send + 'static,
        mut each: impl FnMut(T) -> Result<bool, E>,
    ) -> Result<Result<R, E>, Abandoned> {
        let (sender, items) = sync_channel(ahead);
        let (answer, answered) = sync_channel(1);
        let alive = self.order(move |connection| {
            async move {
                let _ = answer.send(job(connection, sender).await);
            }
            .boxed()
        })?;
        let mut failed = None;
        loop {
            match items.recv_timeout(STOP_CHECK) {
                Ok(item) => match each(item) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                },
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if self.is_stopped() => {
                    return Err(Abandoned::Stopped);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        drop(items);
        let waited = wait(&answered, self.stop.as_deref());
        drop(alive);
        match failed {
            Some(error) => Ok(Err(error)),
            None => waited.map(Ok),
        }
    }

    fn order(
        &self,
        job: impl for<'c> FnOnce(&'c mut C) -> BoxFuture<'c, ()> + Send + 'static,
    ) -> Result<oneshot::Sender<std::convert::Infallible>, Abandoned> {
        if self.is_stopped() {
            return Err(Abandoned::Stopped);
        }
        let (alive, caller) = oneshot::channel();
        let orders = self.orders.as_ref().ok_or(Abandoned::Gone)?;
        orders.send(Order { job: Box::new(job), caller }).map_err(|_| Abandoned::Gone)?;
        Ok(alive)
    }

    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

impl<C> Drop for Remote<C> {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn wait<R>(answered: &Receiver<R>, stop: Option<&AtomicBool>) -> Result<R, Abandoned> {
    loop {
        match answered.recv_timeout(STOP_CHECK) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Disconnected) => return Err(Abandoned::Gone),
            Err(RecvTimeoutError::Timeout) => {
                if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                    return Err(Abandoned::Stopped);
                }
            }
        }
    }
}
