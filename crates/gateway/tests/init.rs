//! `placet init --from` as its user meets it: the binary under test, a home of its own, clients' files in it.
//!
//! This file is its own runner, as `processes.rs` is: started with `spy LOG [OFFERS]` it is the tool server.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should say so and end"
)]

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    panic::catch_unwind,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use placet_engine::{
    json::{Json, Limits, parse},
    policy::config::{self, Config},
};
use placet_testkit::{
    client::{Client, text},
    spy,
};

const TESTS: [(&str, fn()); 9] = [
    ("a_client_is_rewired_serves_and_is_given_back_byte_for_byte", there_and_back),
    ("the_files_of_three_clients_come_back_byte_for_byte", three_clients),
    ("a_project_s_servers_start_only_after_a_yes", project),
    ("what_a_server_says_breaks_neither_the_file_nor_the_terminal", hostile),
    ("what_is_not_understood_is_left_and_said_so", left),
    ("a_file_that_is_there_is_added_to", added),
    ("a_file_that_changed_since_gets_our_entries_back_or_is_left", changed_since),
    ("a_link_is_followed_and_a_mode_is_kept", link),
    ("a_dry_run_writes_nothing", dry_run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [mode, log, rest @ ..] = arguments.as_slice()
        && mode == "spy"
    {
        let offers = rest.first().map(|file| fs::read_to_string(file).expect("what the spy offers"));
        if let Ok(key) = env::var("SPY_KEY") {
            fs::write(Path::new(log).with_extension("env"), key).expect("the spy's environment is kept");
        }
        spy::serve(Path::new(log), offers).expect("the spy serves");
        return ExitCode::SUCCESS;
    }
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    let chosen: Vec<_> =
        TESTS.iter().filter(|(name, _)| wanted.is_none_or(|part| name.contains(part.as_str()))).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", chosen.len());
    let mut failed = 0;
    for (name, test) in &chosen {
        let outcome = catch_unwind(test);
        println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        failed += usize::from(outcome.is_err());
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let (passed, out) = (chosen.len() - failed, TESTS.len() - chosen.len());
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {out} filtered out\n"
    );
    ExitCode::from(u8::from(failed > 0))
}

/// A home of its own, with nothing in it.
struct Home {
    root: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { root: tempfile::tempdir().unwrap() };
        fs::create_dir(home.path("run")).unwrap();
        home
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(below)
    }

    fn log(&self) -> PathBuf {
        self.path("reached.log")
    }

    /// A file of the home, and the folders above it.
    fn file(&self, below: &str, text: &str) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The members `command` and `args` of an entry that starts the spy.
    fn spy(&self, offers: Option<&Path>) -> String {
        let mut args = vec![Json::from("spy"), Json::from(self.log().to_str().unwrap())];
        args.extend(offers.map(|offers| Json::from(offers.to_str().unwrap())));
        let exe = Json::from(env::current_exe().unwrap().to_str().unwrap());
        format!("\"command\": {}, \"args\": {}", exe.compact(), Json::from(args).compact())
    }

    fn placet(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_placet"));
        command.args(arguments).stdin(Stdio::null());
        for variable in
            ["PLACET_STATE", "PLACET_CONFIG", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "CLAUDE_CONFIG_DIR"]
        {
            command.env_remove(variable);
        }
        command
            .env("HOME", self.path(""))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .current_dir(self.path(""));
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.placet(arguments).output().unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap_or(-1), text)
    }

    fn init(&self, file: &Path, more: &[&str]) -> (i32, String) {
        let arguments: Vec<&str> =
            ["init", "--from", file.to_str().unwrap()].iter().chain(more).copied().collect();
        self.run(&arguments)
    }

    fn undo(&self, file: &Path) -> (i32, String) {
        self.run(&["init", "--undo", "--from", file.to_str().unwrap()])
    }

    fn config(&self) -> Config {
        config::read(&self.config_text()).config.unwrap()
    }

    fn config_text(&self) -> String {
        fs::read_to_string(self.path(".config/placet/placet.toml")).unwrap()
    }

    /// Every file that Placet has made, with what it holds.
    fn made(&self) -> Vec<(PathBuf, String)> {
        let mut files = Vec::new();
        let mut folders = vec![self.path(".config/placet"), self.path(".local/state/placet")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files.push((
                        path.clone(),
                        String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
                    )),
                }
            }
        }
        files
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.run(&["node", "stop"]);
    }
}

fn json(path: &Path) -> Json {
    parse(&fs::read(path).unwrap(), &Limits::EDGE).unwrap()
}

const DESKTOP: &str = ".config/Claude/claude_desktop_config.json";

fn there_and_back() {
    let home = Home::new();
    let before = format!(
        "{{\n  \"mcpServers\": {{\n    \"My Spy\": {{\n      {},\n      \"env\": {{ \"SPY_KEY\": \"s3cret\\u0021\" }}\n    }}\n  }},\n  \"theme\": \"dark\"\n}}\n",
        home.spy(None)
    );
    let file = home.file(DESKTOP, &before);
    let (exit, said) = home.run(&["init", "--from", "claude-desktop"]);
    assert_eq!(exit, 0, "{said}");
    assert_eq!(
        fs::read_to_string(home.log().with_extension("env")).unwrap(),
        "s3cret!",
        "it is asked with its own environment"
    );
    // The entry starts us, by an absolute path and without an environment; the rest of the file is as it was.
    let after = json(&file);
    let entry = after.get("mcpServers").unwrap().get("My Spy").unwrap();
    assert!(entry.get("env").is_none());
    assert_eq!(after.get("theme").and_then(Json::as_str), Some("dark"));
    let program = entry.get("command").and_then(Json::as_str).unwrap();
    let args: Vec<_> = entry
        .get("args")
        .and_then(Json::as_array)
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    assert!(Path::new(program).is_absolute());
    assert_eq!(args[..3], ["mcp", "my-spy", "--config"]);
    assert_eq!(args[4..], ["--client", "claude-desktop"]);
    // The secret is in one file, for its owner alone, and nowhere else as itself.
    let with_secret: Vec<_> = home.made().into_iter().filter(|(_, text)| text.contains("s3cret!")).collect();
    assert_eq!(with_secret.len(), 1, "{with_secret:?}");
    assert!(with_secret[0].0.ends_with("secrets/my-spy.SPY_KEY"));
    for (path, _) in home.made() {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }
    // What the client now starts serves, with that environment.
    fs::remove_file(home.log().with_extension("env")).unwrap();
    let mut client = Client::start(home.placet(&args).stderr(Stdio::null())).unwrap();
    let id = client.call("write_it", "one").unwrap();
    assert_eq!(text(&client.answer(id).unwrap()), "done one");
    let id = client.call("delete_it", "two").unwrap();
    assert!(text(&client.answer(id).unwrap()).contains("not one of this agent's tools"));
    client.leave().unwrap();
    assert_eq!(fs::read_to_string(home.log().with_extension("env")).unwrap(), "s3cret!");
    // Once more: there is nothing left to take.
    let wired = fs::read_to_string(&file).unwrap();
    let (exit, said) = home.init(&file, &[]);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("it goes through Placet already"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), wired);
    // And back.
    let (exit, said) = home.run(&["init", "--undo"]);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("byte for byte"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let (exit, said) = home.run(&["init", "--undo"]);
    assert_eq!(exit, 6, "{said}");
    // After that it can be taken again: what is in the file already is the same server.
    let (exit, said) = home.init(&file, &[]);
    assert_eq!(exit, 0, "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), wired);
    assert_eq!(home.config().servers.len(), 1);
    assert_eq!(home.undo(&file).0, 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
}

fn three_clients() {
    let home = Home::new();
    let spy = home.spy(None);
    let files = [
        (
            ".cursor/mcp.json",
            format!(
                "\u{feff}// mine\r\n{{\r\n\t\"mcpServers\": {{\r\n\t\t\"spy\": {{ {spy}, \"env\": {{ \"A\": \"é\\/🗝\", }}, }}, // trailing\r\n\t}},\r\n}}"
            ),
        ),
        (
            ".claude.json",
            format!(
                "{{\"numStartups\":3,\"projects\":{{\"/p\":{{\"mcpServers\":{{\"spy\":{{\"command\":\"x\"}}}},\"n\":1e400}}}},\"mcpServers\":{{\"spy\":{{\"type\":\"stdio\",{spy},\"env\":{{}}}},\"two\":{{{spy},\"env\":{{\"A\":\"1\",\"B\":\"\"}}}}}}}}"
            ),
        ),
        (
            ".config/Code/User/mcp.json",
            format!(
                "{{\n  // inputs stay\n  \"inputs\": [],\n  \"servers\": {{\n    \"spy\": {{ \"type\": \"stdio\", {spy} }},\n    \"asks\": {{ {spy}, \"env\": {{ \"K\": \"${{input:k}}\" }} }},\n  }}\n}}\n"
            ),
        ),
    ];
    let paths: Vec<_> = files.iter().map(|(below, text)| (home.file(below, text), text)).collect();
    for (path, before) in &paths {
        let (exit, said) = home.init(path, &[]);
        assert_eq!(exit, 0, "{said}");
        assert_ne!(fs::read_to_string(path).unwrap(), **before);
    }
    // One file for all of them, a credential for each, one agent; the same program is one server.
    let config = home.config();
    let clients: Vec<_> = config.clients.keys().map(|client| client.as_str()).collect();
    assert_eq!(clients, ["claude-code", "cursor", "vscode"]);
    assert_eq!(config.agents.len(), 1);
    let servers: Vec<_> = config.servers.keys().map(|server| server.as_str()).collect();
    assert_eq!(servers, ["spy", "spy-2", "two"]);
    assert_eq!(config.clients.values().map(|client| client.servers.len()).sum::<usize>(), 4);
    let (exit, said) = home.run(&["check"]);
    assert_eq!(exit, 0);
    let delete = said.lines().find(|line| line.starts_with("delete ")).unwrap_or_default();
    assert!(delete.contains("on disk") && delete.contains("deny"), "{said}");
    assert_eq!(home.run(&["init", "--undo"]).0, 6, "which of them is not said");
    for (path, before) in paths.iter().rev() {
        let (exit, said) = home.undo(path);
        assert_eq!(exit, 0, "{said}");
        assert_eq!(fs::read_to_string(path).unwrap(), **before);
    }
}

fn project() {
    let home = Home::new();
    let before = format!(
        "{{\"mcpServers\": {{\"spy\\u001b[2J\": {{{}, \"env\": {{\"NODE_OPTIONS\": \"--require ./x\", \"MY_TOKEN\": \"s3cret!\"}}}}}}}}",
        home.spy(None)
    );
    let file = home.file("work/project/.mcp.json", &before);
    let (exit, said) = home.init(&file, &[]);
    assert_eq!(exit, 3, "{said}");
    assert!(said.contains(" spy ") && said.contains("--yes"), "the whole command is shown: {said}");
    assert!(said.contains("NODE_OPTIONS='--require ./x'") && !said.contains("s3cret!"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
    assert!(!spy::lock_of(&home.log()).exists(), "nothing was started");
    assert!(home.made().is_empty(), "nothing was written");
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    // A project that is kept among the user's settings is a project all the same.
    let among = home.file(".config/project/.cursor/mcp.json", &before);
    assert_eq!(home.init(&among, &[]).0, 3);
    // A link into the user's own settings is the project's word, too.
    let own = home.file(DESKTOP, &before);
    fs::create_dir_all(home.path("work/other")).unwrap();
    std::os::unix::fs::symlink(&own, home.path("work/other/.mcp.json")).unwrap();
    assert_eq!(home.init(&home.path("work/other/.mcp.json"), &[]).0, 3);
    let (exit, said) = home.init(&file, &["--yes"]);
    assert_eq!(exit, 0, "{said}");
    let config = home.config();
    let server = config.servers.values().next().unwrap();
    assert_eq!(server.launch.cwd, config::Cwd::Client, "it runs where the client is");
    assert_eq!(home.undo(&file).0, 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
}

fn hostile() {
    let home = Home::new();
    let said = "reads\\n[agents.evil]\\nlevels = [\\\"delete\\\"]\\u001b[2J\\u202e \\\"\\\"\\\" '''";
    let tool = |name: &str| {
        format!("{{\"name\":\"{name}\",\"description\":\"{said}\",\"inputSchema\":{{\"type\":\"object\"}}}}")
    };
    let tools = [tool("read_it"), tool("evil\\n[agents.x]\\u001b]0;x\\u0007")];
    let offers = home.file("offers.json", &format!("{{\"tools\":[{}]}}", tools.join(",")));
    let name = "x\\n[agents.evil]\\nlevels=[\\\"delete\\\"]\\u001b[31m\\u202e";
    let before = format!(
        "{{\"mcpServers\": {{\"{name}\": {{{}, \"env\": {{\"A\": \"\\n[agents.evil]\\n\\\"\\\"\\\" ${{\"}}}}, \"ok\": {{{}, \"env\": {{\"A\": \"\\n[agents.evil]\\\"\"}}}}}}}}",
        home.spy(Some(&offers)),
        home.spy(Some(&offers))
    );
    let file = home.file(DESKTOP, &before);
    let (exit, said) = home.init(&file, &[]);
    assert_eq!(exit, 0, "{said}");
    assert!(!said.contains('\u{1b}') && !said.contains('\u{202e}') && !said.contains('\u{7}'), "{said:?}");
    assert!(said.contains("a `${` that does not end"), "{said}");
    let config = home.config();
    assert_eq!(config.agents.len(), 1, "{}", home.config_text());
    let tools: Vec<_> =
        config.servers.values().flat_map(|server| server.tools.keys()).map(|tool| tool.as_str()).collect();
    assert_eq!(tools, ["read_it"]);
    assert_eq!(home.undo(&file).0, 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
}

fn left() {
    let home = Home::new();
    let before = format!(
        "{{\"mcpServers\": {{\"web\": {{\"url\": \"https://example.com\"}}, \"gone\": {{\"command\": \"/nowhere/at/all\"}}, \"unset\": {{{}, \"env\": {{\"K\": \"${{NOT_SET_ANYWHERE}}\"}}}}, \"garbage\": {{\"command\": \"echo\", \"args\": [\"hello\"]}}}}}}",
        home.spy(None)
    );
    let file = home.file(DESKTOP, &before);
    let (exit, said) = home.init(&file, &["--server", "nothing"]);
    assert_eq!(exit, 6, "{said}");
    assert!(said.contains("it has `web`"), "{said}");
    let (exit, said) = home.init(&file, &[]);
    assert_eq!(exit, 0, "{said}");
    for part in [
        "left as it is: `web`: it is reached over HTTP",
        "server `gone`: it could not be started",
        "`NOT_SET_ANYWHERE` is not set",
        "server `garbage`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let config = home.config();
    assert_eq!(config.servers.len(), 3);
    assert!(config.servers.values().all(|server| server.tools.is_empty()));
    let web = json(&file);
    assert_eq!(
        web.get("mcpServers").unwrap().get("web").unwrap().compact(),
        "{\"url\":\"https://example.com\"}"
    );
    assert_eq!(home.undo(&file).0, 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let shapeless = home.file(".cursor/mcp.json", "{\"context_servers\": {}}");
    let (exit, said) = home.init(&shapeless, &[]);
    assert_eq!(exit, 6, "{said}");
    assert!(said.contains("no `mcpServers`"), "{said}");
}

fn added() {
    let home = Home::new();
    let own = "# my file\n[servers.old]\ncommand = [\"true\"] # keep\n\n[agents.assistant]\nlevels = [\"read\"]\n\n[guards]\nwrite = { forbid = \"not today\" } # mine\n";
    home.file(".config/placet/placet.toml", own);
    let file = home.file(DESKTOP, &format!("{{\"mcpServers\": {{\"old\": {{{}}}}}}}", home.spy(None)));
    let (exit, said) = home.init(&file, &[]);
    assert_eq!(exit, 0, "{said}");
    let text = home.config_text();
    assert!(text.starts_with(own), "every byte of it stays: {text}");
    let config = home.config();
    let servers: Vec<_> = config.servers.keys().map(|server| server.as_str()).collect();
    assert_eq!(servers, ["old", "old-2"], "another program has another name");
    assert_eq!(
        config.agents.values().next().unwrap().levels.iter().count(),
        1,
        "what an agent holds is not widened"
    );
    // A second server of the same client joins its list.
    let two = format!("{{\"mcpServers\": {{\"new\": {{{}, \"env\": {{\"A\": \"b\"}}}}}}}}", home.spy(None));
    fs::write(&file, two).unwrap();
    let (exit, said) = home.init(&file, &[]);
    assert_eq!(exit, 0, "{said}");
    let config = home.config();
    assert_eq!(config.clients.len(), 1);
    assert_eq!(config.clients.values().next().unwrap().servers.len(), 2);
    // A file that is wrong, or in a shape that cannot be added to, is left alone, and so is the client's.
    for wrong in ["servers = 1", "servers = {}\n"] {
        let config = home.file("other/placet.toml", wrong);
        let client = home
            .file(".cursor/mcp.json", &format!("{{\"mcpServers\": {{\"spy\": {{{}}}}}}}", home.spy(None)));
        let before = fs::read_to_string(&client).unwrap();
        let (exit, said) = home.init(&client, &["--config", config.to_str().unwrap()]);
        assert_eq!(exit, 6, "{said}");
        assert_eq!(fs::read_to_string(&config).unwrap(), wrong);
        assert_eq!(fs::read_to_string(&client).unwrap(), before);
    }
}

fn changed_since() {
    let home = Home::new();
    let before = format!(
        "{{\n \"mcpServers\": {{\n  \"spy\": {{{}, \"env\": {{\"A\": \"b\"}}}}\n }}\n}}",
        home.spy(None)
    );
    let file = home.file(DESKTOP, &before);
    assert_eq!(home.init(&file, &[]).0, 0);
    let wired = fs::read_to_string(&file).unwrap();
    // The user took an entry of ours as his own: it is left, and he is told where everything is.
    let own = wired.replace("\"mcp\", ", "\"mcp\", \"--state\", \"/x\", ");
    assert_ne!(own, wired);
    fs::write(&file, &own).unwrap();
    let (exit, said) = home.undo(&file);
    assert_eq!(exit, 6, "{said}");
    assert!(said.contains("no longer what was written") && said.contains("by hand"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), own);
    // The client added something of its own: that stays.
    let more = |text: &str| text.replacen("{\n", "{\n \"theme\": \"dark\",\n", 1);
    fs::write(&file, more(&wired)).unwrap();
    let (exit, said) = home.undo(&file);
    assert_eq!(exit, 0, "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), more(&before));
}

fn link() {
    let home = Home::new();
    let before = format!("{{\"mcpServers\": {{\"spy\": {{{}}}}}}}", home.spy(None));
    let target = home.file("dotfiles/claude.json", &before);
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    let file = home.path(DESKTOP);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&target, &file).unwrap();
    let (exit, said) = home.init(&file, &[]);
    assert_eq!(exit, 0, "{said}");
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
    assert_ne!(fs::read_to_string(&target).unwrap(), before);
    // What cannot be written is found out before the client is half rewired.
    assert_eq!(home.undo(&file).0, 0);
    assert_eq!(fs::read_to_string(&target).unwrap(), before);
    fs::set_permissions(&target, fs::Permissions::from_mode(0o440)).unwrap();
    let config = home.config_text();
    let (exit, said) = home.init(&file, &["--client", "another"]);
    assert_eq!(exit, 7, "{said}");
    assert!(said.contains("read-only"), "{said}");
    assert_eq!(home.config_text(), config, "what was written before is taken back");
    assert!(!home.path(".config/placet/clients/another.key").exists());
    assert_eq!(home.undo(&file).0, 6, "and there is nothing to undo");
}

fn dry_run() {
    let home = Home::new();
    let before = format!(
        "{{\"mcpServers\": {{\"spy\": {{{}, \"env\": {{\"SPY_KEY\": \"s3cret!\"}}}}}}}}",
        home.spy(None)
    );
    let file = home.file(DESKTOP, &before);
    let (exit, said) = home.init(&file, &["--dry-run"]);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("[servers.spy]") && said.contains("read_it"), "{said}");
    assert!(!said.contains("s3cret!"), "{said}");
    assert!(home.made().is_empty());
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
}
