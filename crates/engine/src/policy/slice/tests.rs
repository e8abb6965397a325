use super::*;
use crate::policy::{Rules, catalogue, config::read};

fn policy(more: &str) -> Policy {
    let source = format!(
        "[servers.crm]\ncommand = ['crm']\ntools = {{ wipe = 'delete', show = 'read' }}\n\
         [agents.bot]\nteam = 'red'\nlevels = ['delete', 'read']\n[agents.ana]\nteam = 'blue'\nlevels = ['delete']\n{more}"
    );
    let config = read(&source).config.unwrap();
    Policy::compile(Rules::from(&config), catalogue(&config)).unwrap()
}

fn slice(policy: &Policy, agent: &str, tool: &str) -> Slice {
    policy.slice(&agent.parse().unwrap(), &tool.parse().unwrap()).unwrap().unwrap()
}

fn ids(slice: &Slice) -> Vec<&str> {
    slice.rules.iter().map(|rule| &*rule.id).collect()
}

#[test]
fn a_slice_holds_the_rules_that_are_about_the_pair_and_no_scope() {
    let policy = policy(
        "[guards]\ndelete = [{ id = \"red's \\\\ own\", for = { team = 'red' }, forbid = 'no' }, { id = 'all', require = 'approval:x' }]",
    );
    let red = slice(&policy, "bot", "crm/wipe");
    assert_eq!(ids(&red), ["agents.bot.levels", "guards.0.red's \\ own", "guards.1.all"]);
    assert_eq!(ids(&slice(&policy, "ana", "crm/wipe")), ["agents.ana.levels", "guards.1.all"]);
    assert!(slice(&policy, "ana", "crm/show").rules.is_empty());
    for rule in &red.rules {
        assert_eq!(rule.est["principal"], json!({ "op": "All" }));
        assert_eq!(rule.est["action"], json!({ "op": "All" }));
    }
    assert!(matches!(red.rules[2].does, Does::Asks(_)));
    assert!(policy.slice(&"eve".parse().unwrap(), &"crm/wipe".parse().unwrap()).unwrap().is_none());
}

#[test]
fn a_condition_over_an_unknown_tool_is_named_and_not_guessed() {
    let policy = policy("[guards]\n'crm/wipe' = { id = 'big', when = 'args.n > 5', forbid = 'no' }");
    let found = slice(&policy, "bot", "crm/wipe");
    assert_eq!(found.untyped.iter().map(|id| &**id).collect::<Vec<_>>(), ["guards.0.big"]);
    assert_eq!(ids(&found), ["agents.bot.levels"]);
}

#[test]
fn reads_join_unless_one_place_is_two_things() {
    let read = |name: &str, kind| Read {
        root: Record {
            members: BTreeMap::from([(name.to_owned(), Member { kind, required: true })]),
            open: false,
        },
        facts: BTreeSet::new(),
    };
    let args = |name: &str, kind| read("args", Kind::Record(read(name, kind).root));
    let both = args("a", Kind::Text).and(&args("b", Kind::Bool)).unwrap();
    let Kind::Record(inside) = &both.root.members["args"].kind else { panic!("{both:?}") };
    assert_eq!(inside.members.len(), 2);
    assert!(args("a", Kind::Text).and(&args("a", Kind::Bool)).is_none());
    assert!(both.schema().is_ok());
}
