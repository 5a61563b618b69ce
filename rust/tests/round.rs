//! Requests to spare pass over the list from its front to its end, again and again.

use m26::plan::round::Round;

/// Rows that a list of so many shows at a place.
fn page(length: u32, offset: u32, rows: u32) -> usize {
    length.saturating_sub(offset).min(rows) as usize
}

/// Places that are looked at, one after the other.
fn walk(length: u32, rows: u32, looks: usize) -> Vec<u32> {
    let mut round = Round::default();
    (0..looks)
        .map(|_| {
            let place = round.place(u32::MAX);
            round.shown(place, page(length, place, rows));
            place
        })
        .collect()
}

#[test]
fn pages_overlap_to_the_end_of_the_list_and_begin_again() {
    assert_eq!(walk(250, 100, 5), [0, 96, 192, 246, 0]);
    assert_eq!(walk(3, 100, 3), [0, 3, 0]);
    assert_eq!(walk(0, 100, 3), [0, 0, 0]);
}

#[test]
fn a_short_page_still_gets_on() {
    let places = walk(40, 5, 20);
    assert!(places.windows(2).all(|pair| pair[1] > pair[0] || pair[1] == 0), "{places:?}");
    assert!(places.contains(&0) && places.iter().any(|&place| place >= 35));
}

#[test]
fn what_lies_ahead_is_no_part_of_it_and_what_cannot_be_reached_ends_it() {
    let mut round = Round::default();
    round.shown(0, 100);
    round.shown(500, 100);
    assert_eq!(round.place(u32::MAX), 96);
    round.shown(0, 100);
    assert_eq!(round.place(u32::MAX), 96);
    assert_eq!(round.place(100), 0);
}
