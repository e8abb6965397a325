//! Addresses of electronic mail, as far as all mailers read them alike.
//!
//! RFC 5322 lets an address carry names, comments, quotes and routes, and each mailer undoes them in its own
//! way: `"x@corp.example"@evil.example` goes to one domain and looks like another. Here an address is a plain
//! name, one `@` and a domain. Anything else is not judged, also where it may be a valid address.
//!
//! Start at [`EmailTest`].

use super::{Unfit, domain::Domain, filled, text_of};
use crate::json::Json;

/// Whether an address is of one of these domains.
///
/// ```
/// # use placet_engine::{json::Json, policy::facts::email::EmailTest};
/// let ours = EmailTest::new(&["corp.example".to_owned()], false)?;
/// assert_eq!(ours.judge(&Json::from("ana@Corp.Example")), Ok(true));
/// assert_eq!(ours.judge(&Json::from("ana@corp.example.evil.example")), Ok(false));
/// assert!(ours.judge(&Json::from("Ana <ana@corp.example>")).is_err());
/// # Ok::<(), placet_engine::policy::facts::Unfit>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailTest {
    pub(in crate::policy) domains: Vec<Domain>,
    pub(in crate::policy) subdomains: bool,
}

/// The longest name before the `@`, in bytes (RFC 5321, section 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;

impl EmailTest {
    /// Addresses of these domains, and with `subdomains` of those below them.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if there is none, or one is no domain.
    pub fn new(domains: &[String], subdomains: bool) -> Result<Self, Unfit> {
        filled(domains, "domains")?;
        let domains = domains.iter().map(|domain| Domain::parse(domain)).collect::<Result<_, _>>()?;
        Ok(Self { domains, subdomains })
    }

    /// Whether a value is an address of one of the domains.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if it is no address, or one that two mailers may read in two ways.
    pub fn judge(&self, value: &Json) -> Result<bool, Unfit> {
        let domain = domain_of(text_of(value)?)?;
        Ok(self
            .domains
            .iter()
            .any(|ours| if self.subdomains { domain.is_within(ours) } else { domain == *ours }))
    }
}

/// Says why a text is no address that all mailers read alike, if it is none.
pub(in crate::policy) fn address(text: &str) -> Result<(), Unfit> {
    domain_of(text).map(drop)
}

/// The domain of an address.
fn domain_of(address: &str) -> Result<Domain, Unfit> {
    let Some((local, domain)) = address.split_once('@') else {
        return Err(Unfit::new("it has no `@`, as an address has"));
    };
    if domain.contains('@') {
        return Err(Unfit::new("it has more than one `@`"));
    }
    if local.is_empty() || local.len() > LOCAL_BYTES_MAX {
        return Err(Unfit::new(format!("before its `@` stand not 1 to {LOCAL_BYTES_MAX} characters")));
    }
    if let Some(char) = local.chars().find(|char| !is_of_a_name(*char)) {
        return Err(Unfit::character(char, "the name before its `@` contains"));
    }
    if local.split('.').any(str::is_empty) {
        return Err(Unfit::new("the name before its `@` has a point at an end, or two together"));
    }
    if local.starts_with('-') {
        return Err(Unfit::new("it begins with a hyphen, as an option of a mailer does"));
    }
    Domain::parse(domain)
}

/// `%` and `!` once were routes, and some mailers still follow them: they are not here.
fn is_of_a_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-' | '+' | '\'' | '=' | '&' | '~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_is_of_the_domain_after_its_only_at_sign() {
        let exact = EmailTest::new(&["corp.example".to_owned(), "b.example".to_owned()], false).unwrap();
        let below = EmailTest::new(&["corp.example".to_owned()], true).unwrap();
        for (text, is_exact, is_below) in [
            ("ana@corp.example", Some(true), Some(true)),
            ("ana@CORP.Example", Some(true), Some(true)),
            ("ana+x.y_z-1'=&~@corp.example", Some(true), Some(true)),
            ("ana@b.example", Some(true), Some(false)),
            ("ana@mail.corp.example", Some(false), Some(true)),
            ("ana@evilcorp.example", Some(false), Some(false)),
            ("ana@corp.example.evil.com", Some(false), Some(false)),
            ("ana@xn--crp-hoa.example", Some(false), Some(false)),
            ("ana@corp-example", Some(false), Some(false)),
            // Two readings.
            ("user@corp.example@evil.example", None, None),
            ("\"@corp.example\"@evil.example", None, None),
            ("\"ana@corp.example\"@evil.example", None, None),
            ("ana@corp.example(@evil.example)", None, None),
            ("(x)ana@corp.example", None, None),
            ("Ana <ana@corp.example>", None, None),
            ("<ana@corp.example>", None, None),
            ("<eve@evil.example> ana@corp.example", None, None),
            ("eve@evil.example,ana@corp.example", None, None),
            ("eve@evil.example;ana@corp.example", None, None),
            ("eve@evil.example ana@corp.example", None, None),
            ("eve@evil.example\nana@corp.example", None, None),
            ("ana@corp.example\r\nBcc: eve@evil.example", None, None),
            ("eve%evil.example@corp.example", None, None),
            ("evil.example!eve@corp.example", None, None),
            ("@evil.example:ana@corp.example", None, None),
            ("mailto:ana@corp.example", None, None),
            ("ana@corp.example?cc=eve@evil.example", None, None),
            ("-oQ/tmp@corp.example", None, None),
            // Domains that are written strangely.
            ("ana@corp.example.", None, None),
            ("ana@.corp.example", None, None),
            ("ana@corp..example", None, None),
            ("ana@-corp.example", None, None),
            ("ana@corp.example ", None, None),
            (" ana@corp.example", None, None),
            ("ana@c\u{43e}rp.example", None, None),
            ("ana@corp\u{3002}example", None, None),
            ("ana@corp\u{ff0e}example", None, None),
            ("ana@corp.example\u{200b}", None, None),
            ("ana@\u{ff43}orp.example", None, None),
            ("\u{430}na@corp.example", None, None),
            ("ana\u{202e}@corp.example", None, None),
            ("ana\0@corp.example", None, None),
            ("ana@corp.example\0.evil.example", None, None),
            ("ana@[127.0.0.1]", None, None),
            ("ana@127.0.0.1", None, None),
            ("ana@0x7f", None, None),
            ("ana@corp_x.example", None, None),
            ("ana@", None, None),
            ("@corp.example", None, None),
            (".ana@corp.example", None, None),
            ("ana.@corp.example", None, None),
            ("a..na@corp.example", None, None),
            ("corp.example", None, None),
            ("", None, None),
        ] {
            let value = Json::from(text);
            assert_eq!(exact.judge(&value).ok(), is_exact, "{text:?}");
            assert_eq!(below.judge(&value).ok(), is_below, "{text:?}, with those below");
        }
        let long = format!("{}@corp.example", "a".repeat(65));
        assert!(exact.judge(&Json::from(long.as_str())).is_err());
        let long = format!("a@{}", vec!["a".repeat(60); 5].join("."));
        assert!(exact.judge(&Json::from(long.as_str())).is_err());
        assert!(exact.judge(&Json::from(7)).is_err());
    }

    #[test]
    fn a_domain_of_the_file_is_a_domain() {
        for domain in
            ["", "corp.example.", "@corp.example", "*.example", "c\u{f6}rp.example", ".example", "10.0.0.1"]
        {
            assert!(EmailTest::new(&[domain.to_owned()], false).is_err(), "{domain}");
        }
        assert!(EmailTest::new(&[], false).is_err());
    }

    proptest! {
        #[test]
        fn what_holds_is_a_plain_name_and_the_domain(text in "[a-z@.\"<> ,\\-]{0,6}@?(corp.example)?[a-z@.\"<> ,\\-]{0,4}|\\PC{0,20}") {
            let ours = EmailTest::new(&["corp.example".to_owned()], false).unwrap();
            if ours.judge(&Json::from(text.as_str())) == Ok(true) {
                let local = text.strip_suffix("@corp.example");
                prop_assert!(local.is_some_and(|local| local.chars().all(is_of_a_name)), "{text}");
            }
        }
    }
}
