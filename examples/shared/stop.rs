//! A token that Ctrl-C, SIGTERM and SIGHUP cancel.

use rayon_errgroup::{CancelToken, Cause};

/// The signal that stopped the program, as the reason of the cancellation.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{}", .name)]
pub(crate) struct Signal {
    name: &'static str,
    number: u8,
}

impl Signal {
    const INTERRUPT: Signal = Signal {
        name: "Ctrl-C",
        number: 2,
    };

    /// The exit status that shells report for a program that the signal has killed.
    pub(crate) fn status(self) -> u8 {
        128 + self.number
    }
}

/// The signal behind a cancellation.
pub(crate) fn signal(cause: &Cause) -> Option<Signal> {
    match cause.root() {
        Cause::Requested(Some(reason)) => reason.downcast_ref().copied(),
        _ => None,
    }
}

/// A token that the first signal cancels.
///
/// A second one exits at once, for what does not look at the token. So does a SIGTERM or a SIGHUP
/// by itself, after some seconds: nobody may be there to send a second one.
pub(crate) fn on_signal() -> anyhow::Result<CancelToken> {
    let token = CancelToken::new();
    system::watch(token.clone())?;
    Ok(token)
}

#[cfg(unix)]
mod system {
    use std::os::raw::c_int;
    use std::time::{Duration, Instant};
    use std::{process, thread};

    use anyhow::Context;
    use rayon_errgroup::CancelToken;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    use super::Signal;
    use crate::message::say;

    /// How often a program that is stopping looks for another signal.
    const TICK: Duration = Duration::from_millis(20);
    /// Some programs send a signal twice, to a process and to its group. That counts as one.
    const TWICE: Duration = Duration::from_millis(200);
    /// When a user who waits is told why.
    const PATIENCE: Duration = Duration::from_millis(500);
    /// How long a program that was told to terminate may take.
    const GRACE: Duration = Duration::from_secs(3);

    const SIGNALS: [(c_int, Signal); 3] = [
        (SIGINT, Signal::INTERRUPT),
        (
            SIGTERM,
            Signal {
                name: "SIGTERM",
                number: 15,
            },
        ),
        (
            SIGHUP,
            Signal {
                name: "SIGHUP",
                number: 1,
            },
        ),
    ];

    fn signal(number: c_int) -> Signal {
        let known = SIGNALS.iter().find(|(wanted, _)| *wanted == number);
        known.map_or(Signal::INTERRUPT, |(_, signal)| *signal)
    }

    pub(super) fn watch(token: CancelToken) -> anyhow::Result<()> {
        // What is ignored stays ignored, as after `nohup`.
        let wanted = SIGNALS.map(|(number, _)| number);
        let wanted = wanted.into_iter().filter(|number| !is_ignored(*number));
        let mut signals = Signals::new(wanted).context("cannot wait for signals")?;
        thread::Builder::new()
            .spawn(move || {
                if let Some(first) = signals.forever().next() {
                    // The callbacks of the token run here.
                    token.cancel_with(signal(first));
                    exit_if_it_takes_too_long(first, &mut signals);
                }
            })
            .context("cannot start a thread")?;
        Ok(())
    }

    fn exit_if_it_takes_too_long(first: c_int, signals: &mut Signals) {
        let start = Instant::now();
        let mut is_told = false;
        loop {
            thread::sleep(TICK);
            let again = signals.pending().last();
            if let Some(again) = again.filter(|_| start.elapsed() > TWICE) {
                process::exit(signal(again).status().into());
            }
            if first != SIGINT && start.elapsed() > GRACE {
                say("stopped before everything that was running had ended");
                process::exit(signal(first).status().into());
            }
            if !is_told && start.elapsed() > PATIENCE {
                say("stopping: waiting for what is running; press Ctrl-C again to exit at once");
                is_told = true;
            }
        }
    }

    /// Whether the parent process has set the signal to be ignored, as far as Linux tells.
    fn is_ignored(number: c_int) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.unwrap_or_default() & 1 << (number - 1) != 0
    }
}

#[cfg(not(unix))]
mod system {
    use rayon_errgroup::CancelToken;

    use super::Signal;

    pub(super) fn watch(token: CancelToken) -> anyhow::Result<()> {
        ctrlc::set_handler(move || {
            if !token.cancel_with(Signal::INTERRUPT) {
                std::process::exit(Signal::INTERRUPT.status().into());
            }
        })?;
        Ok(())
    }
}
