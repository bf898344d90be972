//! The service: one group of short tasks that prepare it, and one of tasks that run until it stops.

use std::fmt;

use crossbeam_channel::bounded;
use rayon_errgroup::{CancelToken, Cancelled, ErrGroup, GroupError};

use crate::listener::Listener;
use crate::options::Options;
use crate::probe::Probe;
use crate::settings::Settings;
use crate::tell;
use crate::worker::{Answers, Worker};

/// How many connections may wait for a worker.
const QUEUE: usize = 16;

/// A service that is ready to start.
pub(crate) struct Service {
    listener: Listener,
    probe: Probe,
    answers: Answers,
    workers: usize,
    group: ErrGroup,
}

impl Service {
    /// Reads the settings and opens the port at the same time. If either fails, nothing is started.
    pub(crate) fn prepare(options: &Options, stop: &CancelToken) -> anyhow::Result<Service> {
        let mut settings = Settings::default();
        let group = ErrGroup::new().try_concurrency(2)?.token(stop);
        let listener = group.scope(|s| {
            if let Some(file) = &options.config {
                s.spawn(|s| Settings::load(file, s.token()).map(|loaded| settings = loaded));
            }
            Listener::bind(options.port)
        });
        let listener = listener.map_err(GroupError::flatten)?;
        Ok(Service {
            probe: Probe {
                address: listener.address,
                expected: settings.answer.clone(),
                interval: settings.interval,
                count: options.probes(),
            },
            listener,
            answers: Answers::new(settings.answer, options.fail_after),
            workers: settings.workers,
            // Each part keeps its thread to the end, so each needs one, even on few cores.
            group: ErrGroup::new().try_concurrency(2 + settings.workers)?,
        })
    }

    /// Runs until a part fails, the probe is done, or `stop` is cancelled. Returns when all parts
    /// have ended.
    pub(crate) fn run(self, stop: &CancelToken) -> Result<(), GroupError<anyhow::Error>> {
        let Service {
            listener,
            probe,
            answers,
            workers,
            group,
        } = self;
        // Both ends outlive every task, so a part is ended by the token and never by a closed
        // queue.
        let (submit, jobs) = bounded(QUEUE);

        group.token(stop).scope(|s| {
            s.spawn(|s| ended("listener", listener.serve(&submit, s.token())));

            for number in 1..=workers {
                let worker = Worker::new(number, &jobs, &answers);
                s.spawn(move |s| ended(worker.name(), worker.work(s.token())));
            }

            s.spawn(|s| {
                ended("probe", probe.watch(s.token()))?;
                // The other parts do not end by themselves. Each returns the error of this
                // cancellation, which does not count as a failure.
                s.token().cancel_with("every probe was answered");
                Ok(())
            });
            Ok(())
        })
    }
}

/// Prints how a part ended, and adds its name to an error.
fn ended(part: impl fmt::Display, result: anyhow::Result<()>) -> anyhow::Result<()> {
    let told = match &result {
        Ok(()) => tell(format_args!("{part}: done")),
        Err(error) if error.is::<Cancelled>() => tell(format_args!("{part}: ended, {error}")),
        Err(_) => tell(format_args!("{part}: failed")),
    };
    result
        .and(told)
        .map_err(|error| error.context(part.to_string()))
}
