//! The guide's files load: each block of TOML in it is a whole `placet.toml`, with the examples in it.

use placet_engine::{
    diagnostic::render,
    policy::{
        Policy, Rules, catalogue,
        config::{Read, read},
    },
};

#[test]
fn each_block_of_the_guides_to_policy_and_facts_is_a_file_that_loads() {
    for (name, guide) in [
        ("facts.md", include_str!("../../../docs/guide/facts.md")),
        ("policy.md", include_str!("../../../docs/guide/policy.md")),
    ] {
        let blocks: Vec<&str> =
            guide.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(blocks.len() > 6);
        for block in blocks {
            let Read { config, findings } = read(block);
            assert!(findings.is_empty(), "{}", render(&findings, name, block));
            let config = config.unwrap();
            if let Err(error) = Policy::compile(Rules::from(&config), catalogue(&config)) {
                panic!("{name}: {error}\n{block}");
            }
        }
    }
}
