//! The signals that stop the batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::{process, thread};

use rayon_errgroup::CancelToken;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

pub(crate) struct Signals {
    /// Cancelled by the first signal. A SIGINT after it ends the process at once. Another does not:
    /// launchers send several, and the report is still to be written.
    pub(crate) stop: CancelToken,
    /// The first signal, or 0.
    first: Arc<AtomicI32>,
}

impl Signals {
    pub(crate) fn install(handles: bool) -> anyhow::Result<Self> {
        let (stop, first) = (CancelToken::new(), Arc::new(AtomicI32::new(0)));
        let signals = Signals {
            stop: stop.clone(),
            first: Arc::clone(&first),
        };
        if !handles {
            return Ok(signals);
        }
        let mut incoming = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for signal in incoming.forever() {
                    if stop.is_cancelled() {
                        if signal == SIGINT {
                            process::exit(128 + signal);
                        }
                        continue;
                    }
                    // Relaxed: the cancellation publishes it.
                    first.store(signal, Ordering::Relaxed);
                    let name = signal_hook::low_level::signal_name(signal);
                    stop.cancel_with(name.unwrap_or("a signal"));
                }
            })?;
        Ok(signals)
    }

    /// What shells report for a program that the signal ended.
    pub(crate) fn status(&self) -> Option<u8> {
        // Relaxed: the run that was cancelled by it has ended.
        match self.first.load(Ordering::Relaxed) {
            0 => None,
            signal => u8::try_from(128 + signal).ok(),
        }
    }
}
