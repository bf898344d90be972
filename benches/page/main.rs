//! Makes BENCHMARKS.md and the plots in plots/ from what criterion and Go have measured.
//!
//! Run by benches/page.sh. Nothing is measured here and no figure is typed in. The page says so
//! where criterion has no figures.

mod bar;
mod call_sites;
mod canvas;
mod contender;
mod figures;
mod losses;
mod machine;
mod markdown;
mod peers;
mod plot;
mod scale;
mod section;
mod sections;
mod units;

use std::fs;
use std::path::Path;

use cargo_metadata::MetadataCommand;

use figures::Figures;
use machine::Machine;
use sections::{README, SECTIONS};

fn main() -> anyhow::Result<()> {
    if !std::env::args().any(|argument| argument == "write") {
        println!("BENCHMARKS.md is made by benches/page.sh");
        return Ok(());
    }
    let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut metadata = MetadataCommand::new();
    metadata.manifest_path(benches.join("Cargo.toml"));
    let metadata = metadata.other_options(["--locked".to_owned()]).exec()?;
    let root = metadata.workspace_root.as_std_path();
    let measured = metadata.target_directory.join("criterion");
    let mut figures = Figures::default();
    figures.read_criterion(measured.as_std_path())?;
    figures.read_go(&benches.join("go/results.json"))?;

    let plots = root.join("plots");
    fs::create_dir_all(&plots)?;
    for section in SECTIONS {
        let file = plots.join(format!("{}.svg", section.group));
        if section.is_measured(&figures) {
            fs::write(file, plot::draw(section, section.rows, &figures)?)?;
        } else if file.exists() {
            fs::remove_file(file)?;
        }
    }
    for (group, rows) in README {
        let section = SECTIONS.iter().find(|section| section.group == *group);
        if let Some(section) = section.filter(|section| section.is_measured(&figures)) {
            let file = plots.join(format!("readme_{group}.svg"));
            fs::write(file, plot::draw(section, rows, &figures)?)?;
        }
    }
    let sites = metadata.target_directory.join("call_sites/results.tsv");
    let sites = call_sites::read(sites.as_std_path())?;
    let machine = Machine::here(&figures, measured.join("load").as_std_path());
    let page = markdown::page(&figures, &sites, &machine, &metadata.packages);
    fs::write(root.join("BENCHMARKS.md"), page)?;
    println!("{} medians in BENCHMARKS.md", figures.count());
    Ok(())
}
