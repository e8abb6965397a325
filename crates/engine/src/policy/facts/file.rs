//! Paths of files, as far as their text says where they lead.
//!
//! `/repo/../etc/passwd` begins with `/repo/` and leads elsewhere, and `~`, `$HOME` and a backslash lead
//! wherever the tool thinks. Such a path is not judged. What is left is made plain (`.` and doubled slashes go)
//! and compared by whole names: `/repo2` is not below `/repo`.
//!
//! Not here, because no text tells it: where a symbolic link leads. A server that is confined to a folder must
//! resolve its paths itself. Start at [`FileTest`].

use super::{Unfit, case::Compared, text_of};
use crate::{diagnostic::acts, json::Json};

/// Whether a path has all of what is asked for.
///
/// ```
/// # use placet_engine::{json::Json, policy::facts::file::{FileTest, Wanted}};
/// let ours = FileTest::new(&Wanted {
///     under: vec!["/repo".to_owned()],
///     base: Some("/repo".to_owned()),
///     ..Wanted::default()
/// })?;
/// assert_eq!(ours.judge(&Json::from("src/./main.rs")), Ok(true));
/// assert_eq!(ours.judge(&Json::from("/repo2/main.rs")), Ok(false));
/// assert!(ours.judge(&Json::from("/repo/../etc/passwd")).is_err());
/// # Ok::<(), placet_engine::policy::facts::Unfit>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTest {
    pub(in crate::policy) under: Vec<String>,
    pub(in crate::policy) base: Option<String>,
    pub(in crate::policy) suffix: Option<String>,
    pub(in crate::policy) name: Option<String>,
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Folders, absolute: the path is one of them or below it. None asks for nothing.
    pub under: Vec<String>,
    /// The folder, absolute, from which the tool takes paths that do not begin with `/`. Without it such a path
    /// cannot be judged.
    pub base: Option<String>,
    /// How the path's last name ends.
    pub suffix: Option<String>,
    /// The path's last name.
    pub name: Option<String>,
}

impl FileTest {
    /// Asks for all of this.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if nothing is asked for, or what no path that can be judged has.
    pub fn new(wanted: &Wanted) -> Result<Self, Unfit> {
        let Wanted { under, base, suffix, name } = wanted;
        if under.is_empty() && suffix.is_none() && name.is_none() {
            return Err(Unfit::new("`path` asks for nothing, as `{ under = \"/repo\" }` does"));
        }
        for last in suffix.iter().chain(name) {
            if last.is_empty() || last.contains('/') {
                return Err(Unfit::new("`suffix` and `name` are of one name, without a `/`"));
            }
            if plain(&format!("/x{last}"), None)? != format!("/x{last}") || last == "." {
                return Err(Unfit::new("no name ends so"));
            }
        }
        let folder = |folder: &String| plain(folder, None);
        Ok(Self {
            under: under.iter().map(folder).collect::<Result<_, _>>()?,
            base: base.as_ref().map(folder).transpose()?,
            suffix: suffix.clone(),
            name: name.clone(),
        })
    }

    /// Whether a value is a path that has all of it.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if the text does not say where it leads.
    pub fn judge(&self, value: &Json) -> Result<bool, Unfit> {
        let path = plain(text_of(value)?, self.base.as_deref())?;
        let last = path.rsplit('/').next().unwrap_or_default();
        let is_under =
            self.under.is_empty() || Compared::of(&path, &self.under, is_below).certain("its folder")?;
        let compared = |wanted: &Option<String>, matches: fn(&str, &str) -> bool, what: &str| match wanted {
            None => Ok(true),
            Some(wanted) => Compared::of(last, std::slice::from_ref(wanted), matches).certain(what),
        };
        let has_suffix =
            compared(&self.suffix, |last, wanted| last.ends_with(wanted), "the end of its name")?;
        let has_name = compared(&self.name, |last, wanted| last == wanted, "its name")?;
        Ok(is_under && has_suffix && has_name)
    }
}

/// Whether a plain path is this folder or below it.
fn is_below(path: &str, folder: &str) -> bool {
    match path.strip_prefix(folder) {
        Some(rest) => rest.is_empty() || rest.starts_with('/') || folder == "/",
        None => false,
    }
}

/// The path without what says nothing: absolute, and each name after one slash. The root is `/`.
fn plain(text: &str, base: Option<&str>) -> Result<String, Unfit> {
    if text.is_empty() {
        return Err(Unfit::new("it is empty"));
    }
    if let Some(char) = text.chars().find(|char| is_ambiguous(*char)) {
        return Err(Unfit::character(char, "it contains"));
    }
    if text.starts_with('~') {
        return Err(Unfit::new("it begins with `~`, which some tools replace"));
    }
    if text.starts_with("//") {
        return Err(Unfit::new("it begins with two slashes, which lead elsewhere on some systems"));
    }
    let mut out = match (text.starts_with('/'), base) {
        (true, _) | (false, Some("/")) => String::new(),
        (false, Some(base)) => base.to_owned(),
        (false, None) => return Err(Unfit::new("it does not begin with `/`, and the match has no `base`")),
    };
    // `C:x` is a drive, and `file:x` a URL.
    if !text.starts_with('/') && text.split('/').next().is_some_and(|first| first.contains(':')) {
        return Err(Unfit::new("its first name has a `:`, as a drive or a URL does"));
    }
    for name in text.split('/') {
        match name {
            "" | "." => continue,
            ".." => return Err(Unfit::new("it has a name `..`")),
            _ if name.ends_with(['.', ' ']) || name.starts_with(' ') => {
                return Err(Unfit::new("it has a name with a blank at an end or a point at its end"));
            }
            _ => {}
        }
        out.push('/');
        out.push_str(name);
    }
    Ok(if out.is_empty() { "/".to_owned() } else { out })
}

/// What a tool may replace or undo, and what cannot be seen. `%` is there because some tools undo `%2e`.
fn is_ambiguous(char: char) -> bool {
    matches!(char, '\\' | '$' | '%' | '`' | '*' | '?' | '"' | '<' | '>' | '|')
        || acts(char)
        || (char.is_whitespace() && char != ' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wanted(under: &[&str], base: Option<&str>) -> FileTest {
        let under = under.iter().map(|folder| (*folder).to_owned()).collect();
        FileTest::new(&Wanted { under, base: base.map(str::to_owned), ..Wanted::default() }).unwrap()
    }

    #[test]
    fn a_path_is_below_a_folder_by_whole_names() {
        let here = wanted(&["/repo", "/tmp/build/"], Some("/repo/src"));
        for (text, holds) in [
            ("/repo", Some(true)),
            ("/repo/", Some(true)),
            ("/repo/a/b.rs", Some(true)),
            ("/repo//a/./b", Some(true)),
            ("/repo/.git/config", Some(true)),
            ("/repo/a b/\u{e9}.txt", Some(true)),
            ("/repo/...a", Some(true)),
            ("/repo/a~", Some(true)),
            ("/repo/a:b", Some(true)),
            ("/tmp/build/x", Some(true)),
            ("main.rs", Some(true)),
            ("./main.rs", Some(true)),
            (".", Some(true)),
            ("/", Some(false)),
            ("/repo2", Some(false)),
            ("/repo2/a", Some(false)),
            ("/repo.git", Some(false)),
            ("/tmp/buildx", Some(false)),
            ("/etc/passwd", Some(false)),
            ("/x/repo/a", Some(false)),
            ("/./etc", Some(false)),
            ("/repo/../etc/passwd", None),
            ("/repo/..", None),
            ("..", None),
            ("../x", None),
            ("a/../../etc", None),
            ("/repo/.. /etc", None),
            ("/repo/ ../etc", None),
            ("/repo/.../etc", None),
            ("/repo/x./y", None),
            ("/repo/%2e%2e/etc", None),
            ("/repo/..%2fetc", None),
            ("/repo\\..\\etc", None),
            ("/repo/..\\etc", None),
            ("\\\\host\\share", None),
            ("//host/share", None),
            ("C:\\repo", None),
            ("C:/repo", None),
            ("c:x", None),
            ("file:///etc/passwd", None),
            ("~/x", None),
            ("~root/x", None),
            ("$HOME/x", None),
            ("/repo/$(id)", None),
            ("/repo/`id`", None),
            ("/repo/${x}", None),
            ("/repo/*", None),
            ("/repo/a?", None),
            ("/repo/a|b", None),
            ("/repo/a\0.txt", None),
            ("/repo/a\n", None),
            ("/repo/a\u{202e}b", None),
            ("/repo/\u{200b}..", None),
            ("/repo/\u{2028}x", None),
            ("/repo/\u{a0}x", None),
            (" /etc/passwd", None),
            ("/repo/a ", None),
            ("/REPO/a", None),
            ("/Repo/a", None),
            ("", None),
        ] {
            let judged = here.judge(&Json::from(text));
            assert_eq!(judged.as_ref().ok(), holds.as_ref(), "{text:?}: {judged:?}");
        }
        let absolute = wanted(&["/repo"], None);
        assert!(absolute.judge(&Json::from("main.rs")).is_err());
        assert_eq!(wanted(&["/"], None).judge(&Json::from("/etc")), Ok(true));
        assert_eq!(wanted(&["/etc"], Some("/")).judge(&Json::from("etc/x")), Ok(true));
    }

    #[test]
    fn the_last_name_is_looked_at() {
        let suffix = FileTest::new(&Wanted { suffix: Some(".rs".to_owned()), ..Wanted::default() }).unwrap();
        let name = FileTest::new(&Wanted { name: Some(".env".to_owned()), ..Wanted::default() }).unwrap();
        for (test, text, holds) in [
            (&suffix, "/a/b.rs", Some(true)),
            (&suffix, "/a/b.rs/", Some(true)),
            (&suffix, "/a.rs/b", Some(false)),
            (&suffix, "/a/b.RS", None),
            (&suffix, "/a/b.rs.", None),
            (&suffix, "/", Some(false)),
            (&name, "/a/.env", Some(true)),
            (&name, "/.env/a", Some(false)),
            (&name, "/a/x.env", Some(false)),
            (&name, "/a/.ENV", None),
        ] {
            assert_eq!(test.judge(&Json::from(text)).ok(), holds, "{text}");
        }
    }

    #[test]
    fn folders_of_the_file_can_be_judged_themselves() {
        for folder in ["", "repo", "~/repo", "/repo/..", "$HOME", "C:/x", "/a\\b", "//x"] {
            let under = vec![folder.to_owned()];
            assert!(FileTest::new(&Wanted { under, ..Wanted::default() }).is_err(), "{folder}");
        }
        for last in ["", "a/b", ".", "..", "a.", "a ", "*.rs", "$x"] {
            let suffix = Some(last.to_owned());
            assert!(FileTest::new(&Wanted { suffix, ..Wanted::default() }).is_err(), "{last}");
        }
        assert!(FileTest::new(&Wanted { base: Some("/repo".to_owned()), ..Wanted::default() }).is_err());
    }

    proptest! {
        /// The reference resolves names one by one, as the system does where there are no links.
        #[test]
        fn what_holds_is_below_the_folder_once_resolved(text in "(/|/repo)?[/.a ~]{0,10}(repo)?[/.a~]{0,6}|\\PC{0,20}") {
            let here = wanted(&["/repo"], Some("/repo"));
            if here.judge(&Json::from(text.as_str())) == Ok(true) {
                let mut at = if text.starts_with('/') { vec![] } else { vec!["repo"] };
                for name in text.split('/') {
                    match name {
                        "" | "." => {}
                        ".." => drop(at.pop()),
                        name => at.push(name),
                    }
                }
                prop_assert_eq!(at.first(), Some(&"repo"), "{}", text);
            }
        }
    }
}
