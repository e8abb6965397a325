//! Windows: where each begins and ends, whatever the clocks of its zone do.

use super::*;
use proptest::prelude::*;

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

/// A moment as RFC 3339 tells it, with whole seconds and `Z`.
fn moment(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond().try_into().unwrap())
}

fn told(at: Timestamp) -> String {
    at.to_string().replace(".000Z", "Z")
}

#[test]
fn a_fixed_window_follows_the_clock_of_its_zone() {
    use Calendar::{Day, Hour, Minute, Month, Week};
    for (calendar, name, now, begin, end) in [
        (Minute, "UTC", "2026-11-22T09:30:59Z", "2026-11-22T09:30:00Z", "2026-11-22T09:31:00Z"),
        (Hour, "UTC", "2026-11-22T09:30:00Z", "2026-11-22T09:00:00Z", "2026-11-22T10:00:00Z"),
        (Day, "UTC", "2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"),
        (Week, "UTC", "2026-11-22T12:00:00Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"), // a Sunday
        (Month, "UTC", "2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        (Month, "UTC", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        // Days of 23 and of 25 hours.
        (Day, "Europe/Lisbon", "2026-03-29T12:00:00Z", "2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z"),
        (Day, "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        (Month, "America/New_York", "2026-11-15T12:00:00Z", "2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z"),
        (Week, "Pacific/Auckland", "2026-11-22T12:00:00Z", "2026-11-22T11:00:00Z", "2026-11-29T11:00:00Z"),
        // Hours that do not begin with those of UTC.
        (Hour, "Asia/Kolkata", "2026-11-22T09:29:59Z", "2026-11-22T08:30:00Z", "2026-11-22T09:30:00Z"),
        (Hour, "Asia/Kathmandu", "2026-11-22T09:30:00Z", "2026-11-22T09:15:00Z", "2026-11-22T10:15:00Z"),
        // The hour that a clock goes through twice is two; the one that it leaves out is none.
        (Hour, "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"),
        (Hour, "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"),
        (Hour, "Europe/Berlin", "2026-03-29T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"),
        // Half an hour forward from two o'clock to half past, and back again from two to half past one.
        (Hour, "Australia/Lord_Howe", "2026-10-03T15:45:00Z", "2026-10-03T14:30:00Z", "2026-10-03T16:00:00Z"),
        (Hour, "Australia/Lord_Howe", "2026-10-03T15:00:00Z", "2026-10-03T14:30:00Z", "2026-10-03T16:00:00Z"),
        (Hour, "Australia/Lord_Howe", "2026-04-04T15:15:00Z", "2026-04-04T14:00:00Z", "2026-04-04T15:30:00Z"),
        // No midnight: the day began at one o'clock, at the moment of the change.
        (Day, "America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"),
        (Day, "America/Sao_Paulo", "2018-11-04T02:59:59Z", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"),
        // Eleven o'clock twice: midnight comes once, an hour later.
        (Day, "America/Sao_Paulo", "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"),
        // A minute after midnight put back to a minute after eleven: the day has begun and goes on.
        (Day, "America/St_Johns", "2006-10-29T02:30:30Z", "2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z"),
        (Day, "America/St_Johns", "2006-10-29T03:00:00Z", "2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z"),
        // A day that was left out.
        (Day, "Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
        (Day, "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
        (Week, "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-26T10:00:00Z", "2012-01-01T10:00:00Z"),
        // An offset with seconds in it.
        (Minute, "Africa/Monrovia", "1971-06-01T00:00:29Z", "1971-05-31T23:59:30Z", "1971-06-01T00:00:30Z"),
    ] {
        let span = Window::Fixed(calendar, zone(name)).at(moment(now));
        let got = (told(span.window), span.resets_at.map(told).unwrap_or_default());
        assert_eq!(got, (begin.to_owned(), end.to_owned()), "{calendar} of {name} at {now}");
        assert_eq!((span.part, span.counts_from), (Timestamp(0), Timestamp(0)));
    }
}

#[test]
fn time_without_an_end_has_one_window() {
    for window in [Window::Session, Window::Total] {
        for now in [0, 1, 1_795_340_096_789_123, u64::MAX] {
            let zero = Timestamp(0);
            let span = Span { window: zero, part: zero, counts_from: zero, resets_at: None };
            assert_eq!(window.at(Timestamp(now)), span);
        }
    }
}

#[test]
fn the_ends_of_the_calendar_are_windows_too() {
    for calendar in Calendar::ALL {
        for name in ["UTC", "Asia/Kolkata", "America/New_York", "Pacific/Kiritimati"] {
            let window = Window::Fixed(calendar, zone(name));
            let first = window.at(Timestamp(0));
            assert_eq!(first.window, Timestamp(0), "what began before 1970 began at 0");
            assert!(first.resets_at.is_some());
            let last = window.at(Timestamp(u64::MAX));
            assert!(last.window < Timestamp(u64::MAX));
            assert_eq!(last.window, window.at(last.window).window, "{calendar} {name}");
        }
    }
}

#[test]
fn a_rolling_window_has_sixty_parts() {
    let hour = Window::Rolling(Duration::from_secs(3600));
    let span = hour.at(moment("2026-11-22T09:30:59Z"));
    assert_eq!(told(span.part), "2026-11-22T09:30:00Z");
    // Until 09:31 something of 08:30 may be less than an hour old.
    assert_eq!(told(span.counts_from), "2026-11-22T08:30:00Z");
    assert_eq!(told(hour.at(moment("2026-11-22T09:31:00Z")).counts_from), "2026-11-22T08:31:00Z");
    assert_eq!(told(span.resets_at.unwrap()), "2026-11-22T10:31:00Z");
    assert_eq!(span.window, Timestamp(0));

    let none = Window::Rolling(Duration::ZERO).at(Timestamp(7));
    assert_eq!((none.part, none.counts_from), (Timestamp(7), Timestamp(7)));
    assert_eq!(Window::Rolling(Duration::MAX).at(Timestamp(u64::MAX)).resets_at, None);
}

#[test]
fn zones_are_known_by_their_names() {
    for (text, want) in [
        ("Europe/Lisbon", Ok(())),
        ("UTC", Ok(())),
        ("Etc/UTC", Ok(())),
        ("America/Argentina/Buenos_Aires", Ok(())),
        ("europe/lisbon", Err("did you mean `Europe/Lisbon`?")),
        ("Europe/Lisboa", Err("did you mean `Europe/Lisbon`?")),
        ("utc", Err("did you mean `UTC`?")),
        ("Etc/Unknown", Err("it is a name of the IANA database, as in `Europe/Lisbon`")),
        ("+01:00", Err("it is a name of the IANA database, as in `Europe/Lisbon`")),
        ("../../etc/passwd", Err("it is a name of the IANA database, as in `Europe/Lisbon`")),
        ("", Err("it is a name of the IANA database, as in `Europe/Lisbon`")),
    ] {
        let read = text.parse::<Zone>();
        assert_eq!(
            read.as_ref().map(|zone| zone.to_string()),
            want.map(|()| text.to_owned()).map_err(|_| read.as_ref().unwrap_err())
        );
        if let (Err(error), Err(help)) = (&read, want) {
            assert_eq!(error.help(), help, "{text}");
            assert_eq!(error.to_string(), format!("unknown time zone `{text}`"));
        }
    }
    assert_eq!(Zone::default(), zone("UTC"));
    assert!(Zone::names().count() > 400);
    for name in Zone::names() {
        assert_eq!(zone(&name).as_str(), name);
    }
}

#[test]
fn pieces_of_the_calendar_are_words() {
    for calendar in Calendar::ALL {
        assert_eq!(calendar.to_string().parse(), Ok(calendar));
    }
    for text in ["Day", "days", "year", ""] {
        assert_eq!(text.parse::<Calendar>(), Err(NotACalendar));
    }
}

const DAY: u64 = 24 * 60 * 60 * 1_000_000;

/// A moment within a hundred years, often near a change of some clock.
fn any_moment() -> impl Strategy<Value = Timestamp> {
    let changes: Vec<u64> = [
        "2018-11-04T03:00:00Z",
        "2006-10-29T02:31:00Z",
        "2011-12-30T10:00:00Z",
        "2026-10-25T01:00:00Z",
        "2026-04-04T15:00:00Z",
        "1970-01-01T00:00:00Z",
    ]
    .map(|text| moment(text).0)
    .to_vec();
    let near =
        (prop::sample::select(changes), 0..2 * DAY).prop_map(|(at, off)| (at + off).saturating_sub(DAY));
    prop_oneof![0..100 * 366 * DAY, near].prop_map(Timestamp)
}

fn any_zone() -> impl Strategy<Value = Zone> {
    const ODD: [&str; 9] = [
        "America/Sao_Paulo",
        "America/St_Johns",
        "Pacific/Apia",
        "Australia/Lord_Howe",
        "Africa/Monrovia",
        "America/Havana",
        "Asia/Beirut",
        "Africa/Cairo",
        "Antarctica/Troll",
    ];
    let names: Vec<String> = Zone::names().collect();
    prop_oneof![
        prop::sample::select(&ODD[..]).prop_map(zone),
        prop::sample::select(names).prop_map(|name| zone(&name))
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn fixed_windows_tile_time(now in any_moment(), zone in any_zone(), at in 0..5_usize, within in any::<prop::sample::Index>()) {
        let window = Window::Fixed(Calendar::ALL[at], zone);
        let span = window.at(now);
        let end = span.resets_at.unwrap();
        prop_assert!(span.window <= now && now < end);
        // Every moment of a window falls in it, the last one too, and the next moment begins the next one.
        let inside = span.window.0 + u64::try_from(within.index(usize::try_from(end.0 - span.window.0).unwrap())).unwrap();
        for moment in [span.window.0, inside, end.0 - 1] {
            prop_assert_eq!(window.at(Timestamp(moment)), span);
        }
        prop_assert_eq!(window.at(end).window, end);
        // No window is a second chance: an hour is one at least, and a day no less than its shortest.
        let least = [60, 60 * 60, 20 * 60 * 60, 6 * 24 * 60 * 60 - 4 * 60 * 60, 27 * 24 * 60 * 60];
        prop_assert!(span.window == Timestamp(0) || end.0 - span.window.0 >= least[at] * 1_000_000, "{:?}", span);
    }

    #[test]
    fn a_rolling_sum_never_forgets_what_is_younger_than_its_length(
        spends in prop::collection::vec((0..3 * DAY, 1..100_u64), 1..20), now in 0..4 * DAY, seconds in 1..200_000_u64,
    ) {
        let length = Duration::from_secs(seconds);
        let window = Window::Rolling(length);
        let now = Timestamp(1_795_340_096_789_123 + now);
        let (mut counted, mut young, mut not_old) = (0, 0, 0);
        let counts_from = window.at(now).counts_from;
        for (at, amount) in spends {
            let at = Timestamp(1_795_340_096_789_123 + at);
            if at > now {
                continue;
            }
            let span = window.at(at);
            let counts = span.part >= counts_from;
            prop_assert!(span.part <= at);
            // It stops to count at the very moment that was told when it was spent.
            prop_assert_eq!(counts, now < span.resets_at.unwrap());
            counted += if counts { amount } else { 0 };
            young += if now.since(at) < length { amount } else { 0 };
            // A part and the rounding of its width.
            let most = length + length / 60 + Duration::from_micros(1);
            not_old += if now.since(at) < most { amount } else { 0 };
        }
        prop_assert!(young <= counted && counted <= not_old, "{} {} {}", young, counted, not_old);
    }
}
