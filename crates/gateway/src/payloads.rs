//! The keys under which payloads are encrypted at rest: looked up where the file says, and told of without being
//! shown.
//!
//! What cannot be looked up, or is no key, starts no node: the alternative would be to write in plain text what
//! somebody wanted encrypted. A command that only reads goes on without, and each call says that it cannot be read.
//!
//! Not here: how anything is encrypted (the `store` crate). Start at [`keys`].

use std::{fs, path::Path};

use placet_engine::policy::config::{self, Config, Text};
use placet_store::sqlite::{PayloadKey, PayloadKeys};

use crate::config::resolve;

/// The keys that a file names; none if it names none.
///
/// ```
/// use placet::payloads;
/// use placet_engine::policy::config::{Config, read};
/// assert_eq!(payloads::keys(&Config::default())?.id(), None);
/// let named = read("[payloads]\nkey = \"${file:/nowhere/payloads}\"").config.ok_or("no file")?;
/// let refused = payloads::keys(&named).unwrap_err();
/// assert!(refused.starts_with("`key` of `[payloads]`: cannot read `/nowhere/payloads`"), "{refused}");
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
///
/// For a person: which key cannot be found, or is none. Never what was found instead.
pub fn keys(config: &Config) -> Result<PayloadKeys, String> {
    let Some(payloads) = &config.payloads else { return Ok(PayloadKeys::default()) };
    let key = |name: &str, text: &Text| {
        let wrong = |what: String| format!("`{name}` of `[payloads]`: {what}");
        let secret = resolve(text).map_err(wrong)?;
        secret
            .trim()
            .parse::<PayloadKey>()
            .map_err(|error| wrong(format!("`{text}` does not hold one: {error}")))
    };
    let old = payloads.old.iter().map(|text| key("old", text)).collect::<Result<Vec<_>, String>>()?;
    Ok(PayloadKeys::new(key("key", &payloads.key)?, old))
}

/// The same, of the file at `path`, of which nothing else has to be right.
///
/// # Errors
///
/// As for [`keys`]; and that the file cannot be read.
pub fn keys_of(path: &Path) -> Result<PayloadKeys, String> {
    let source =
        fs::read_to_string(path).map_err(|cause| format!("cannot read `{}`: {cause}", path.display()))?;
    let config = config::read(&source).config;
    let config = config.ok_or_else(|| format!("`{}` has mistakes: `placet check`", path.display()))?;
    keys(&config)
}

/// What a person sees of it, at each start and from `placet check`.
pub fn told(keys: &PayloadKeys) -> String {
    match (keys.id(), keys.old_ones()) {
        (None, _) => "payloads: kept in plain text".to_owned(),
        (Some(id), 0) => format!("payloads: encrypted under {id}"),
        (Some(id), 1) => format!("payloads: encrypted under {id}; one old key to read by"),
        (Some(id), old) => format!("payloads: encrypted under {id}; {old} old keys to read by"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// The keys of a file whose key stands in a file with these bytes.
    fn keys_in(bytes: &str, mode: u32) -> Result<PayloadKeys, String> {
        let folder = tempfile::tempdir().unwrap();
        let (secret, file) = (folder.path().join("secret"), folder.path().join("placet.toml"));
        fs::write(&secret, bytes).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
        fs::write(&file, format!("[payloads]\nkey = '${{file:{}}}'\n", secret.display())).unwrap();
        keys_of(&file).map_err(|error| error.replace(&secret.display().to_string(), "SECRET"))
    }

    #[test]
    fn a_key_is_found_or_it_is_said_where_it_should_be_and_never_what_is_there() {
        for text in
            [HEX.to_owned(), format!("{HEX}\n"), "ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=\n".to_owned()]
        {
            let keys = keys_in(&text, 0o600).unwrap();
            assert_eq!(keys.id(), Some(HEX.parse::<PayloadKey>().unwrap().id()), "{text:?}");
        }
        let short = &HEX[..62];
        for (text, mode, wanted) in [
            (
                short,
                0o600,
                "`${file:SECRET}` does not hold one: a key of payloads is 32 bytes, as 64 hexadecimal digits or as Base64",
            ),
            (HEX, 0o644, "`SECRET` can be read by others; `chmod 600` it first"),
        ] {
            let said = keys_in(text, mode).unwrap_err();
            assert_eq!(said, format!("`key` of `[payloads]`: {wanted}"));
            assert!(!said.contains(&HEX[..8]), "{said}");
        }
    }

    #[test]
    fn what_is_told_names_the_key_by_its_identifier() {
        let key = PayloadKey::new(&[1; 32]);
        let id = key.id();
        for (keys, wanted) in [
            (PayloadKeys::default(), "payloads: kept in plain text".to_owned()),
            (PayloadKeys::new(key.clone(), []), format!("payloads: encrypted under {id}")),
            (
                PayloadKeys::new(key.clone(), [key.clone()]),
                format!("payloads: encrypted under {id}; one old key to read by"),
            ),
        ] {
            assert_eq!(told(&keys), wanted);
        }
    }
}
