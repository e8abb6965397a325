//! The guide's files load: each block of TOML in it is a whole `placet.toml`, with the examples in it.

use placet_engine::{diagnostic::render, policy::config::read};

#[test]
fn each_block_of_the_guide_to_facts_is_a_file_that_loads() {
    let guide = include_str!("../../../docs/guide/facts.md");
    let blocks: Vec<&str> =
        guide.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() > 6);
    for block in blocks {
        let findings = read(block).findings;
        assert!(findings.is_empty(), "{}", render(&findings, "facts.md", block));
    }
}
