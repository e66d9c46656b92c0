//! Many cards, and cards that come and go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use integration::at_end::AtEnd;
use integration::wait;

use super::{Grid, OK, select, wait_for_all};

#[test]
fn sixty_four_cards_serve_eight_users_at_once() {
    let names: Vec<String> = (0..64).map(|number| format!("se-{number:02}")).collect();
    let cards: Vec<&str> = names.iter().map(String::as_str).collect();
    let grid = Grid::start(&cards, "", &["one"]);
    let select = select();
    thread::scope(|scope| {
        for own in cards.chunks(8) {
            let (grid, select) = (&grid, &select);
            scope.spawn(move || {
                let mut user = grid.user("one");
                for _ in 0..5 {
                    let lines: Vec<String> = own
                        .iter()
                        .map(|seid| format!("APDU {seid} {select} APPEND"))
                        .collect();
                    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                    let answers = user.ask(&lines);
                    assert_eq!(answers.len(), own.len());
                    assert!(answers.iter().all(|line| line.ends_with(OK)), "{answers:?}");
                }
            });
        }
    });
}

#[test]
fn cards_come_and_go_while_they_are_listed_and_used() {
    let mut grid = Grid::start(&["se-00", "se-01"], "", &["one"]);
    let (mut user, mut lists) = (grid.user("one"), grid.user("one"));
    assert_eq!(user.apdu("se-00", &select()), OK);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let done = &done;
        scope.spawn(move || {
            while !done.load(Ordering::SeqCst) {
                let said = lists.say("LIST");
                let is_list = ["+004 001 se-00 se-01", "+004 001 se-00", "+004 001 se-01"];
                assert!(is_list.contains(&said.as_str()), "{said}");
            }
        });
        let _end = AtEnd(done);
        for _ in 0..5 {
            grid.chain.pull("se-01");
            wait_for_all(&mut user, &["se-00"]);
            assert!(user.code("POWERON se-01").starts_with("-408"));
            assert_eq!(user.apdu("se-00", &select()), OK);
            grid.chain.put_back("se-01", &[]);
            wait_for_all(&mut user, &["se-00", "se-01"]);
            wait::until("it can be had", || {
                (user.code("POWERON se-01") == "+008 001").then_some(())
            });
            // In the next round it is in this user's hand, and leaves the list before it is used.
            assert_eq!(user.apdu("se-01", &select()), OK);
        }
    });
    let left = grid.chain.audited("card-returned");
    let left = left.iter().filter(|record| record["end"] == "removed");
    assert_eq!(left.count(), 4);
    grid.chain.pull("se-00");
    wait_for_all(&mut user, &["se-01"]);
    let said = user.code("APDU se-00 00A40400");
    assert!(said.starts_with('-'), "{said}");
    grid.chain.put_back("se-00", &[]);
    wait::until("it can be had again", || {
        (user.code("POWERON se-00") == "+008 001").then_some(())
    });
    assert_eq!(user.apdu("se-00", &select()), OK);
}
