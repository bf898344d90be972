//! Tasks.

use rayon_errgroup::{CancelToken, ErrGroup, Scope, TrySpawnError, prelude::*, scope};

use crate::{Ran, assert_cancelled, fail_at};

fn tree<'scope>(s: &Scope<'scope, u32>, depth: u32, leaves: &'scope Ran) -> Result<(), u32> {
    if depth == 0 {
        leaves.count();
        return Ok(());
    }
    for _ in 0..2 {
        s.spawn(move |s| tree(s, depth - 1, leaves));
    }
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn scope_ok() -> u32 {
    let leaves = Ran::default();
    scope(|s| tree(s, 8, &leaves)).unwrap();
    leaves.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn scope_whose_task_fails() -> u32 {
    let result = scope(|s| {
        for n in 0..100 {
            s.spawn(move |_| fail_at(7)(n).map(drop));
        }
        Ok(())
    });
    result.unwrap_err()
}

#[unsafe(no_mangle)]
pub extern "C" fn scope_whose_body_fails() -> u32 {
    let ran = Ran::default();
    let result = scope(|s| {
        for _ in 0..100 {
            s.spawn(|_| {
                ran.count();
                Ok(())
            });
        }
        Err::<(), _>(5)
    });
    assert_eq!(result, Err(5));
    // On one thread the tasks begin when the body has ended.
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn scope_cancelled() -> u32 {
    let (stop, ran) = (CancelToken::new(), Ran::default());
    let result = ErrGroup::new().token(&stop).scope(|s| {
        for _ in 0..100 {
            s.spawn(|_| {
                if ran.count() == 10 {
                    stop.cancel();
                }
                Ok(())
            });
        }
        Ok(())
    });
    assert_cancelled(result);
    ran.total()
}

#[unsafe(no_mangle)]
pub extern "C" fn scope_that_cancels_itself() -> u32 {
    let result: Result<u32, u32> = scope(|s| {
        s.token().cancel();
        let Err(TrySpawnError::Cancelled(_)) = s.try_spawn(|_| Ok(())) else {
            panic!("it is cancelled")
        };
        Ok(1)
    });
    result.unwrap()
}

/// Runs of each kind inside of tasks.
#[unsafe(no_mangle)]
pub extern "C" fn runs_in_tasks() -> u32 {
    let (ran, ran_in_order) = (Ran::default(), Ran::default());
    let result: Result<(), u32> = scope(|s| {
        for _ in 0..10 {
            s.spawn(|_| {
                let items = rayon::iter::repeat_n((), 10);
                items.err_group(|()| {
                    ran.count();
                    Ok(())
                })
            });
            s.spawn(|_| {
                (0..10).par_in_order().err_group(|_| {
                    ran_in_order.count();
                    scope(|s| {
                        s.spawn(|_| Ok(()));
                        Ok(())
                    })
                })
            });
        }
        Ok(())
    });
    result.unwrap();
    ran.total() + ran_in_order.total()
}
