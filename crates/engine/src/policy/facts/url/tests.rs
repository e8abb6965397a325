//! What a URL is, and that whatever two readers may take apart differently is none.

use super::*;
use proptest::prelude::*;

fn wanted(change: impl FnOnce(&mut Wanted)) -> UrlTest {
    let mut wanted = Wanted::default();
    change(&mut wanted);
    UrlTest::new(&wanted).unwrap()
}

fn assert_judged(test: &UrlTest, rows: &[(&str, Option<bool>)]) {
    for (text, holds) in rows {
        let judged = test.judge(&Json::from(*text));
        assert_eq!(judged.as_ref().ok(), holds.as_ref(), "{text:?}: {judged:?}");
    }
}

#[test]
fn a_host_is_what_stands_between_the_slashes_and_nothing_else() {
    let ours = wanted(|wanted| wanted.hosts = vec!["corp.example".to_owned()]);
    assert_judged(
        &ours,
        &[
            ("https://corp.example", Some(true)),
            ("https://corp.example/", Some(true)),
            ("HTTPS://CORP.example/a", Some(true)),
            ("https://corp.example:8443/a", Some(true)),
            ("https://corp.example/@evil.example", Some(true)),
            ("https://corp.example/?x=@evil.example", Some(true)),
            ("https://corp.example/?a[]=https://evil.example", Some(true)),
            ("https://wiki.corp.example/", Some(false)),
            ("https://evil.example/corp.example", Some(false)),
            ("https://evil.example/?https://corp.example", Some(false)),
            ("https://corp.example.evil.com/", Some(false)),
            ("https://corp-example/", Some(false)),
            ("http://127.0.0.1/", Some(false)),
            // Users, passwords and the places where a host may end.
            ("https://corp.example@evil.example/", None),
            ("https://corp.example:x@evil.example/", None),
            ("https://evil.example@corp.example/", None),
            ("https://corp.example#@evil.example/", None),
            ("https://corp.example?@evil.example/", None),
            ("https://evil.example#.corp.example", None),
            ("https://evil.example?.corp.example", None),
            ("https://evil.example\\.corp.example/", None),
            ("https://evil.example\\@corp.example/", None),
            ("https://corp.example\\@evil.example/", None),
            ("https:\\\\corp.example/", None),
            ("https:/corp.example/", None),
            ("https:corp.example", None),
            ("https:///corp.example/", None),
            ("https:////corp.example/", None),
            ("//corp.example/", None),
            ("corp.example", None),
            ("/corp.example", None),
            ("https://corp.example;evil.example/", None),
            ("https://corp.example,evil.example/", None),
            ("https://corp.example&evil.example/", None),
            ("https://corp.example evil.example/", None),
            ("https://corp.example:80:80/", None),
            ("https://corp.example:/", None),
            ("https://corp.example:0/", None),
            ("https://corp.example:080/", None),
            ("https://corp.example:+80/", None),
            ("https://corp.example:65536/", None),
            ("https://corp.example:80evil/", None),
            ("https://:80/", None),
            ("https:///", None),
            ("https://", None),
            ("://corp.example/", None),
            ("1http://corp.example/", None),
            ("view-source:https://corp.example/", None),
            ("javascript:alert(1)//https://corp.example/", None),
            ("data:text/plain,https://corp.example/", None),
            ("mailto:a@corp.example", None),
            ("file:///etc/passwd", None),
            // Hosts in disguise.
            ("https://corp.example./", None),
            ("https://.corp.example/", None),
            ("https://corp..example/", None),
            ("https://corp%2eexample/", None),
            ("https://%63orp.example/", None),
            ("https://corp.example%2f.evil.example/", None),
            ("https://corp.example%00.evil.example/", None),
            ("https://corp.example\0.evil.example/", None),
            ("https://corp_x.example/", None),
            ("https://c\u{43e}rp.example/", None),
            ("https://corp\u{3002}example/", None),
            ("https://corp\u{ff0e}example/", None),
            ("https://corp.example\u{2044}@evil.example/", None),
            ("https://corp.example\u{ff0f}evil/", None),
            ("https://corp.example\u{ad}/", None),
            ("https://*.example/", None),
            // Blanks, which some readers take out.
            (" https://corp.example/", None),
            ("https://corp.example/ ", None),
            ("https://corp.example/\n", None),
            ("ht\ttps://corp.example/", None),
            ("https://cor\np.example/", None),
            ("https://corp.example/\r\nHost: evil.example", None),
            ("https://corp.example/a b", None),
            ("https://corp.example/\u{e9}", None),
            ("https://corp.example/{a}", None),
            ("https://corp.example/<a>", None),
            ("https://corp.example/\"", None),
            ("https://corp.example/a|b", None),
            ("https://corp.example/a\\b", None),
            ("https://corp.example/a[b]", None),
            ("", None),
        ],
    );
}

#[test]
fn an_address_is_written_in_one_way() {
    let here = wanted(|wanted| wanted.hosts = vec!["127.0.0.1".to_owned(), "[::1]".to_owned()]);
    assert_judged(
        &here,
        &[
            ("http://127.0.0.1/", Some(true)),
            ("http://127.0.0.1:8080/", Some(true)),
            ("http://[::1]/", Some(true)),
            ("http://[::1]:80/", Some(true)),
            ("http://127.0.0.2/", Some(false)),
            ("http://[2001:db8::1]/", Some(false)),
            ("http://localhost/", Some(false)),
            ("http://127.0.0.1.evil.example/", Some(false)),
            ("http://127.1/", None),
            ("http://127.0.1/", None),
            ("http://2130706433/", None),
            ("http://0x7f000001/", None),
            ("http://0x7f.0.0.1/", None),
            ("http://127.0.0.0x1/", None),
            ("http://127.0.0.0x/", None),
            ("http://0177.0.0.1/", None),
            ("http://127.0.0.01/", None),
            ("http://127.0.0.1./", None),
            ("http://127.0.0.256/", None),
            ("http://1.2.3.4.5/", None),
            ("http://evil.1/", None),
            ("http://0/", None),
            ("http://\u{2460}27.0.0.1/", None),
            ("http://[::ffff:127.0.0.1]/", None),
            ("http://[::ffff:7f00:1]/", None),
            ("http://[::127.0.0.1]/", None),
            ("http://[0:0:0:0:0:0:0:1]/", None),
            ("http://[::0001]/", None),
            ("http://[::1%25lo]/", None),
            ("http://[::1%lo]/", None),
            ("http://[2001:DB8::1]/", None),
            ("http://[::1/", None),
            ("http://::1/", None),
            ("http://[::1]evil.example/", None),
            ("http://[::1].evil.example/", None),
            ("http://[127.0.0.1]/", None),
            ("http://[corp.example]/", None),
            ("http://[]/", None),
            ("http://[v1.x]/", None),
        ],
    );
}

#[test]
fn a_suffix_of_a_host_is_whole_labels() {
    let ours = wanted(|wanted| wanted.host_suffix = Some("corp.example".to_owned()));
    assert_judged(
        &ours,
        &[
            ("https://corp.example/", Some(true)),
            ("https://a.b.corp.example/", Some(true)),
            ("https://evilcorp.example/", Some(false)),
            ("https://corp.example.evil.com/", Some(false)),
            ("https://10.0.0.1/", Some(false)),
            ("https://[2001:db8::1]/", Some(false)),
        ],
    );
}

#[test]
fn all_that_is_asked_for_must_be_so() {
    let ours = wanted(|wanted| {
        wanted.schemes = vec!["https".to_owned(), "wss".to_owned()];
        wanted.hosts = vec!["corp.example".to_owned()];
        wanted.ports = vec![443, 8443];
    });
    assert_judged(
        &ours,
        &[
            ("https://corp.example/", Some(true)),
            ("wss://corp.example:8443/", Some(true)),
            ("https://corp.example:443/", Some(true)),
            ("https://corp.example:80/", Some(false)),
            ("http://corp.example:443/", Some(false)),
            ("http://corp.example/", Some(false)),
            ("https://other.example/", Some(false)),
            ("gopher://corp.example/", None),
        ],
    );
}

#[test]
fn a_path_is_compared_by_whole_segments() {
    let ours = wanted(|wanted| wanted.path_prefix = Some("/api".to_owned()));
    assert_judged(
        &ours,
        &[
            ("https://corp.example/api", Some(true)),
            ("https://corp.example/api/", Some(true)),
            ("https://corp.example/api/v1?x=/../", Some(true)),
            ("https://corp.example/api?x=..", Some(true)),
            ("https://corp.example/api/a%20b", Some(true)),
            ("https://corp.example/apikeys", Some(false)),
            ("https://corp.example/", Some(false)),
            ("https://corp.example", Some(false)),
            ("https://corp.example/x/api", Some(false)),
            ("https://corp.example/?/api", Some(false)),
            ("https://corp.example/api/../admin", None),
            ("https://corp.example/api/..", None),
            ("https://corp.example/./api", None),
            ("https://corp.example/api/%2e%2e/admin", None),
            ("https://corp.example/api/.%2E/admin", None),
            ("https://corp.example/api%2f..%2fadmin", None),
            ("https://corp.example/api%5c..%5cadmin", None),
            ("https://corp.example/api/%252e%252e/admin", None),
            ("https://corp.example/api/..;/admin", None),
            ("https://corp.example/api;x=1/a", None),
            ("https://corp.example//api", None),
            ("https://corp.example/api//admin", None),
            ("https://corp.example/%61pi", None),
            ("https://corp.example/x%00/api", None),
            ("https://corp.example/api/%0d%0a", None),
            ("https://corp.example/api/%zz", None),
            ("https://corp.example/api/%2", None),
            ("https://corp.example/API", None),
        ],
    );
    let below = wanted(|wanted| wanted.path_prefix = Some("/api/".to_owned()));
    assert_judged(
        &below,
        &[("https://corp.example/api/x", Some(true)), ("https://corp.example/api", Some(false))],
    );
}

#[test]
fn what_no_url_has_is_not_asked_for() {
    for (part, change) in [
        ("nothing", (|_| ()) as fn(&mut Wanted)),
        ("a scheme with its colon", |wanted| wanted.schemes = vec!["https:".to_owned()]),
        ("a scheme in capitals", |wanted| wanted.schemes = vec!["HTTPS".to_owned()]),
        ("a host with a port", |wanted| wanted.hosts = vec!["corp.example:80".to_owned()]),
        ("a host with a star", |wanted| wanted.hosts = vec!["*.corp.example".to_owned()]),
        ("an empty host", |wanted| wanted.hosts = vec![String::new()]),
        ("a suffix with a point", |wanted| wanted.host_suffix = Some(".corp.example".to_owned())),
        ("an address as a suffix", |wanted| wanted.host_suffix = Some("0.0.1".to_owned())),
        ("port 0", |wanted| wanted.ports = vec![0]),
        ("a path without a slash", |wanted| wanted.path_prefix = Some("api".to_owned())),
        ("a path with a query", |wanted| wanted.path_prefix = Some("/api?x".to_owned())),
        ("a path with dots", |wanted| wanted.path_prefix = Some("/api/..".to_owned())),
    ] {
        let mut wanted = Wanted::default();
        change(&mut wanted);
        assert!(UrlTest::new(&wanted).is_err(), "{part}");
    }
}

proptest! {
    /// Whatever is accepted as of our host begins so, to the letter: no other reader can see another host.
    #[test]
    fn what_holds_begins_with_scheme_and_host(text in "(https?|HTTP)?:?[/\\\\]{0,3}[a@:.#?/\\\\%\\[\\]]{0,4}(corp.example)?[a@:.#?/\\\\%0-9\\[\\]]{0,6}|\\PC{0,24}") {
        let ours = wanted(|wanted| wanted.hosts = vec!["corp.example".to_owned()]);
        if ours.judge(&Json::from(text.as_str())) == Ok(true) {
            let after = ["https://corp.example", "http://corp.example", "HTTP://corp.example"].iter().find_map(|start| text.strip_prefix(start));
            let after = after.unwrap_or("?").trim_start_matches(|char: char| char == ':' || char.is_ascii_digit());
            prop_assert!(after.is_empty() || after.starts_with('/'), "{text}");
        }
    }
}
