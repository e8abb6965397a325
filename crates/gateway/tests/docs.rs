//! What the documents say: each example of a file is one, each code has its page, each command exists.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and end")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use placet_engine::{decision::Code, policy::config};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

#[test]
fn each_toml_block_of_the_documents_is_a_file_that_loads() {
    let mut files = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    documents(&root().join("docs"), &mut files);
    let mut blocks = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            let read = config::read(block);
            assert!(read.config.is_some(), "{}: {:?}\n{block}", file.display(), read.findings);
            blocks += 1;
        }
    }
    assert!(blocks > 0);
}

#[test]
fn each_code_has_a_page_and_each_page_a_code() {
    let folder = root().join("docs/errors");
    let mut pages: Vec<_> = fs::read_dir(&folder).unwrap().map(|page| page.unwrap().path()).collect();
    pages.retain(|page| !page.ends_with("README.md"));
    let mut names: Vec<_> =
        pages.iter().map(|page| page.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    let mut codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    codes.sort();
    assert_eq!(names, codes);
}

#[test]
fn each_command_of_the_readme_exists() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `placet "));
    let mut commands = 0;
    for row in rows {
        let words: Vec<_> = row
            .split('`')
            .next()
            .unwrap()
            .split(' ')
            .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase()))
            .collect();
        let help = Command::new(env!("CARGO_BIN_EXE_placet")).args(&words).arg("--help").output().unwrap();
        assert!(
            help.status.success(),
            "placet {}: {}",
            words.join(" "),
            String::from_utf8_lossy(&help.stderr)
        );
        commands += 1;
    }
    assert!(commands > 5);
}
