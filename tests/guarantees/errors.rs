//! Guarantee 1: errors are returned as they are, with their messages, sources and conversions.

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cancelled, ErrGroup, GroupError, Panicked, prelude::*};

use crate::common::{on_pools, watched};

#[test]
fn any_error_type_is_returned_as_it_is() {
    // Not Sync, not Clone, not Error, not 'static.
    #[derive(Debug, PartialEq)]
    struct Borrowed<'a>(&'a str, std::cell::Cell<u8>);

    on_pools(|_| {
        let words = [String::from("one")];
        let result = words
            .par_iter()
            .err_group(|word| Err(Borrowed(word, 7.into())));
        assert_eq!(result, Err(Borrowed("one", 7.into())));

        let address = AtomicUsize::new(0);
        let result = [0].par_iter().err_group(|_| {
            let error: Box<dyn Error + Send + Sync> = "boxed".into();
            address.store((&raw const *error).cast::<u8>() as usize, Ordering::Relaxed);
            Err(error)
        });
        let error = result.unwrap_err();
        assert_eq!(
            (&raw const *error).cast::<u8>() as usize,
            address.into_inner()
        );

        let large = [0].par_iter().err_group(|_| Err([7_u64; 12]));
        assert_eq!(large, Err([7; 12]));
    });
}

#[test]
fn errors_of_several_types_convert() {
    on_pools(|_| {
        let parse = |text: &&str| -> Result<i32, Box<dyn Error + Send + Sync>> {
            let bytes = text
                .strip_prefix("0x")
                .map(|hex| i32::from_str_radix(hex, 16));
            Ok(bytes.unwrap_or_else(|| text.parse())?
                + std::str::from_utf8(b"1")?.parse::<i32>()?)
        };
        let good = ["1", "0x10"]
            .par_iter()
            .try_map_group(|_, text| parse(text));
        assert_eq!(good.unwrap(), [2, 17]);
        assert!(
            ["1", "x"]
                .par_iter()
                .try_map_group(|_, text| parse(text))
                .is_err()
        );
    });
}

#[test]
fn messages_and_sources() {
    let token = CancelToken::new();
    token.cancel_with(io::Error::other("inner"));
    let child = token.child();
    let cancelled = child.check().unwrap_err();
    assert_eq!(cancelled.to_string(), "cancelled by the parent token");
    assert_eq!(cancelled.source().unwrap().to_string(), "inner");
    let error: GroupError<io::Error> = cancelled.into();
    assert_eq!(error.to_string(), "cancelled by the parent token");
    assert_eq!(error.source().unwrap().to_string(), "inner");

    let failed = [0]
        .par_iter()
        .with_group(&ErrGroup::new())
        .try_for_each(|_, _| Err(std::fmt::Error));
    let failed = failed.unwrap_err();
    assert_eq!(failed.to_string(), "an item or task failed");
    assert!(failed.source().unwrap().is::<std::fmt::Error>());
    assert_eq!(failed.index(), None);

    let panicked = ErrGroup::new()
        .catch_panics()
        .scope(|_| -> Result<(), ()> { panic!("lost") });
    let Err(GroupError::Panicked(panicked)) = panicked else {
        panic!("{panicked:?}")
    };
    assert_eq!(panicked.to_string(), "panicked: lost");
    assert_eq!(
        format!("{panicked:?}"),
        "Panicked { index: None, message: Some(\"lost\"), .. }"
    );
}

#[test]
fn a_rejected_task_says_why() {
    let (group, mut seen) = (ErrGroup::new().concurrency(1), Vec::new());
    let result = group.scope(|s| {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        s.spawn(move |_| Ok(_ = wait.recv()));
        let full = s.try_spawn(|_| Ok::<_, ()>(())).unwrap_err();
        seen.push(format!("{full:?}: {full}"));
        drop(release);
        s.token().cancel();
        let cancelled = s.try_spawn(|_| Ok(())).unwrap_err();
        seen.push(format!("{cancelled:?}: {cancelled}"));
        Ok(())
    });
    assert!(result.is_ok() || matches!(result, Err(GroupError::Cancelled(_))));
    let expected = [
        "Full(..): not spawned: the scope is full",
        "Cancelled(..): not spawned: the scope is cancelled",
    ];
    assert_eq!(seen, expected);
}

/// With `ErrorKind::Interrupted` the standard library would try again forever.
#[test]
fn a_cancelled_reader_ends_a_copy() {
    struct Endless(CancelToken);
    impl io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.check()?;
            self.0.cancel();
            Ok(buffer.len())
        }
    }

    watched(|| {
        let error = io::copy(&mut Endless(CancelToken::new()), &mut io::sink());
        let error = error.unwrap_err();
        assert!(error.get_ref().unwrap().is::<Cancelled>());

        let late = CancelToken::new();
        late.cancel_after(std::time::Duration::ZERO);
        let error = io::copy(&mut Endless(late.child()), &mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    });
}

#[test]
fn a_panic_converts_into_the_errors_of_a_caller() {
    on_pools(|_| {
        let caught = || {
            let group = ErrGroup::new().catch_panics();
            let items = [0].par_iter().with_group(&group);
            let result = items.try_for_each(|_, _| -> Result<(), io::Error> { panic!("lost") });
            let Err(GroupError::Panicked(panicked)) = result else {
                panic!("{result:?}")
            };
            panicked
        };
        let error = GroupError::<()>::from(caught());
        assert!(matches!(&error, GroupError::Panicked(p) if p.message() == Some("lost")));

        let error = io::Error::from(caught());
        let panicked = error.get_ref().unwrap().downcast_ref::<Panicked>();
        assert_eq!(panicked.unwrap().message(), Some("lost"));

        let flat: io::Error = GroupError::<io::Error>::from(caught()).flatten();
        assert!(flat.get_ref().unwrap().is::<Panicked>());

        // `?` in an item carries the panic of a nested run on.
        let outer = [0]
            .par_iter()
            .err_group(|_| -> Result<(), GroupError<()>> { Err(caught())? });
        assert!(matches!(outer, Err(GroupError::Panicked(p)) if p.message() == Some("lost")));
    });
}
