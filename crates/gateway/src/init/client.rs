//! A client's configuration file: where it usually is, whose it is, and which of its servers can be taken.
//!
//! An entry is taken only if all of it is understood: a program, its arguments, texts for its environment. What
//! is not understood (a server over HTTP, a variable that the client asks for) is left as it is, with the reason.
//! Nothing is started here, and nothing is written.
//!
//! Not here: the text of the file and its spans (`edit.rs`). Start at [`ClientFile::read`].

use std::{
    collections::BTreeSet,
    env, fs,
    ops::Range,
    path::{Path, PathBuf},
};

use placet_engine::{
    json::Json,
    names::ServerName,
    policy::config::{Cwd, Text},
};

use super::edit::{Document, Member};

/// A client that is known by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    ClaudeDesktop,
    ClaudeCode,
    Cursor,
    VsCode,
}

impl Known {
    const ALL: [Known; 4] = [Known::ClaudeDesktop, Known::ClaudeCode, Known::Cursor, Known::VsCode];

    const fn as_str(self) -> &'static str {
        match self {
            Known::ClaudeDesktop => "claude-desktop",
            Known::ClaudeCode => "claude-code",
            Known::Cursor => "cursor",
            Known::VsCode => "vscode",
        }
    }

    /// The user's own file.
    fn usual(self) -> Option<PathBuf> {
        let home = folder_of("HOME")?;
        Some(match self {
            Known::ClaudeDesktop => applications(&home).join("Claude/claude_desktop_config.json"),
            Known::ClaudeCode => folder_of("CLAUDE_CONFIG_DIR").unwrap_or(home).join(".claude.json"),
            Known::Cursor => home.join(".cursor/mcp.json"),
            Known::VsCode => applications(&home).join("Code/User/mcp.json"),
        })
    }

    /// Whose file it is, by its name and the folders above it.
    fn of(path: &Path) -> Option<Self> {
        match path.file_name()?.to_str()? {
            "claude_desktop_config.json" => Some(Known::ClaudeDesktop),
            ".claude.json" | ".mcp.json" => Some(Known::ClaudeCode),
            "mcp.json" if path.parent()?.ends_with(".cursor") => Some(Known::Cursor),
            "mcp.json" if path.parent()?.ends_with(".vscode") => Some(Known::VsCode),
            "mcp.json" if path.parent()?.ends_with("User") => Some(Known::VsCode),
            _ => None,
        }
    }
}

fn folder_of(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Where desktop applications keep their settings.
fn applications(home: &Path) -> PathBuf {
    if cfg!(target_os = "macos") {
        return home.join("Library/Application Support");
    }
    folder_of("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"))
}

/// The file that is meant: a path, or the usual file of a client that is known by this name.
///
/// # Errors
///
/// If there is no such file, with what was looked for.
pub fn find(from: &Path) -> Result<PathBuf, String> {
    let named = from.to_str().and_then(|name| Known::ALL.into_iter().find(|known| known.as_str() == name));
    let path = match named.filter(|_| !from.exists()) {
        Some(known) => known.usual().ok_or("HOME is not set, so the client's file cannot be found")?,
        None => from.to_owned(),
    };
    if path.is_file() {
        return std::path::absolute(&path).map_err(|cause| cause.to_string());
    }
    Err(match named {
        Some(known) => format!("{} has no file at `{}`", known.as_str(), path.display()),
        None => format!("there is no file at `{}`", path.display()),
    })
}

/// Whose word a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The user's own.
    User,
    /// A project's, which may have come from anywhere. Its servers run in this folder.
    Project(PathBuf),
}

/// Whether a file stands among the user's own settings. A link there is the user's word for where it leads; a
/// link in a project that leads there is not.
fn scope_of(path: &Path) -> Scope {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let home = folder_of("HOME").map(|home| home.canonicalize().unwrap_or(home));
    let mut own = Vec::new();
    if let Some(home) = &home {
        let below = [".config", "Library/Application Support", ".cursor", ".claude", ".codeium", ".copilot"];
        own.extend(below.map(|below| home.join(below)));
    }
    own.extend(["XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR"].into_iter().filter_map(folder_of));
    let file = path.file_name().unwrap_or_default();
    let is_home = |below: &str| home.as_ref().is_some_and(|home| folder == home.join(below));
    let inside = [".cursor", ".vscode"].into_iter().find(|name| folder.ends_with(name));
    // These are a project's wherever they are: a project may be kept among settings.
    let of_project = file == ".mcp.json" || inside.is_some_and(|name| name == ".vscode" || !is_home(name));
    let is_own = own.iter().any(|own| folder.starts_with(own.canonicalize().as_ref().unwrap_or(own)));
    if !of_project && (is_own || file == ".claude.json" && is_home("")) {
        return Scope::User;
    }
    Scope::Project(folder.parent().filter(|_| inside.is_some()).unwrap_or(&folder).to_owned())
}

/// A client's file and its entries.
#[derive(Debug)]
pub struct ClientFile {
    /// The file itself, behind any links.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
    /// Whose word it is.
    pub scope: Scope,
    /// What the client is called here, if nothing else is said.
    pub client: &'static str,
    /// Its servers, in order.
    pub entries: Vec<Entry>,
    /// Whether it has servers in places that are not looked at.
    pub elsewhere: bool,
}

/// One server of a client's file.
#[derive(Debug)]
pub struct Entry {
    /// What the client calls it. Foreign text.
    pub name: String,
    /// What can be done with it.
    pub shape: Shape,
}

/// What can be done with an entry.
#[derive(Debug)]
pub enum Shape {
    /// A program that can be started.
    Program(Program),
    /// Behind Placet already.
    Wired,
    /// Left as it is, and why.
    Left(String),
}

/// How a client starts a server.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What its environment holds besides the usual.
    pub env: Vec<(String, Variable)>,
    /// The folder that it runs in.
    pub cwd: Cwd,
}

/// A variable of a server's environment.
#[derive(Clone, Debug)]
pub enum Variable {
    /// It refers to variables of the client's own environment, and says nothing itself.
    Reference(Text),
    /// It may be a secret.
    Value {
        /// What it holds.
        value: String,
        /// Where its literal stands in the file.
        at: Range<usize>,
    },
}

impl ClientFile {
    /// Reads a client's file.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, for a person.
    pub fn read(path: &Path) -> Result<Self, String> {
        let scope = scope_of(path);
        let client = Known::of(path).map_or("desktop", Known::as_str);
        let path = path.canonicalize().map_err(|cause| cause.to_string())?;
        let bytes = fs::read(&path).map_err(|cause| cause.to_string())?;
        let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
        let document = Document::read(&text)?;
        let entries = document.servers()?.1;
        let entries = entries.into_iter().map(|member| {
            let shape = shape(&document, &member, &scope).unwrap_or_else(Shape::Left);
            Entry { name: member.key, shape }
        });
        let entries = entries.collect();
        let root = document.members(0..text.len()).map_err(|error| error.to_string())?;
        let elsewhere =
            client == Known::ClaudeCode.as_str() && root.iter().any(|member| member.key == "projects");
        Ok(Self { path, scope, client, entries, elsewhere, text })
    }
}

/// What an entry is, or why it is left.
fn shape(document: &Document<'_>, entry: &Member, scope: &Scope) -> Result<Shape, String> {
    let value = document.json(&entry.value).map_err(|error| error.to_string())?;
    let text = |key: &str| value.get(key).and_then(Json::as_str);
    if value.as_object().is_none() {
        return Err("it is no object".to_owned());
    }
    if value.get("url").or(value.get("serverUrl")).or(value.get("httpUrl")).is_some() {
        return Err("it is reached over HTTP, and only servers that are started can be taken".to_owned());
    }
    if !matches!(text("type"), None | Some("stdio" | "local"))
        || value.get("type").is_some_and(|kind| kind.as_str().is_none())
    {
        return Err("its `type` is not stdio".to_owned());
    }
    if value.get("disabled").and_then(Json::as_bool) == Some(true) {
        return Err("it is disabled".to_owned());
    }
    if value.get("envFile").is_some() {
        return Err("it has an `envFile`".to_owned());
    }
    let program = match value.get("command") {
        None => return Err("it has no `command`".to_owned()),
        Some(command) => {
            command.as_str().filter(|command| !command.is_empty()).ok_or("its `command` is no text")?
        }
    };
    let mut command = vec![program.to_owned()];
    match value.get("args") {
        None => {}
        Some(Json::Array(words)) => {
            for word in words {
                command.push(word.as_str().ok_or("its `args` are not all texts")?.to_owned());
            }
        }
        Some(_) => return Err("its `args` are no list".to_owned()),
    }
    let is_placet = Path::new(program).file_name().is_some_and(|name| name == "placet");
    if is_placet && command.get(1).is_some_and(|word| word == "mcp") {
        return Ok(Shape::Wired);
    }
    if let Some(word) = command.iter().find(|word| word.contains("${")) {
        return Err(format!("its command has a variable that only the client can fill in: `{word}`"));
    }
    if command.iter().any(|word| word.contains('\0')) {
        return Err("its command has a NUL character".to_owned());
    }
    let cwd = match value.get("cwd") {
        Some(Json::String(path)) if path.starts_with('/') && !path.contains("${") => Cwd::Path(path.clone()),
        Some(_) => return Err("its `cwd` is no absolute path".to_owned()),
        None if *scope != Scope::User || command.iter().any(|word| is_relative(word)) => Cwd::Client,
        None => Cwd::Node,
    };
    let env = variables(document, entry)?;
    Ok(Shape::Program(Program { command, env, cwd }))
}

/// Whether a word of a command says where it is only beside a folder.
fn is_relative(word: &str) -> bool {
    word == "." || word == ".." || word.starts_with("./") || word.starts_with("../")
}

fn variables(document: &Document<'_>, entry: &Member) -> Result<Vec<(String, Variable)>, String> {
    let members = document.members(entry.value.clone()).map_err(|error| error.to_string())?;
    let Some(env) = members.iter().find(|member| member.key == "env") else { return Ok(Vec::new()) };
    let members =
        document.members(env.value.clone()).map_err(|_| "its `env` is no object with each name once")?;
    let mut variables = Vec::new();
    for member in members {
        let name = member.key;
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !plain || name.is_empty() || name.bytes().next().is_some_and(|first| first.is_ascii_digit()) {
            return Err(format!("no variable of an environment can be called `{name}`"));
        }
        let Ok(Json::String(value)) = document.json(&member.value) else {
            return Err(format!("its variable `{name}` is no text"));
        };
        if value.contains('\0') || value.ends_with(['\n', '\r']) {
            return Err(format!("its variable `{name}` cannot be kept exactly in a file of its own"));
        }
        let variable = match reference(&value).map_err(|why| format!("its variable `{name}` {why}"))? {
            Some(text) => Variable::Reference(text),
            None => Variable::Value { value, at: member.value },
        };
        variables.push((name, variable));
    }
    Ok(variables)
}

/// The variable's value as one of ours, if it refers to variables of the environment. Clients write `${NAME}` or
/// `${env:NAME}`; other references mean something to them alone.
fn reference(value: &str) -> Result<Option<Text>, String> {
    if !value.contains("${") {
        return Ok(None);
    }
    let mut source = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let (body, tail) = after.split_once('}').ok_or("has a `${` that does not end")?;
        let name = body.strip_prefix("env:").unwrap_or(body);
        source.push_str(&format!("{before}${{env:{name}}}"));
        if before.ends_with('$') || format!("${{env:{name}}}").parse::<Text>().is_err() {
            return Err(format!("needs `${{{body}}}`, which only the client can fill in"));
        }
        rest = tail;
    }
    source.push_str(rest);
    source.parse().map(Some).map_err(|error| format!("cannot be taken: {error}"))
}

/// What a client calls a server, as one of our names: letters and digits, `-` for the rest.
pub fn server_name(name: &str, taken: &BTreeSet<ServerName>) -> Option<ServerName> {
    let mut plain = String::new();
    for letter in name.chars() {
        match letter.to_ascii_lowercase() {
            letter @ ('a'..='z' | '0'..='9') => plain.push(letter),
            _ if plain.ends_with('-') || plain.is_empty() => {}
            _ => plain.push('-'),
        }
    }
    let plain = plain.trim_end_matches('-');
    let plain = match plain.bytes().next() {
        Some(b'a'..=b'z') => plain.to_owned(),
        Some(_) => format!("server-{plain}"),
        None => "server".to_owned(),
    };
    let cut =
        |room: usize| plain.get(..room.min(plain.len())).unwrap_or_default().trim_end_matches('-').to_owned();
    let names = std::iter::once(cut(32)).chain((2..1_000).map(|number| format!("{}-{number}", cut(28))));
    names.filter_map(|name| name.parse().ok()).find(|name| !taken.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Entry> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.json");
        fs::write(&path, text).unwrap();
        ClientFile::read(&path).unwrap().entries
    }

    #[test]
    fn an_entry_that_is_not_understood_is_left_with_its_reason() {
        for (entry, why) in [
            (r#""no""#, "no object"),
            (r#"{"url": "https://a"}"#, "over HTTP"),
            (r#"{"type": "http", "command": "a"}"#, "not stdio"),
            (r#"{"type": 1, "command": "a"}"#, "not stdio"),
            ("{}", "no `command`"),
            (r#"{"command": ["a"]}"#, "no text"),
            (r#"{"command": "a", "args": "b"}"#, "no list"),
            (r#"{"command": "a", "args": [1]}"#, "not all texts"),
            (r#"{"command": "a", "args": ["${input:x}"]}"#, "${input:x}"),
            (r#"{"command": "a", "env": {"K": "${input:x}"}}"#, "needs `${input:x}`"),
            (r#"{"command": "a", "env": {"K": "${K:-x}"}}"#, "needs `${K:-x}`"),
            (r#"{"command": "a", "env": {"K": 1}}"#, "no text"),
            (r#"{"command": "a", "env": {"A/../B": "x"}}"#, "can be called"),
            (r#"{"command": "a", "env": {"A": "x", "\u0041": "y"}}"#, "key"),
            (r#"{"command": "a", "command": "b"}"#, "twice"),
            (r#"{"command": "a", "cwd": "here"}"#, "absolute"),
            (r#"{"command": "a", "envFile": ".env"}"#, "envFile"),
            (r#"{"command": "a", "disabled": true}"#, "disabled"),
        ] {
            let entries = read(&format!("{{\"mcpServers\": {{\"x\": {entry}}}}}"));
            let [Entry { shape: Shape::Left(said), .. }] = entries.as_slice() else {
                panic!("{entry}: {entries:?}")
            };
            assert!(said.contains(why), "{entry}: {said}");
        }
    }

    #[test]
    fn an_entry_behind_placet_is_recognised() {
        let entries = read(r#"{"servers": {"x": {"command": "/a/placet", "args": ["mcp", "x"]}}}"#);
        assert!(matches!(entries.as_slice(), [Entry { shape: Shape::Wired, .. }]), "{entries:?}");
    }

    #[test]
    fn references_to_the_environment_are_ours_afterwards() {
        for (value, ours) in [
            ("plain", None),
            ("$5 {x}", None),
            ("${TOKEN}", Some("${env:TOKEN}")),
            ("Bearer ${env:TOKEN}!", Some("Bearer ${env:TOKEN}!")),
        ] {
            assert_eq!(reference(value).unwrap().map(|text| text.to_string()).as_deref(), ours, "{value}");
        }
        assert!(reference("$${TOKEN}").is_err());
        assert!(reference("${TOKEN").is_err());
    }

    #[test]
    fn a_foreign_name_becomes_one_of_ours() {
        let taken: BTreeSet<ServerName> = ["fs".parse().unwrap()].into();
        for (name, ours) in [
            ("GitHub", "github"),
            ("my server_2", "my-server-2"),
            ("@scope/pkg", "scope-pkg"),
            ("7zip", "server-7zip"),
            ("\u{202e}\n", "server"),
            ("fs", "fs-2"),
            (&"a".repeat(99), &"a".repeat(32)),
        ] {
            assert_eq!(server_name(name, &taken).unwrap().as_str(), ours, "{name:?}");
        }
    }

    #[test]
    fn a_project_runs_its_servers_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join(".cursor")).unwrap();
        assert_eq!(scope_of(&root.join(".cursor/mcp.json")), Scope::Project(root.clone()));
        assert_eq!(scope_of(&root.join(".mcp.json")), Scope::Project(root));
    }
}
