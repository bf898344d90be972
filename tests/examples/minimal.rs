//! `minimal`: counts, and the first error.

use crate::program::{Folder, example, run};

#[test]
fn minimal_counts_lines_in_the_order_of_the_files() {
    let folder = Folder::new("minimal");
    let mut expected = Vec::new();
    let mut command = example("minimal");
    for count in (0..50).rev() {
        let name = format!("lines-{count}");
        folder.file(&name, "\n".repeat(count).as_bytes());
        expected.push(format!("{count:7} {name}\n"));
        command.arg(name);
    }
    run(command.current_dir(&folder.0)).prints(0, &expected.concat());
    run(&mut example("minimal")).prints(0, "");
}

#[test]
fn minimal_names_the_first_file_that_cannot_be_read() {
    let folder = Folder::new("minimal-missing");
    folder.file("good", &vec![b'\n'; 100_000]);
    for _ in 0..5 {
        let mut command = example("minimal");
        // The second half is begun before the first error is found.
        command.args(["good"; 20]).arg("a\nb").args(["good"; 5]);
        command.args(["c"; 26]);
        let ended = run(command.current_dir(&folder.0));
        ended.refused(1, "error: cannot read \"a\\nb\": No such file");
    }
}
